"""Faces of photographs, and photographs around them, enlarged."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Shaped, UInt8
from tqdm import tqdm

from lowres_jax.data import images, resize
from lowres_jax.data.images import DecodedImage
from lowres_jax.errors import UserError
from lowres_jax.faces.quality import templates_and_lengths
from lowres_jax.localization import align, paste
from lowres_jax.localization.align import CROP_SIZE
from lowres_jax.localization.detector import Face
from lowres_jax.recognition.recognizer import Recognizer
from lowres_jax.runtime.signals import interruptible
from lowres_jax.super_resolution import tiling
from lowres_jax.super_resolution.upscaler import LARGE_FACE, Upscaler, UpscalerBySize, load_upscaler

# An enlarged photograph of so many pixels takes 1.2 GB as bytes: a 24-megapixel photograph at x4.
MAX_ENLARGED_PIXELS = 400_000_000
# Photographs are searched for faces together until they hold more pixels than this: 100 MB as float32.
_MAX_PENDING_PIXELS = 8_000_000
# A background that takes longer is announced.
_LONG_SECONDS = 30.0

Read = tuple[Path, str, DecodedImage]  # path, SHA-256, picture


@dataclass(frozen=True)
class EnlargedFace:
    """A face before and after.

    Attributes:
      face: detection in the picture; None for a picture that is a crop already.
      size: longer side of the aligned crop in pixels of the photograph.
      cut: (size, size, 3) float32, the crop.
      crop: the enlarged face, float32.
      upscaler: upscaler of the face.
    """

    face: Face | None
    size: int
    cut: np.ndarray
    crop: np.ndarray
    upscaler: Upscaler


def enlarge_faces(
    found: Sequence[tuple[np.ndarray, Face]],
    upscalers: UpscalerBySize,
    face_size: int | None,
    tile: int,
    overlap: int,
    degraded: Sequence[bool],
    large: int = LARGE_FACE,
) -> list[EnlargedFace]:
    """Cuts and enlarges faces, each by its upscaler (`for_face`), those of about one size together.

    Args:
      found: a picture, (H, W, 3) float32 RGB in [0, 1], and a face in it, for each.
      upscalers: one, or one for each size and condition.
      face_size: side of the crops before the enlargement; None: as many pixels as the picture has there.
      tile: see `tiling.upscale_tiled`.
      overlap: pixels shared by neighboring tiles, see `tiling.upscale_tiled`.
      degraded: flags, true for faces of noisy or compressed pictures.
      large: side from which faces go through no network; those that are cut to `face_size` always do.
    """
    sizes = [face_size or paste.native_size(face, image.shape) for image, face in found]
    cuts = [paste.cut_face(image, face, size) for (image, face), size in zip(found, sizes, strict=True)]
    enlarged: list[np.ndarray] = [np.empty(0)] * len(found)
    large = LARGE_FACE if face_size else large
    chosen = [upscalers.for_face(size, bad, large) for size, bad in zip(sizes, degraded, strict=True)]
    for upscaler in dict.fromkeys(chosen):
        own = [number for number, each in enumerate(chosen) if each is upscaler]
        results = tiling.upscale_each(upscaler, [cuts[number] for number in own], tile, overlap)
        for number, result in zip(own, results, strict=True):
            enlarged[number] = result
    return [
        EnlargedFace(face, size, cut, crop, upscaler)
        for (_, face), size, cut, crop, upscaler in zip(found, sizes, cuts, enlarged, chosen, strict=True)
    ]


def likeness(faces: Sequence[EnlargedFace], recognizer: Recognizer) -> list[tuple[float, float | None]]:
    """Similarity of each face to itself: cosine of the templates before, by bicubic, and after.

    A low one tells that the face became another one. A high one tells nothing: copied noise gives the highest.
    Beside it the length of the embedding after, where it is known what that means.
    """
    if not faces:
        return []
    before, after = (
        templates_and_lengths(recognizer, np.stack([resize.resize(each, CROP_SIZE, CROP_SIZE) for each in crops]))
        for crops in ([face.cut for face in faces], [face.crop for face in faces])
    )
    lengths = [None] * len(faces) if after[1] is None else [float(each) for each in after[1]]
    return [(float(value), length) for value, length in zip(np.sum(before[0] * after[0], axis=1), lengths, strict=True)]


SAME = "same"


def background_of(name: str, upscalers: UpscalerBySize) -> Upscaler:
    """The upscaler of the photograph around the faces; "same": of several upscalers the one for the largest faces.

    Raises:
      UserError: the two enlarge by different factors.
    """
    upscaler = max(upscalers.members, key=lambda each: each.made_for)
    if name in (SAME, upscaler.name):
        return upscaler
    background = load_upscaler(name, interpolation_scale=upscaler.scale)
    if background.scale != upscaler.scale:
        raise UserError(
            f"config.background={background.name} enlarges x{background.scale}, config.upscaler={upscaler.name} "
            f"x{upscaler.scale}: both must be the same; bicubic follows the upscaler"
        )
    return background


def enlarge_photograph(
    image: Shaped[np.ndarray, "H W 3"], background: Upscaler, tile: int, overlap: int, name: str
) -> UInt8[np.ndarray, "h w 3"]:
    """The whole photograph enlarged, (scale * H, scale * W, 3) uint8."""
    scale = background.scale
    photograph = np.empty((image.shape[0] * scale, image.shape[1] * scale, 3), np.uint8)
    top = 0
    with tqdm(total=image.shape[0], unit="row", desc=f"  {name}", leave=False, disable=None) as bar:
        for band in interruptible(tiling.upscale_bands(background, image, tile, overlap)):
            photograph[top : top + len(band)] = images.to_uint8(band)
            top += len(band)
            bar.update(len(band) // scale)
    return photograph


def paste_faces(photograph: Shaped[np.ndarray, "H W 3"], faces: Sequence[EnlargedFace], scale: int) -> None:
    """Pastes enlarged faces into the photograph that was enlarged by `scale`."""
    height, width = photograph.shape[0] // scale, photograph.shape[1] // scale
    found = [(each, each.face) for each in faces if each.face is not None]
    for each, face in sorted(found, key=lambda item: item[1].score):
        # A face may have been enlarged more than its photograph is.
        crop = resize.resize(each.crop, each.size * scale, each.size * scale)
        matrix = align.crop_transform(face, (height, width), each.size)
        paste.paste(photograph, crop, paste.enlarged_transform(matrix, scale))


def announcement(background: Upscaler, paths: Sequence[Path], tile: int, overlap: int) -> str:
    """Warning about the time that a background by a network takes, where it is long; "" otherwise."""
    if not background.card.weights:
        return ""
    pixels = sum(images.pixel_count(path.read_bytes()) for path in paths if path.is_file())
    example = np.zeros((1, tile, tile, 3), np.float32)
    background(example)  # compiles
    begin = time.perf_counter()
    background(example)
    seconds = (time.perf_counter() - begin) * pixels / (tile - overlap) ** 2
    if seconds < _LONG_SECONDS:
        return ""
    took = f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"
    return (
        f"{background.name} enlarges the whole photographs too, {pixels / 1e6:.1f} megapixels: about {took}; with "
        "--config.background=bicubic, the default, only the faces go through a network"
    )


def too_large(image: Shaped[np.ndarray, "H W 3"], scale: int) -> str:
    """Why a picture is too large to enlarge as a whole; "" if it is not."""
    pixels = image.shape[0] * image.shape[1] * scale**2
    if pixels <= MAX_ENLARGED_PIXELS:
        return ""
    return (
        f"would have {pixels / 1e6:,.0f} megapixels enlarged x{scale}, over {MAX_ENLARGED_PIXELS / 1e6:,.0f}; "
        "shrink or cut it first"
    )


def chunks(pictures: Iterator[Read], batch_size: int) -> Iterator[list[Read]]:
    """Pictures in groups that are bounded by number and by memory; the first comes alone, so that it is seen soon."""
    chunk: list[Read] = []
    pixels, most = 0, 1
    for path, sha256, picture in pictures:
        chunk.append((path, sha256, picture))
        pixels += picture.rgb.shape[0] * picture.rgb.shape[1]
        del picture
        # A large one does not wait for another: two would be in memory.
        if len(chunk) == most or pixels > _MAX_PENDING_PIXELS:
            yield chunk
            chunk, pixels, most = [], 0, batch_size
    if chunk:
        yield chunk
