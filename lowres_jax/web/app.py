"""The routes: a page, what it asks for, and the same for programs."""

import io
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

from fastapi import FastAPI, File, HTTPException, Request, UploadFile
from fastapi.responses import FileResponse, JSONResponse, Response
from fastapi.staticfiles import StaticFiles
from ml_collections import ConfigDict

from lowres_jax import __version__
from lowres_jax.clips.reading import SUFFIXES, open_clip
from lowres_jax.data import images
from lowres_jax.errors import UserError
from lowres_jax.runtime import signals
from lowres_jax.utils import filenames
from lowres_jax.web.engine import Engine, Upload
from lowres_jax.web.guard import Guard
from lowres_jax.web.jobs import Jobs
from lowres_jax.web.line import FullError, Line

_STATIC = Path(__file__).parent / "static"
# Reports have their style and their script in them, and nothing else may act in them.
_REPORT_POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'; sandbox allow-scripts"
)
_MOST_ARCHIVED = 5000  # pictures of an archive
_DESCRIPTION = "Small faces: find them, enlarge them, recognize them. An enlarged face is a guess."
Picture = Annotated[UploadFile, File(description="JPEG, PNG, WebP, TIFF or another picture")]


def make_app(engine: Engine, config: ConfigDict, hosts: frozenset[str] | None, token: str | None) -> Guard:
    """The application.

    Args:
      engine: the models.
      config: of the task serve.
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

    @app.get("/state", summary="What there is to search in, and the limits")
    async def state() -> dict[str, Any]:
        limits = ("most_megabytes", "most_megapixels", "most_known", "most_frames")
        return {"version": __version__, "known": engine.known, **{name: config[name] for name in limits}}

    @app.post(
        "/enhance", summary="Small faces of a photograph, enlarged (large=true: all); Accept: image/png: all of it"
    )
    async def enhance(request: Request, picture: Picture, large: bool = False) -> Any:
        if "image/png" in request.headers.get("accept", ""):
            content = await answer(request, lambda: engine.pasted_back(_read(picture)))
            return Response(content, media_type="image/png")
        return await answer(request, lambda: engine.enhance(_read(picture), large))

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
    async def compare(archive: Annotated[UploadFile, File(description="Zip with a folder a person")]) -> Any:
        return await _started(
            jobs, "report", lambda folder: _comparison(folder, _read(archive).content, config.most_megapixels)
        )

    @app.post("/clip", status_code=202, summary="A clip enlarged, with its faces, made in the background")
    async def clip(clip: Annotated[UploadFile, File(description="MP4 or another video")]) -> Any:
        return await _started(jobs, "clip", lambda folder: _enlarged_clip(folder, _read(clip), config))

    @app.get("/jobs/{job_id}", summary="How far a job is")
    async def job_state(job_id: str) -> dict[str, object]:
        return _known(lambda: jobs.state(job_id))

    @app.delete("/jobs/{job_id}", summary="Stop a job and remove what it made")
    def job_removed(job_id: str) -> dict[str, str]:
        _known(lambda: jobs.remove(job_id))
        return {"id": job_id, "state": "removed"}

    @app.get("/jobs/{job_id}/result", summary="What a finished job made: a report (HTML) or a clip (MP4)")
    async def job_result(job_id: str) -> FileResponse:
        path: Path = _known(lambda: jobs.result(job_id))
        if path.suffix == ".html":
            return FileResponse(path, media_type="text/html", headers={"content-security-policy": _REPORT_POLICY})
        return FileResponse(path, media_type="video/mp4", filename="enlarged.mp4", content_disposition_type="inline")

    app.mount("/", StaticFiles(directory=_STATIC, html=True))
    return Guard(app, hosts, token, config.most_megabytes * 1_000_000)


def _read(upload: UploadFile) -> Upload:
    """An upload's bytes, which lie on the disk until their turn comes."""
    return Upload(upload.filename or "picture", upload.file.read())


async def _started(jobs: Jobs, kind: str, prepare: Callable[[Path], tuple[Sequence[str], Path]]) -> dict[str, object]:
    import anyio.to_thread

    job_id = await anyio.to_thread.run_sync(jobs.start, kind, prepare)
    return jobs.state(job_id)


def _known(ask: Callable[[], Any]) -> Any:
    try:
        return ask()
    except KeyError as error:
        raise HTTPException(404, "there is no such job, or it has not made anything yet") from error


def _comparison(folder: Path, content: bytes, most_megapixels: int) -> tuple[list[str], Path]:
    """The command for an archive of faces.

    Raises:
      UserError: it is no zip archive, has nothing usable, or too much.
    """
    uploaded, count, size = folder / "uploaded", 0, 0
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for entry in archive.infolist():
                parts = [part for part in entry.filename.replace("\\", "/").split("/") if part]
                if entry.is_dir() or len(parts) < 2 or ".." in parts or any(part.startswith(".") for part in parts):
                    continue
                count, size = count + 1, size + entry.file_size
                # Pictures are compressed already.
                if count > _MOST_ARCHIVED or size > 2 * len(content) + 1_000_000:
                    raise UserError(f"the archive has more than {_MOST_ARCHIVED} pictures, or unpacks to too much")
                picture = archive.read(entry)
                if 0 < images.pixel_count(picture) <= most_megapixels * 1_000_000:
                    # Folders are named as in the archive, people by them; each is one part of a path below this one.
                    ending = Path(parts[-1]).suffix.lower()[:6]
                    path = filenames.fitting(uploaded.joinpath(*parts[:-1], f"{count}{ending}"), 0)
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(picture)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, EOFError, ValueError) as error:
        raise UserError(f"the archive cannot be read ({error}): give a zip file with a folder a person") from error
    if not uploaded.is_dir():
        raise UserError("the archive has no pictures in folders: it needs a folder a person")
    workdir = folder / "work"
    flags = ["--config=compare", f"--config.input={uploaded}", "--config.upscalers=bicubic,identity@32,identity_x8@16"]
    return [*flags, f"--workdir={workdir}"], workdir / "report.html"


def _enlarged_clip(folder: Path, upload: Upload, config: ConfigDict) -> tuple[list[str], Path]:
    """The command for a clip.

    Raises:
      UserError: it is no clip, or too long.
    """
    suffix = Path(upload.name.replace("\\", "/")).suffix.lower()
    uploaded = folder / "uploaded"
    uploaded.mkdir()
    path = uploaded / f"clip{suffix if suffix in SUFFIXES else '.mp4'}"
    path.write_bytes(upload.content)
    try:
        opened = open_clip(path)
    except UserError as error:
        raise UserError(str(error).replace(f"{uploaded}/", "")) from error
    if opened.frames > config.most_frames:
        raise UserError(f"the clip has {opened.frames:,} frames, over the {config.most_frames:,} that are taken")
    output = folder / "output"
    stop = f"--config.stop={config.most_frames / opened.rate:g}"
    flags = ["--config=enhance", f"--config.input={path}", f"--config.output={output}", stop]
    return [*flags, f"--config.upscaler={','.join(config.upscaler)}"], output / "clip_x2.mp4"


def close(app: Any) -> None:
    """Ends what the application has begun."""
    app.state.line.close()
    app.state.jobs.remove()
