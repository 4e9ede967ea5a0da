"""Enlarges the faces of photographs, alone or within the enlarged photograph; or aligned crops as they are."""

import collections
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from ml_collections import ConfigDict
from PIL import Image
from tqdm import tqdm

from lowres_jax.data import images
from lowres_jax.errors import UserError
from lowres_jax.files import write_atomically
from lowres_jax.interruption import interruptible
from lowres_jax.localization import align, paste
from lowres_jax.localization.detector import Detector, Face, load_detector
from lowres_jax.super_resolution import tiling
from lowres_jax.super_resolution.upscaler import Upscaler, load_upscaler

# An enlarged photograph of so many pixels takes 1.2 GB as bytes: a 24-megapixel photograph at x4.
_MAX_ENLARGED_PIXELS = 400_000_000
# Photographs that are searched for faces together hold no more pixels than this: 400 MB as float32.
_MAX_PENDING_PIXELS = 32_000_000
# Aligned crops of so many sizes get a program each; what comes in yet another size is padded to a few common ones.
_MAX_EXACT_SIZES = 16

_MAX_NAMED = 20  # pictures without a face


@dataclass
class _Counts:
    """What happened; printed at the end."""

    pictures: int = 0
    faces: int = 0
    without_face: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    too_large: list[str] = field(default_factory=list)


def run(config: ConfigDict, workdir: Path) -> None:
    """Enhances `config.input` into `config.output`; `workdir` is not used.

    Raises:
      UserError: a setting is wrong, or not one picture could be enhanced.
    """
    if not config.input or not config.output:
        missing = "input=FILE|DIR" if not config.input else "output=DIR"
        raise UserError(f"config.{missing.split('=')[0]} is empty: give --config.{missing}")
    source, output = Path(config.input), Path(config.output)
    if output.exists() and not output.is_dir():
        raise UserError(f"config.output={output}: is a file; give a folder")
    paths = images.list_images(source)
    results = _result_names(paths, source, output)
    _check_output(source, output, results, config.aligned)
    upscaler = load_upscaler(config.upscaler, config.weights)
    tiling.check(config.tile, config.overlap)
    if config.batch_size < 1 or config.face_size < 0:
        raise UserError("config.batch_size must be at least 1, config.face_size at least 0")
    detector = None if config.aligned else load_detector(config.detector)
    background = _background(config, upscaler) if config.paste_back else None
    counts = _Counts()
    with tqdm(total=len(paths), unit="picture", desc=f"enhance with {upscaler.name}") as bar:
        if detector is None:
            _enhance_aligned(config, upscaler, results, counts, bar)
        else:
            _enhance_photographs(config, detector, upscaler, background, results, counts, bar)
    _report(config, counts, output)


def _result_names(paths: list[Path], source: Path, output: Path) -> dict[Path, Path]:
    """Picture -> the path of its results without ending, in the same subfolder below the output folder.

    Pictures that differ by their ending only (a.jpg, a.png) keep it in the name.
    """
    root = source if source.is_dir() else source.parent
    names = {path: path.parent / path.stem for path in paths}
    while True:
        uses = collections.Counter(names.values())
        clashing = [path for path, name in names.items() if uses[name] > 1 and name != path]
        if not clashing:
            return {path: output / name.relative_to(root) for path, name in names.items()}
        names.update({path: path for path in clashing})


def _check_output(source: Path, output: Path, results: dict[Path, Path], aligned: bool) -> None:
    """Refuses an output that would overwrite pictures, or that a second run would take for pictures."""
    resolved = output.resolve()
    if source.is_dir() and (resolved == source.resolve() or source.resolve() in resolved.parents):
        raise UserError(f"config.output={output}: is the input folder or inside it; give a folder beside it")
    if aligned:
        originals = {path.resolve() for path in results}
        for result in results.values():
            if _with_ending(result, ".png").resolve() in originals:
                raise UserError(
                    f"config.output={output}: {result.name}.png there is an input picture; give another folder"
                )


def _with_ending(result: Path, ending: str) -> Path:
    # Not `with_suffix`, which would cut "a.b" to "a".
    return result.parent / (result.name + ending)


def _read(path: Path, counts: _Counts, bar: tqdm) -> np.ndarray | None:
    """A picture, or None after it was counted as unreadable."""
    try:
        return images.read_image(path)
    except images.UnreadableImageError as error:
        counts.unreadable.append(str(error))
        bar.update()
        return None


def _enhance_aligned(
    config: ConfigDict, upscaler: Upscaler, results: dict[Path, Path], counts: _Counts, bar: tqdm
) -> None:
    """Enlarges every picture as it is, those of one size together."""
    waiting: dict[tuple[int, ...], list[tuple[Path, np.ndarray]]] = {}
    sizes: set[tuple[int, ...]] = set()

    def flush(shape: tuple[int, ...]) -> None:
        group = waiting.pop(shape)
        if shape in sizes:
            enlarged = list(upscaler(np.stack([image for _, image in group])))
        else:
            enlarged = tiling.upscale_each(upscaler, [image for _, image in group], config.tile, config.overlap)
        for (path, _), image in zip(group, enlarged, strict=True):
            images.write_image(_with_ending(results[path], ".png"), image)
            counts.pictures += 1
            bar.update()

    for path in interruptible(results):
        image = _read(path, counts, bar)
        if image is None or _too_large(image, path, upscaler.scale, counts, bar):
            continue
        if len(sizes) < _MAX_EXACT_SIZES and max(image.shape[:2]) <= config.tile:
            sizes.add(image.shape)
        waiting.setdefault(image.shape, []).append((path, image))
        if len(waiting[image.shape]) >= config.batch_size or image.shape not in sizes:
            flush(image.shape)
    for shape in interruptible(list(waiting)):
        flush(shape)


def _enhance_photographs(
    config: ConfigDict,
    detector: Detector,
    upscaler: Upscaler,
    background: Upscaler | None,
    results: dict[Path, Path],
    counts: _Counts,
    bar: tqdm,
) -> None:
    """Finds, cuts and enlarges the faces of every picture; pastes them back where there is a background for them."""
    for chunk in _chunks(_readable(results, counts, bar), config.batch_size):
        found = detector.detect_batch([image for _, image in chunk])
        for (path, image), faces in interruptible(zip(chunk, found, strict=True)):
            # From left to right, so that numbers can be matched with the picture.
            faces = sorted(faces, key=lambda face: float(face.box[0]))
            enlarged = _enlarge_faces(config, upscaler, image, faces)
            for number, (crop, _, _) in enumerate(enlarged, start=1):
                images.write_image(_with_ending(results[path], f"_face{number}.png"), crop)
            if background is not None and not _too_large(image, path, background.scale, counts, None):
                photograph = _enlarge_photograph(config, background, image, path.name)
                for crop, matrix, _ in sorted(enlarged, key=lambda item: item[2].score):
                    paste.paste(photograph, crop, paste.enlarged_transform(matrix, upscaler.scale))
                with write_atomically(_with_ending(results[path], f"_x{background.scale}.png")) as file:
                    Image.fromarray(photograph).save(file, format="PNG")
            counts.pictures += 1
            counts.faces += len(faces)
            if not faces:
                counts.without_face.append(str(path))
            bar.update()


def _background(config: ConfigDict, upscaler: Upscaler) -> Upscaler:
    """What enlarges the photograph around the faces."""
    if not config.background or config.background == upscaler.name:
        return upscaler
    background = load_upscaler(config.background, interpolation_scale=upscaler.scale)
    if background.scale != upscaler.scale:
        raise UserError(
            f"config.background={background.name} enlarges x{background.scale}, config.upscaler={upscaler.name} "
            f"x{upscaler.scale}: both must be the same; bicubic follows the upscaler"
        )
    return background


def _readable(results: dict[Path, Path], counts: _Counts, bar: tqdm) -> Iterator[tuple[Path, np.ndarray]]:
    for path in interruptible(results):
        image = _read(path, counts, bar)
        if image is not None:
            yield path, image


def _chunks(pictures: Iterator[tuple[Path, np.ndarray]], batch_size: int) -> Iterator[list[tuple[Path, np.ndarray]]]:
    """Pictures in groups that are bounded by number and by memory."""
    chunk: list[tuple[Path, np.ndarray]] = []
    for path, image in pictures:
        pixels = sum(other.shape[0] * other.shape[1] for _, other in chunk) + image.shape[0] * image.shape[1]
        if chunk and (len(chunk) == batch_size or pixels > _MAX_PENDING_PIXELS):
            yield chunk
            chunk = []
        chunk.append((path, image))
    if chunk:
        yield chunk


def _enlarge_faces(
    config: ConfigDict, upscaler: Upscaler, image: np.ndarray, faces: list[Face]
) -> list[tuple[np.ndarray, np.ndarray, Face]]:
    """(enlarged aligned crop, matrix photograph -> crop before the enlargement, face) for each face."""
    sizes = [config.face_size or paste.native_size(face, image.shape) for face in faces]
    crops = [paste.cut_face(image, face, size) for face, size in zip(faces, sizes, strict=True)]
    matrices = [align.crop_transform(face, image.shape, size) for face, size in zip(faces, sizes, strict=True)]
    enlarged = tiling.upscale_each(upscaler, crops, config.tile, config.overlap)
    return list(zip(enlarged, matrices, faces, strict=True))


def _enlarge_photograph(config: ConfigDict, background: Upscaler, image: np.ndarray, name: str) -> np.ndarray:
    """The whole photograph, uint8, band by band."""
    scale = background.scale
    photograph = np.empty((image.shape[0] * scale, image.shape[1] * scale, 3), np.uint8)
    top = 0
    with tqdm(total=image.shape[0], unit="row", desc=f"  {name}", leave=False, disable=None) as bar:
        for band in interruptible(tiling.upscale_bands(background, image, config.tile, config.overlap)):
            photograph[top : top + len(band)] = images.to_uint8(band)
            top += len(band)
            bar.update(len(band) // scale)
    return photograph


def _too_large(image: np.ndarray, path: Path, scale: int, counts: _Counts, bar: tqdm | None) -> bool:
    """Whether a picture is too large to enlarge as a whole; it is counted then."""
    pixels = image.shape[0] * image.shape[1] * scale**2
    if pixels <= _MAX_ENLARGED_PIXELS:
        return False
    counts.too_large.append(
        f"{path}: would have {pixels / 1e6:,.0f} megapixels enlarged x{scale}, over {_MAX_ENLARGED_PIXELS / 1e6:,.0f}; "
        "shrink or cut it first"
    )
    if bar is not None:
        bar.update()
    return True


def _report(config: ConfigDict, counts: _Counts, output: Path) -> None:
    """Prints counts and what was left out; raises where nothing could be done."""
    for line in itertools.chain(counts.unreadable, counts.too_large):
        print(f"skipped: {line}")
    left_out = f"unreadable: {len(counts.unreadable)}, too large to enlarge: {len(counts.too_large)}"
    if not counts.pictures:
        raise UserError(f"{config.input}: nothing could be enhanced ({left_out})")
    if config.aligned:
        print(f"pictures enlarged: {counts.pictures}, {left_out}; saved in {output}")
        return
    if not counts.faces and not config.paste_back:
        raise UserError(
            f"{config.input}: {config.detector} found no face (pictures: {counts.pictures}, {left_out}); if they are "
            "face crops already, --config.aligned=true enlarges them as they are"
        )
    for name in counts.without_face[:_MAX_NAMED]:
        print(f"no face: {name}")
    if len(counts.without_face) > _MAX_NAMED:
        print(f"no face: {len(counts.without_face) - _MAX_NAMED} more")
    print(
        f"pictures: {counts.pictures}, faces: {counts.faces}, no face: {len(counts.without_face)}, {left_out}; "
        f"saved in {output}"
    )
