"""Enlarges the faces of photographs, alone or within the enlarged photograph; or aligned crops as they are."""

import itertools
import re
from collections.abc import Sequence
from pathlib import Path

from ml_collections import ConfigDict
from tqdm import tqdm

from lowres_jax import __version__, config_keys
from lowres_jax.clips.enlarging import write_enlarged
from lowres_jax.clips.probes import pictures_and_clips
from lowres_jax.clips.reading import comment_of, file_identity, open_clip
from lowres_jax.clips.search import follow
from lowres_jax.data import output_paths
from lowres_jax.enhancement import before_after, enlarging
from lowres_jax.enhancement.job import CAUTION, Job
from lowres_jax.enhancement.ledger import NAME, Ledger
from lowres_jax.enhancement.writing import ending
from lowres_jax.errors import UserError
from lowres_jax.evaluation.measurement import fingerprint
from lowres_jax.faces.reader import FaceReader
from lowres_jax.localization.detector import load_detector
from lowres_jax.recognition.recognizer import load_recognizer
from lowres_jax.report import search_wording as wording
from lowres_jax.runtime import signals
from lowres_jax.runtime.signals import interruptible
from lowres_jax.settings.enhance import KEYS
from lowres_jax.super_resolution import tiling
from lowres_jax.super_resolution.upscaler import UpscalerBySize, load_upscaler_by_size
from lowres_jax.utils.files import try_folder

_MAX_NAMED = 20  # pictures without a face
_LONGEST_ENDING = len("_face1000.webp")


def run(config: ConfigDict, workdir: Path) -> None:
    """Enhances `config.input` into `config.output`; `workdir` is not used.

    Raises:
      UserError: a setting is wrong, results would be overwritten, or not one picture could be enhanced.
    """
    config_keys.check(config, KEYS)
    source, output = Path(config.input), Path(config.output)
    if output.exists() and not output.is_dir():
        raise UserError(f"config.output={output}: is a file; give a folder")
    files, clips = pictures_and_clips(source)
    if clips:
        _enhance_clips(config, source, output, clips)
    if not files.paths:
        return
    results = output_paths.assign(files.paths, source, output, _LONGEST_ENDING)
    endings = {path: ending(config.format, path) for path in results}
    output_paths.check(source, output, results, endings if config.aligned else {})
    aside = config_keys.without_effect(KEYS)
    settings = {name: value for name, value in config.to_dict().items() if name not in aside}
    ledger = Ledger(output, settings, config.overwrite)
    ledger.refuse(_existing(results, endings, config.aligned))
    upscalers = load_upscaler_by_size(config.upscaler, config.weights)
    tiling.check(config.tile, config.overlap)
    detector = None if config.aligned else load_detector(config.detector)
    background = None
    if config.paste_back and not config.aligned:
        background = enlarging.background_of(config.background, upscalers)
    try_folder(output)
    for line in [*files.remarks(source), *filter(None, [upscalers.license_remark()])]:
        print(line)
    if background and (line := enlarging.announcement(background, files.paths, config.tile, config.overlap)):
        print(line)
    # No speed and no time left can be told before the first picture is done.
    with tqdm(total=len(files.paths), unit="picture", desc="compiling the models, once", dynamic_ncols=True) as bar:
        job = Job(config, upscalers, background, results, ledger, bar)
        try:
            with signals.at_forced_end(job.save), job.writer.opened():
                if detector is None:
                    job.enhance_aligned()
                else:
                    recognizer = load_recognizer("sface") if config.likeness else None
                    job.enhance_photographs(detector, recognizer)
        except BaseException:
            # Whole otherwise, by the report. What was made before a stop is not to be made again.
            job.save()
            raise
    _report(config, job, upscalers, output)


def _enhance_clips(config: ConfigDict, source: Path, output: Path, paths: Sequence[Path]) -> None:
    """Writes each clip enlarged, with its faces.

    Raises:
      UserError: a setting is wrong, a result is there already, or no clip can be read.
    """
    if config.aligned:
        raise UserError("config.aligned=True: clips are no face crops; enhance them by themselves")
    upscalers, recognizer = load_upscaler_by_size(config.upscaler, config.weights), load_recognizer("sface")
    tiling.check(config.tile, config.overlap)
    results = output_paths.assign(list(paths), source, output, len("_x8.mp4"))
    names = {path: output_paths.with_ending(results[path], f"_x{config.clip_scale}.mp4") for path in paths}
    marks = {path: _mark_of(path, config) for path in paths}
    made_before = {path for path in paths if names[path].exists() and comment_of(names[path]).endswith(marks[path])}
    others = [names[path] for path in paths if names[path].exists() and path not in made_before]
    if others and not config.overwrite:
        raise UserError(
            f"{others[0]}: is there already, made of another clip or with other settings; --config.overwrite=true "
            "replaces it"
        )
    try_folder(output)
    if license := upscalers.license_remark():
        print(license)
    reader = FaceReader(load_detector(config.detector), upscalers, recognizer, small_face=0, look_again=False)
    enlarged = 0
    for path in interruptible(paths):
        if path in made_before:
            enlarged += 1
            print(f"{names[path]}: made before")
            continue
        try:
            clip = open_clip(path)
        except UserError as error:
            if len(paths) == 1:
                raise
            print(f"skipped: {error}")
            continue
        followed = follow(clip, reader, config.every, config.start, config.stop, least_sightings=2)
        if clip.problem:
            print(f"{path}: {clip.problem}")
        if not followed.frames[0]:
            print(f"skipped: {path}: no frames from {config.start:g} s on")
            continue
        for number, track in enumerate(followed.tracks, start=1):
            span = f"{wording.time_of(track.first.seconds)} to {wording.time_of(track.last.seconds)}"
            print(f"{path} track {number}, {span}: {track.size} px, by {upscalers.for_face(track.size).name}")
        if not followed.tracks:
            found = "faces in too few frames, none of them is enlarged" if followed.passed_over else "no face found"
            print(f"{path}: {found}; it is enlarged all the same")
        write_enlarged(
            names[path],
            clip,
            followed.tracks,
            upscalers,
            config.clip_scale,
            config.start,
            config.stop,
            config.tile,
            config.overlap,
            marks[path],
        )
        enlarged += 1
        print(names[path])
    if not enlarged:
        raise UserError(f"{source}: not one clip could be enlarged")
    print(CAUTION)


def _mark_of(path: Path, config: ConfigDict) -> str:
    """Description in the result of a clip, by which an interrupted run resumes."""
    aside = config_keys.without_effect(KEYS)
    settings = sorted((name, repr(value)) for name, value in config.to_dict().items() if name not in aside)
    return f"[{fingerprint(__version__, file_identity(path), settings)[:16]}]"


def _existing(results: dict[Path, Path], endings: dict[Path, str], aligned: bool) -> list[Path]:
    """Files that results would take the place of."""
    if aligned:
        return [
            path for each, end in endings.items() if (path := output_paths.with_ending(results[each], end)).exists()
        ]
    stems = {(result.parent, result.name) for result in results.values()}
    found = []
    for folder in sorted({result.parent for result in results.values()}):
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            match = re.fullmatch(r"(.*)_(?:face\d+|x\d+)\.(?:png|jpg|tif|webp)", path.name)
            if match and (folder, match[1]) in stems:
                found.append(path)
    return found


def _report(config: ConfigDict, job: Job, upscalers: UpscalerBySize, output: Path) -> None:
    """Prints counts and what was left out.

    Raises:
      UserError: nothing could be done.
    """
    unreadable = [each.problem for each in job.entries if each.problem and not each.sha256]
    for line in itertools.chain(unreadable, job.too_large, job.writer.refused):
        print(f"skipped: {line}")
    left_out = f"unreadable: {len(unreadable)}, too large to enlarge: {len(job.too_large)}"
    if job.writer.refused:
        left_out += f", not written: {len(job.writer.refused)}"
    entries = [each for each in job.entries if not each.problem]
    rows = [row for entry in entries for row in entry.faces]
    if not entries and not job.before:
        raise UserError(f"{config.input}: nothing could be enhanced ({left_out})")
    if not rows and not config.paste_back and not job.before:
        raise UserError(
            f"{config.input}: {config.detector} found no face (pictures: {len(entries)}, {left_out}); if they are "
            "face crops already, --config.aligned=true enlarges them as they are"
        )
    without = [] if config.aligned else [each.picture for each in entries if not each.faces]
    turned = [f"{row.picture} (by {row.turned} degrees)" for row in rows if row.turned]
    for what, named in (("no face", without), ("face found in the turned picture", turned)):
        for name in named[:_MAX_NAMED]:
            print(f"{what}: {name}")
        if len(named) > _MAX_NAMED:
            print(f"{what}: {len(named) - _MAX_NAMED} more")
    if job.transparent:
        print(f"transparent pictures: {job.transparent}; their faces were cut out as they look on white")
    by_size: dict[int, list[str]] = {}
    for row in rows:
        if config.aligned or config.face_size or row.size < config.small_face:
            by_size.setdefault(row.size, []).append(Path(row.picture).name)
    for remark in upscalers.remarks(by_size):
        print(remark)
    if job.before:
        print(f"done before, and left as they are: {job.before} pictures")
    if config.aligned:
        print(f"pictures enlarged: {len(entries) - len(job.writer.refused)}, {left_out}; saved in {output}")
    else:
        written = sum(len([each for each in entry.results if "_face" in Path(each).name]) for entry in entries)
        print(f"pictures: {len(entries)}, faces: {written}, no face: {len(without)}, {left_out}; saved in {output}")
    paths = job.save()
    if job.sheet.rows:
        paths.append(output / f"{NAME}.html")
        before_after.write(paths[-1], job.sheet, CAUTION)
    for path in paths:
        print(path)
    print(CAUTION)
