"""Fine grids in flat regions: how strong a pattern that repeats with the enlargement is, beside bicubic's.

    python benchmarks/flat_regions.py --dataset ~/.cache/lowres_jax/datasets/lfw/mtcnn

A network that enlarges by transposed or shuffled pixels can leave its grid where the picture has nothing else to show.
Of the crops' flat pixels (local deviation below 3 of 255) the mean residual by position within the grid is taken over
all crops: what is left after so many is the network's own. Its deviation is 0 without a grid.
"""

import argparse
from pathlib import Path

import cv2
import numpy as np

from lowres_jax.data import resize
from lowres_jax.data.records import open_records
from lowres_jax.super_resolution.upscaler import load_upscaler

_SIZE, _BORDER, _FLAT = 128, 8, 3.0 / 255.0
_METHODS = {32: ("bicubic", "srresnet", "identity", "identity_footage"), 16: ("bicubic", "identity_x8")}


def flat_pixels(images: np.ndarray) -> np.ndarray:
    """(B, H, W, 3) -> (B, H, W) bool, whether a pixel's surroundings are flat; the border never is."""
    grey = images.mean(axis=-1)
    deviation = np.stack([cv2.blur((each - cv2.blur(each, (9, 9))) ** 2, (9, 9)) ** 0.5 for each in grey])
    inner = np.zeros(deviation.shape, bool)
    inner[:, _BORDER:-_BORDER, _BORDER:-_BORDER] = True
    return (deviation < _FLAT) & inner


def grid(images: np.ndarray, flat: np.ndarray, period: int) -> float:
    """Deviation, in levels of 255, of the mean residual by position within a grid of so many pixels."""
    grey = images.mean(axis=-1)
    residual = np.stack([each - cv2.GaussianBlur(each, (0, 0), period / 2) for each in grey])
    rows, columns = np.mgrid[: grey.shape[1], : grey.shape[2]]
    place = (rows % period) * period + columns % period
    means = [residual[:, place == each][flat[:, place == each]].mean() for each in range(period**2)]
    return float(np.std(means)) * 255.0


def main() -> None:
    """Prints a line a method."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", type=Path, required=True, help="a prepared set")
    parser.add_argument("--crops", type=int, default=256)
    arguments = parser.parse_args()
    source = open_records(arguments.dataset)
    rows = np.unique(np.linspace(0, len(source) - 1, arguments.crops).astype(int))
    crops = [crop.astype(np.float32) / 255.0 for crop in source.crops(rows)[0]]
    high = np.stack([resize.resize(crop, _SIZE, _SIZE) for crop in crops])
    flat = flat_pixels(high)
    print(f"{len(high)} crops, {100 * flat.mean():.1f} % of the pixels flat; levels of 255")
    for size, methods in _METHODS.items():
        low, scale = np.stack([resize.downscale_area(each, size, size) for each in high]), _SIZE // size
        print(f"{size} px  {'original':18s} grid {grid(high, flat, scale):.3f}")
        for name in methods:
            made = load_upscaler(name, interpolation_scale=scale)(low)
            error = np.sqrt((((made - high).mean(axis=-1))[flat] ** 2).mean()) * 255.0
            print(f"{size} px  {name:18s} grid {grid(made, flat, scale):.3f}  from the original {error:.2f}")


if __name__ == "__main__":
    main()
