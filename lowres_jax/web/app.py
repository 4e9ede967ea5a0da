"""The routes: a page, what it asks for, and the same for programs."""

import functools
import json
import re
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

from fastapi import FastAPI, File, HTTPException, Request, UploadFile
from fastapi.exception_handlers import http_exception_handler
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse, Response
from fastapi.staticfiles import StaticFiles
from ml_collections import ConfigDict
from starlette.exceptions import HTTPException as StarletteHTTPException

from lowres_jax import __version__
from lowres_jax.clips.reading import SUFFIXES, open_clip
from lowres_jax.errors import UserError
from lowres_jax.report.search_wording import Verdict, in_words
from lowres_jax.runtime import signals
from lowres_jax.web.answers import Upload, file_name, relative
from lowres_jax.web.archive import unpack
from lowres_jax.web.engine import Engine
from lowres_jax.web.guard import Guard
from lowres_jax.web.jobs import Jobs, Stage, Work
from lowres_jax.web.line import FullError, Line

_STATIC = Path(__file__).parent / "static"
# Reports have their style and their script in them, and nothing else may act in them.
_REPORT_POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'; sandbox allow-scripts"
)
_OWNER = "lowres_jax_owner"  # cookie of who starts jobs
# By the lines of the terminal, which people need not read.
_CLIP_STAGES = (
    Stage(re.compile(r"^clip\S*:\s+(\d+)%"), "Finding the faces", 0, 30),
    Stage(re.compile(r"^enlarge .*?(\d+)%"), "Enlarging them", 30, 99),
)
_SEARCH_STAGES = (
    Stage(re.compile(r"^enroll\S*:\s+(\d+)%"), "Reading the known people", 0, 20),
    Stage(re.compile(r"^clip\S*:\s+(\d+)%"), "Finding and comparing the faces", 20, 90),
)
_REPORT_STAGES = (
    Stage(re.compile(r"^people:\s+(\d+)%"), "Finding the faces", 0, 25),
    Stage(re.compile(r"^\d+/\d+ .*?(\d+)%"), "Enlarging and recognizing them", 25, 90),
    Stage(re.compile(r"^protocols.*?(\d+)%"), "Drawing the report", 90, 99),
)
_DESCRIPTION = "Small faces: find them, enlarge them, recognize them. An enlarged face is a guess."
Clip = Annotated[UploadFile, File(description="MP4 or another video")]
Picture = Annotated[UploadFile, File(description="JPEG, PNG, WebP, TIFF or another picture")]


def make_app(engine: Engine, config: ConfigDict, hosts: frozenset[str] | None, token: str | None) -> Guard:
    """The application.

    Args:
      engine: the models.
      config: config of the task serve.
      hosts: see `Guard`.
      token: see `Guard`.
    """
    # No page of documentation: its script would come from elsewhere. /openapi.json is the description.
    app = FastAPI(title="lowres_jax", version=__version__, description=_DESCRIPTION, docs_url=None, redoc_url=None)
    line, jobs = Line(config.waiting), Jobs()
    app.state.line, app.state.jobs = line, jobs

    async def answer(request: Request, work: Callable[[], Any]) -> Any:
        try:
            return await line.run(work, request.is_disconnected)
        except FullError as error:
            raise HTTPException(503, "too many at once: try again in a few seconds", {"retry-after": "5"}) from error
        except signals.Interrupted as error:
            raise HTTPException(503, "the server was stopped") from error

    @app.exception_handler(UserError)
    async def refuse(request: Request, error: UserError) -> JSONResponse:
        return JSONResponse({"detail": str(error)}, 422)

    @app.exception_handler(OSError)
    async def disk(request: Request, error: OSError) -> JSONResponse:
        return JSONResponse({"detail": f"the server's disk cannot take it ({error.strerror or error})"}, 507)

    @app.exception_handler(RequestValidationError)
    async def missing(request: Request, error: RequestValidationError) -> JSONResponse:
        fields = ", ".join(str(each["loc"][-1]) for each in error.errors())
        return JSONResponse({"detail": f"missing or wrong: {fields}; /openapi.json says what is expected"}, 422)

    @app.exception_handler(StarletteHTTPException)
    async def refused(request: Request, error: StarletteHTTPException) -> Response:
        if isinstance(error.__cause__, OSError):  # while the form was read
            return await disk(request, error.__cause__)
        if str(error.detail).startswith("Too many files"):
            detail = f"more files than the {config.most_known} pictures of known people that are taken"
            return JSONResponse({"detail": detail}, 413)
        return await http_exception_handler(request, error)

    @app.get("/state", summary="What there is to search in, and the limits")
    async def state() -> dict[str, Any]:
        limits = ("most_megabytes", "most_megapixels", "most_known", "most_frames")
        own = {"version": __version__, "known": engine.known, "models": engine.models}
        return {**own, **{name: config[name] for name in limits}}

    @app.get("/example", summary="A photograph to try (E. Collins, NASA, public domain)")
    async def example() -> Response:
        return Response(engine.example(), media_type="image/jpeg")

    @app.post(
        "/enhance", summary="Small faces of a photograph, enlarged (large=true: all); Accept: image/png: all of it"
    )
    async def enhance(request: Request, picture: Picture, large: bool = False, model: str = "") -> Any:
        if "image/png" in request.headers.get("accept", ""):
            content = await answer(request, lambda: engine.pasted_back(_read(picture)))
            return Response(content, media_type="image/png")
        return await answer(request, lambda: engine.enhance(_read(picture), large, model))

    @app.post("/faces", summary="The enlarged faces of several photographs, as a zip archive")
    async def faces(request: Request, pictures: list[UploadFile], large: bool = False, model: str = "") -> Response:
        given = [_read(each) for each in pictures]
        content = await answer(request, lambda: engine.enlarged_faces(given, large, model))
        return Response(content, media_type="application/zip")

    @app.post("/identify", summary="Who is it? Among known people, or the same person as on one other picture?")
    async def identify(
        request: Request,
        picture: Picture,
        known: Annotated[
            list[UploadFile] | None,
            File(description="Pictures named PERSON/FILE; one: the other of two; none: the server's own gallery"),
        ] = None,
    ) -> Any:
        given = known or []
        if len(given) > config.most_known:
            raise HTTPException(413, f"{len(given)} pictures of known people, over the {config.most_known} taken")
        return await answer(request, lambda: engine.identify(_read(picture), [_read(each) for each in given]))

    @app.post(
        "/compare", status_code=202, summary="The comparison report of an archive of faces, made in the background"
    )
    async def compare(
        request: Request,
        response: Response,
        archive: Annotated[UploadFile, File(description="Zip with a folder a person")],
    ) -> Any:
        work = functools.partial(_comparison, content=_read(archive).content, most_megapixels=config.most_megapixels)
        return await _started(jobs, "report", _owner(request, response), work)

    @app.post("/clip", status_code=202, summary="A clip enlarged, with its faces (preview=true: its first second)")
    async def clip(request: Request, response: Response, clip: Clip, preview: bool = False) -> Any:
        work = functools.partial(_enlarged_clip, upload=_read(clip), config=config, preview=preview)
        return await _started(jobs, "clip", _owner(request, response), work)

    @app.post("/people", status_code=202, summary="Who is in a clip? Searched in the background")
    async def people(request: Request, response: Response, clip: Clip, known: list[UploadFile] | None = None) -> Any:
        given = [_read(each) for each in known or []]
        if not given and not engine.known:
            raise UserError("nobody is known: choose a folder of known people")
        work = functools.partial(_searched_clip, upload=_read(clip), known=given, config=config)
        return await _started(jobs, "search", _owner(request, response), work)

    @app.get("/jobs", summary="The jobs that this browser started, by its cookie")
    def own_jobs(request: Request) -> list[dict[str, object]]:
        return jobs.of(request.cookies.get(_OWNER, ""))

    @app.get("/jobs/{job_id}", summary="How far a job is")
    async def job_state(job_id: str) -> dict[str, object]:
        return _known(lambda: jobs.state(job_id))

    @app.delete("/jobs/{job_id}", summary="Stop a job and remove what it made")
    def job_removed(job_id: str) -> dict[str, str]:
        _known(lambda: jobs.remove(job_id))
        return {"id": job_id, "state": "removed"}

    @app.get("/jobs/{job_id}/tracks", summary="Who passes through a searched clip, when and where")
    async def job_tracks(job_id: str) -> list[dict[str, Any]]:
        path: Path = _known(lambda: jobs.result(job_id)).parents[1] / "tracks.json"
        if not path.is_file():
            raise HTTPException(404, "this job has no tracks")
        columns = ("answer", "name", "nearest", "similarity", "threshold", "start", "end", "best_at", "native_size")
        boxes = ("left", "top", "right", "bottom")
        return [
            {name: track[name] for name in columns}
            | {"words": in_words(Verdict(track["answer"])), "box": [track[side] for side in boxes]}
            for track in json.loads(path.read_bytes())
        ]

    @app.get("/jobs/{job_id}/result", summary="What a finished job made: a report (HTML) or a clip (MP4)")
    async def job_result(job_id: str) -> FileResponse:
        path: Path = _known(lambda: jobs.result(job_id))
        if path.suffix == ".html":
            return FileResponse(path, media_type="text/html", headers={"content-security-policy": _REPORT_POLICY})
        return FileResponse(path, media_type="video/mp4", filename="enlarged.mp4", content_disposition_type="inline")

    app.mount("/", StaticFiles(directory=_STATIC, html=True))
    return Guard(app, hosts, token, config.most_megabytes * 1_000_000, config.path or "")


def _read(upload: UploadFile) -> Upload:
    """An upload's bytes, which lie on the disk until their turn comes."""
    return Upload(upload.filename or "picture", upload.file.read())


def _owner(request: Request, response: Response) -> str:
    """Whose a job is: a number that the browser keeps, so that the job survives a reload."""
    owner = request.cookies.get(_OWNER, "")
    if len(owner) < 20:
        owner = secrets.token_urlsafe(24)
        response.set_cookie(_OWNER, owner, httponly=True, samesite="lax")
    return owner


async def _started(jobs: Jobs, kind: str, owner: str, prepare: Callable[[Path], Work]) -> dict[str, object]:
    import anyio.to_thread

    job_id = await anyio.to_thread.run_sync(jobs.start, kind, owner, prepare)
    return jobs.state(job_id)


def _known(ask: Callable[[], Any]) -> Any:
    try:
        return ask()
    except KeyError as error:
        raise HTTPException(404, "there is no such job, or it has not made anything yet") from error


def _comparison(folder: Path, content: bytes, most_megapixels: int) -> Work:
    """The command for an archive of faces.

    Raises:
      UserError: see `archive.unpack`.
    """
    uploaded, workdir = folder / "uploaded", folder / "work"
    unpack(content, uploaded, most_megapixels)
    flags = ["--config=compare", f"--config.input={uploaded}", "--config.upscalers=bicubic,identity@32,identity_x8@16"]
    return Work([*flags, f"--workdir={workdir}"], workdir / "report.html", _REPORT_STAGES)


def _enlarged_clip(folder: Path, upload: Upload, config: ConfigDict, preview: bool) -> Work:
    """The command that enlarges a clip; raises as `_uploaded_clip` does."""
    path, output = _uploaded_clip(folder, upload, config), folder / "output"
    flags = ["--config=enhance", f"--config.input={path}", f"--config.output={output}"]
    flags += ["--config.stop=1"] if preview else []
    return Work([*flags, f"--config.upscaler={','.join(config.upscaler)}"], output / "clip_x2.mp4", _CLIP_STAGES)


def _searched_clip(folder: Path, upload: Upload, known: Sequence[Upload], config: ConfigDict) -> Work:
    """The command that searches a clip among the known people; raises as `_uploaded_clip` does."""
    path, workdir = _uploaded_clip(folder, upload, config), folder / "work"
    gallery = folder / "uploaded" / "known" if known else Path(config.gallery).resolve()
    for number, each in enumerate(known):
        place = gallery.joinpath(*relative(each.name).parts[:-1] or ("known",), f"{number}_{file_name(each.name)}")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(each.content)
    flags = ["--config=identify", f"--config.gallery={gallery}", f"--config.probe={path}", f"--workdir={workdir}"]
    flags += [f"--config.{name}={config[name]}" for name in ("detector", "far", "least_found")]
    flags.append(f"--config.upscaler={','.join(config.upscaler)}")
    return Work(flags, workdir / "clips" / "clip.mp4", _SEARCH_STAGES)


def _uploaded_clip(folder: Path, upload: Upload, config: ConfigDict) -> Path:
    """Writes an uploaded clip into a job's folder.

    Raises:
      UserError: the file is no clip, its frames are too large, or it is too long.
    """
    suffix = Path(upload.name.replace("\\", "/")).suffix.lower()
    uploaded = folder / "uploaded"
    uploaded.mkdir()
    path = uploaded / f"clip{suffix if suffix in SUFFIXES else '.mp4'}"
    path.write_bytes(upload.content)
    try:
        opened = open_clip(path, config.most_megapixels * 1_000_000)
    except UserError as error:
        raise UserError(str(error).replace(f"{uploaded}/", "")) from error
    if opened.frames > config.most_frames:
        raise UserError(f"the clip has {opened.frames:,} frames, over the {config.most_frames:,} that are taken")
    return path


def close(app: Any) -> None:
    """Ends what the application has begun."""
    app.state.line.close()
    app.state.jobs.close()
