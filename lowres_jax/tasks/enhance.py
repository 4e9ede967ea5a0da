"""Enlarges the faces of photographs, alone or within the enlarged photograph; or aligned crops as they are."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from ml_collections import ConfigDict
from tqdm import tqdm

from lowres_jax import config_keys
from lowres_jax.data import images, output_paths, resize
from lowres_jax.data.picture_files import find_pictures
from lowres_jax.errors import UserError
from lowres_jax.localization import align, paste, rotated_search
from lowres_jax.localization.detector import Detector, Face, load_detector
from lowres_jax.runtime.signals import interruptible
from lowres_jax.settings.enhance import KEYS
from lowres_jax.super_resolution import tiling
from lowres_jax.super_resolution.upscaler import Upscaler, UpscalerBySize, load_upscaler, load_upscaler_by_size
from lowres_jax.utils.files import RefusedNameError, try_folder

# An enlarged photograph of so many pixels takes 1.2 GB as bytes: a 24-megapixel photograph at x4.
_MAX_ENLARGED_PIXELS = 400_000_000
# Photographs are searched for faces together until they hold more pixels than this: 100 MB as float32.
_MAX_PENDING_PIXELS = 8_000_000
# Aligned crops of so many sizes get a program each; what comes in yet another size is padded to a few common ones.
_MAX_EXACT_SIZES = 16

_MAX_NAMED = 20  # pictures without a face
_LONGEST_ENDING = len("_face1000.png")


@dataclass
class _Counts:
    """What happened; printed at the end."""

    pictures: int = 0
    faces: int = 0
    without_face: list[str] = field(default_factory=list)
    turned: list[str] = field(default_factory=list)
    transparent: int = 0
    unreadable: list[str] = field(default_factory=list)
    too_large: list[str] = field(default_factory=list)
    unwritten: list[str] = field(default_factory=list)
    sizes: set[int] = field(default_factory=set)  # of the faces


def run(config: ConfigDict, workdir: Path) -> None:
    """Enhances `config.input` into `config.output`; `workdir` is not used.

    Raises:
      UserError: a setting is wrong, or not one picture could be enhanced.
    """
    config_keys.check(config, KEYS)
    source, output = Path(config.input), Path(config.output)
    if output.exists() and not output.is_dir():
        raise UserError(f"config.output={output}: is a file; give a folder")
    files = find_pictures(source)
    results = output_paths.assign(files.paths, source, output, _LONGEST_ENDING)
    output_paths.check(source, output, results, ".png" if config.aligned else "")
    upscalers = load_upscaler_by_size(config.upscaler, config.weights)
    tiling.check(config.tile, config.overlap)
    detector = None if config.aligned else load_detector(config.detector)
    background = _background(config, upscalers) if config.paste_back else None
    try_folder(output)
    for line in [*files.remarks(source), *filter(None, [upscalers.licence_remark()])]:
        print(line)
    counts = _Counts()
    with tqdm(total=len(files.paths), unit="picture", desc=f"enhance with {upscalers.names}") as bar:
        if detector is None:
            _enhance_aligned(config, upscalers, results, counts, bar)
        else:
            _enhance_photographs(config, detector, upscalers, background, results, counts, bar)
    _report(config, counts, output)
    for remark in upscalers.remarks(counts.sizes):
        print(remark)


def _read(path: Path, counts: _Counts, bar: tqdm) -> images.DecodedImage | None:
    """A picture, or None after it was counted as unreadable."""
    try:
        return images.read_picture(path)
    except images.UnreadableImageError as error:
        counts.unreadable.append(str(error))
        bar.update()
        return None


def _write(path: Path, image: np.ndarray, source: images.DecodedImage, counts: _Counts, whole: bool = True) -> bool:
    """Writes a result: gray where its picture is, with its transparency where it is the picture as a whole."""
    alpha = None
    if whole and source.alpha is not None:
        alpha = resize.resize(source.alpha, *image.shape[:2])
    if source.grey:
        image = images.to_grey(image) if image.dtype != np.uint8 else images.to_uint8(images.to_grey(image / 255.0))
    try:
        images.write_image(path, image, alpha)
    except RefusedNameError as error:
        counts.unwritten.append(str(error))
        return False
    return True


def _enhance_aligned(
    config: ConfigDict, upscalers: UpscalerBySize, results: dict[Path, Path], counts: _Counts, bar: tqdm
) -> None:
    """Enlarges every picture as it is, those of one size together."""
    waiting: dict[tuple[int, ...], list[tuple[Path, images.DecodedImage]]] = {}
    sizes: set[tuple[int, ...]] = set()

    def flush(shape: tuple[int, ...]) -> None:
        group, upscaler = waiting.pop(shape), upscalers.of(max(shape[:2]))
        if shape in sizes:
            enlarged = list(upscaler(np.stack([picture.rgb for _, picture in group])))
        else:
            pictures = [picture.rgb for _, picture in group]
            enlarged = tiling.upscale_each(upscaler, pictures, config.tile, config.overlap)
        for (path, picture), image in zip(group, enlarged, strict=True):
            counts.pictures += _write(output_paths.with_ending(results[path], ".png"), image, picture, counts)
            bar.update()

    for path in interruptible(results):
        picture = _read(path, counts, bar)
        if picture is None:
            continue
        shape = picture.rgb.shape
        size = max(shape[:2])
        if _too_large(picture.rgb, path, upscalers.of(size).scale, counts, bar):
            continue
        counts.sizes.add(size)
        if len(sizes) < _MAX_EXACT_SIZES and size <= config.tile:
            sizes.add(shape)
        waiting.setdefault(shape, []).append((path, picture))
        if len(waiting[shape]) >= config.batch_size or shape not in sizes:
            flush(shape)
    for shape in interruptible(list(waiting)):
        flush(shape)


def _enhance_photographs(
    config: ConfigDict,
    detector: Detector,
    upscalers: UpscalerBySize,
    background: Upscaler | None,
    results: dict[Path, Path],
    counts: _Counts,
    bar: tqdm,
) -> None:
    """Finds, cuts and enlarges the faces of every picture; pastes them back where there is a background for them."""
    for chunk in _chunks(_readable(results, counts, bar), config.batch_size):
        found = rotated_search.detect(detector, [picture.on_white() for _, picture in chunk], config.look_again)
        for (path, picture), faces in interruptible(zip(chunk, found, strict=True)):
            _enhance_photograph(config, upscalers, background, path, picture, faces, results[path], counts)
            bar.update()
            del picture
        chunk.clear()  # before the next is read


def _enhance_photograph(
    config: ConfigDict,
    upscalers: UpscalerBySize,
    background: Upscaler | None,
    path: Path,
    picture: images.DecodedImage,
    faces: list[Face],
    result: Path,
    counts: _Counts,
) -> None:
    """Cuts and enlarges the faces of one picture, and the picture where there is a background for them."""
    image = picture.on_white()
    # From left to right, so that numbers can be matched with the picture.
    faces = sorted(faces, key=lambda face: float(face.box[0]))
    enlarged = _enlarge_faces(config, upscalers, image, faces)
    counts.sizes |= {size for _, size, _ in enlarged}
    for number, (crop, _, _) in enumerate(enlarged, start=1):
        name = output_paths.with_ending(result, f"_face{number}.png")
        counts.faces += _write(name, crop, picture, counts, whole=False)
    if background is not None and not _too_large(image, path, background.scale, counts, None):
        photograph = _enlarge_photograph(config, background, picture.rgb, path.name)
        scale = background.scale
        for crop, size, face in sorted(enlarged, key=lambda item: item[2].score):
            # A face may have been enlarged more than its photograph is.
            crop = resize.resize(crop, size * scale, size * scale)
            matrix = align.crop_transform(face, image.shape, size)
            paste.paste(photograph, crop, paste.enlarged_transform(matrix, scale))
        _write(output_paths.with_ending(result, f"_x{background.scale}.png"), photograph, picture, counts)
    counts.pictures += 1
    counts.transparent += bool(faces) and picture.alpha is not None
    if not faces:
        counts.without_face.append(str(path))
    elif faces[0].turned:
        counts.turned.append(f"{path} (by {faces[0].turned} degrees)")


def _background(config: ConfigDict, upscalers: UpscalerBySize) -> Upscaler:
    """What enlarges the photograph around the faces: of several upscalers the one for the largest."""
    upscaler = max(upscalers.members, key=lambda each: each.made_for)
    if not config.background or config.background == upscaler.name:
        return upscaler
    background = load_upscaler(config.background, interpolation_scale=upscaler.scale)
    if background.scale != upscaler.scale:
        raise UserError(
            f"config.background={background.name} enlarges x{background.scale}, config.upscaler={upscaler.name} "
            f"x{upscaler.scale}: both must be the same; bicubic follows the upscaler"
        )
    return background


def _readable(results: dict[Path, Path], counts: _Counts, bar: tqdm) -> Iterator[tuple[Path, images.DecodedImage]]:
    for path in interruptible(results):
        picture = _read(path, counts, bar)
        if picture is not None:
            yield path, picture
        # Of large photographs the last one is not to be in memory while the next is read.
        del picture


def _chunks(
    pictures: Iterator[tuple[Path, images.DecodedImage]], batch_size: int
) -> Iterator[list[tuple[Path, images.DecodedImage]]]:
    """Pictures in groups that are bounded by number and by memory."""
    chunk: list[tuple[Path, images.DecodedImage]] = []
    pixels = 0
    for path, picture in pictures:
        chunk.append((path, picture))
        pixels += picture.rgb.shape[0] * picture.rgb.shape[1]
        del picture
        # A large one does not wait for another: two would be in memory.
        if len(chunk) == batch_size or pixels > _MAX_PENDING_PIXELS:
            yield chunk
            chunk, pixels = [], 0
    if chunk:
        yield chunk


def _enlarge_faces(
    config: ConfigDict, upscalers: UpscalerBySize, image: np.ndarray, faces: list[Face]
) -> list[tuple[np.ndarray, int, Face]]:
    """(enlarged aligned crop, its side before the enlargement, face) for each face."""
    sizes = [config.face_size or paste.native_size(face, image.shape) for face in faces]
    crops = [paste.cut_face(image, face, size) for face, size in zip(faces, sizes, strict=True)]
    enlarged: list[np.ndarray] = [np.empty(0)] * len(faces)
    for upscaler in upscalers.members:
        own = [number for number, size in enumerate(sizes) if upscalers.of(size) is upscaler]
        results = tiling.upscale_each(upscaler, [crops[number] for number in own], config.tile, config.overlap)
        for number, result in zip(own, results, strict=True):
            enlarged[number] = result
    return list(zip(enlarged, sizes, faces, strict=True))


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
    for line in itertools.chain(counts.unreadable, counts.too_large, counts.unwritten):
        print(f"skipped: {line}")
    left_out = f"unreadable: {len(counts.unreadable)}, too large to enlarge: {len(counts.too_large)}"
    if counts.unwritten:
        left_out += f", not written: {len(counts.unwritten)}"
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
    for what, named in (("no face", counts.without_face), ("face found in the turned picture", counts.turned)):
        for name in named[:_MAX_NAMED]:
            print(f"{what}: {name}")
        if len(named) > _MAX_NAMED:
            print(f"{what}: {len(named) - _MAX_NAMED} more")
    if counts.transparent:
        print(f"transparent pictures: {counts.transparent}; their faces were cut out as they look on white")
    print(
        f"pictures: {counts.pictures}, faces: {counts.faces}, no face: {len(counts.without_face)}, {left_out}; "
        f"saved in {output}"
    )
