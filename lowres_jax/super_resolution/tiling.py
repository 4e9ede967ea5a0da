"""Pictures of any size through a network that is compiled for one tile, without seams and with constant memory.

Neighboring tiles share `overlap` pixels. Three eighths of them at each tile's edge, where the network sees its own
padding instead of the picture, are thrown away; over the quarter between, one tile fades linearly into the next. Where
three eighths of the overlap exceed the network's reach, the result is the whole picture's own. Tiles of 128 that share
32 pixels differ from the whole picture by at most, in levels of 255: SRResNet, EDSR .01; SRGAN .1; ESRGAN, which
reaches furthest, 2.9 (99.9 % of its values by less than .6).
"""

import os
from collections.abc import Iterator, Sequence

import jax
import numpy as np
from jaxtyping import Float, Shaped

from lowres_jax.errors import UserError
from lowres_jax.runtime.signals import interruptible
from lowres_jax.super_resolution.upscaler import Upscaler

_SMALLEST_SIDE = 16
# A picture that is longer than a tile by no more than half goes through the network whole: four tiles hold twice as
# many pixels.
_WHOLE = 1.5
# Of one device: an accelerator wants to be filled; a CPU is quickest while activations stay in its cache.
_PIXELS_AT_ONCE = {True: 128**2, False: 32 * 128**2}
# Bilinear and bicubic look two pixels far. Strips of so many rows of a wide picture fit into memory easily.
_INTERPOLATION_REACH, _STRIP_ROWS = 4, 64


def upscale_tiled(
    upscaler: Upscaler, image: Float[np.ndarray, "H W 3"], tile: int = 128, overlap: int = 32
) -> Float[np.ndarray, "_ _ 3"]:
    """Enlarges one picture of any size.

    Args:
      upscaler: any.
      image: (H, W, 3) float32 RGB in [0, 1].
      tile: side of a tile in pixels of the picture.
      overlap: smallest number of pixels that neighboring tiles share, from 0 to half a tile.

    Returns:
      (scale * H, scale * W, 3) float32 RGB in [0, 1].

    Raises:
      UserError: tile and overlap do not go together.
    """
    return np.concatenate(list(upscale_bands(upscaler, image, tile, overlap)))


def upscale_bands(
    upscaler: Upscaler, image: Shaped[np.ndarray, "rows _ 3"], tile: int = 128, overlap: int = 32
) -> Iterator[np.ndarray]:
    """`upscale_tiled` as a stream of finished bands, (rows, scale * W, 3) each, from top to bottom."""
    check(tile, overlap)
    if not upscaler.card.weights:
        yield from _interpolated_bands(upscaler, image)
        return
    height, width = image.shape[:2]
    scale, rows, columns = upscaler.scale, tile_side(height, tile, overlap), tile_side(width, tile, overlap)
    padding = ((0, max(rows - height, 0)), (0, max(columns - width, 0)), (0, 0))
    image = np.pad(np.asarray(image, np.float32), padding, mode="edge")
    tops = tile_starts(height, rows, overlap)
    row_weights = tile_weights(tops, rows, overlap, scale)
    lefts = tile_starts(width, columns, overlap)
    column_weights = tile_weights(lefts, columns, overlap, scale)
    # Rows that the band above has begun and this one completes.
    begun = np.zeros((0, image.shape[1] * scale, 3), np.float32)
    for number, top in enumerate(tops):
        band = np.zeros((rows * scale, image.shape[1] * scale, 3), np.float32)
        band[: len(begun)] = begun
        strips = [image[top : top + rows, left : left + columns] for left in lefts]
        for left, weights, enlarged in zip(lefts, column_weights, _upscale_tiles(upscaler, strips), strict=True):
            place = slice(left * scale, (left + columns) * scale)
            band[:, place] += enlarged * (row_weights[number][:, None] * weights)[..., None]
        last = number == len(tops) - 1
        finished = height * scale - top * scale if last else (tops[number + 1] - top) * scale
        begun = band[finished:]
        # The weights sum to one only up to rounding.
        yield np.clip(band[:finished, : width * scale], 0.0, 1.0)


def upscale_each(
    upscaler: Upscaler, images: Sequence[np.ndarray], tile: int = 128, overlap: int = 32
) -> list[np.ndarray]:
    """Enlarges pictures of different sizes; those that fit into one tile go in batches of few shapes.

    Args:
      upscaler: any.
      images: (H, W, 3) float32 RGB in [0, 1] each.
      tile: see `upscale_tiled`.
      overlap: see `upscale_tiled`.

    Returns:
      (scale * H, scale * W, 3) float32 RGB in [0, 1] for each, in order.

    Raises:
      UserError: tile and overlap do not go together.
    """
    check(tile, overlap)
    results: list[np.ndarray] = [np.empty(0)] * len(images)
    shapes: dict[tuple[int, int], list[int]] = {}
    for number, image in enumerate(images):
        height, width = image.shape[:2]
        if max(height, width) > _WHOLE * tile:
            results[number] = upscale_tiled(upscaler, image, tile, overlap)
        else:
            shapes.setdefault((_whole_side(height), _whole_side(width)), []).append(number)
    for (rows, columns), numbers in shapes.items():
        padded = [
            np.pad(image, ((0, rows - image.shape[0]), (0, columns - image.shape[1]), (0, 0)), mode="edge")
            for image in (images[number] for number in numbers)
        ]
        for number, enlarged in zip(numbers, _upscale_tiles(upscaler, padded), strict=True):
            height, width = images[number].shape[:2]
            results[number] = enlarged[: height * upscaler.scale, : width * upscaler.scale]
    return results


def tile_side(length: int, tile: int, overlap: int) -> int:
    """Side of the tiles along an axis: `tile`, or less where as few pixels go through the network so.

    A picture of 140 pixels takes two tiles of 96 instead of two of 128. Of long ones every shape would be compiled to
    save little.
    """
    if length > 2 * tile:
        return tile
    largest = min(_whole_side(length), tile)
    several = range(max(_whole_side(2 * overlap), _SMALLEST_SIDE), min(length, tile), _SMALLEST_SIDE)
    return min([*several, largest], key=lambda side: (side * len(tile_starts(length, side, overlap)), -side))


def _whole_side(length: int) -> int:
    """Side of the tile that holds an axis as a whole, of few: each shape is compiled once."""
    step = 16 if length <= 64 else 32
    return -(-length // step) * step


def tile_starts(length: int, tile: int, overlap: int) -> list[int]:
    """First pixels of evenly spaced tiles that cover an axis and share at least `overlap` pixels each."""
    if length <= tile:
        return [0]
    count = -(-(length - overlap) // (tile - overlap))
    return [round(number * (length - tile) / (count - 1)) for number in range(count)]


def tile_weights(starts: Sequence[int], tile: int, overlap: int, scale: int) -> Float[np.ndarray, "tiles length"]:
    """Weights of each tile along an axis, on the enlarged grid; wherever tiles overlap they sum to one.

    Args:
      starts: starts of the tiles.
      tile: side of a tile.
      overlap: pixels that tiles share at least; the fade is a quarter as long, in the middle of what two share.
      scale: enlargement.

    Returns:
      (tiles, scale * tile) float32.
    """
    within = (np.arange(tile * scale) + 0.5) / scale
    weights = np.ones((len(starts), tile * scale))
    for number in range(1, len(starts)):
        middle = (starts[number] + starts[number - 1] + tile) / 2
        for one, sign in ((number - 1, -1.0), (number, 1.0)):
            distance = starts[one] + within - middle
            fade = np.clip(distance / (overlap / 4) + 0.5, 0.0, 1.0) if overlap else np.heaviside(distance, 1.0)
            # As a difference of fades the weights of three tiles that share a pixel sum to one as well.
            weights[one] = weights[one] - fade if sign < 0 else weights[one] - (1.0 - fade)
    return weights.astype(np.float32)


def check(tile: int, overlap: int) -> None:
    """Raises UserError where tile and overlap do not go together."""
    if tile < _SMALLEST_SIDE or not 0 <= overlap <= tile // 2:
        raise UserError(
            f"tiles of {tile} pixels that share {overlap}: a tile has at least {_SMALLEST_SIDE} pixels, "
            "and tiles share from 0 to half of them"
        )


def _interpolated_bands(upscaler: Upscaler, image: np.ndarray) -> Iterator[np.ndarray]:
    """`upscale_bands` without a network, in strips as wide as the picture: ten times as quick as by tiles."""
    height, scale = image.shape[0], upscaler.scale
    for top in range(0, height, _STRIP_ROWS):
        above, below = max(top - _INTERPOLATION_REACH, 0), min(top + _STRIP_ROWS + _INTERPOLATION_REACH, height)
        band = upscaler(np.asarray(image[None, above:below], np.float32))[0]
        yield band[(top - above) * scale : (min(top + _STRIP_ROWS, height) - above) * scale]


def _upscale_tiles(upscaler: Upscaler, tiles: list[np.ndarray]) -> Iterator[np.ndarray]:
    """Enlarges tiles of one shape in groups that fit into memory and fill the devices."""
    on_cpu, devices = jax.default_backend() == "cpu", jax.local_device_count()
    if on_cpu:
        devices = min(devices, os.cpu_count() or 1)
    room = _PIXELS_AT_ONCE[on_cpu] * devices // (tiles[0].shape[0] * tiles[0].shape[1])
    group = min(max(room, devices), len(tiles))
    for start in interruptible(range(0, len(tiles), group)):
        batch = np.stack(tiles[start : start + group])
        padding = [(0, group - len(batch))] + [(0, 0)] * 3
        yield from upscaler(np.pad(batch, padding))[: len(batch)]
