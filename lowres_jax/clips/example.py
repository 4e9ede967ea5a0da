"""A short clip made of photographs: two people who cross, small, noisy and compressed, as a cheap camera has them.

    python -m lowres_jax.pretrained.fetch portraits
    python -m lowres_jax.clips.example FOLDER

makes FOLDER/walk.mp4 of two of the credited portraits, and FOLDER/known of others: of one of the two people, and of two
who are not in the clip.
"""

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from lowres_jax.clips.reading import Frame
from lowres_jax.clips.writing import writing
from lowres_jax.data import images
from lowres_jax.errors import UserError
from lowres_jax.pretrained.weights import fetched_folder
from lowres_jax.runtime import cli

SIZE, RATE = (640, 360), 25.0
_WALKING = ("person_a_2.jpg", "person_b_2.jpg")
_KNOWN = {"person_a": "person_a_1.jpg", "impostor_1": "impostor_1.jpg", "impostor_2": "impostor_2.jpg"}


def frames(
    photographs: Sequence[np.ndarray], seconds: float, height: int = 120, noise: float = 6.0, seed: int = 0
) -> list[np.ndarray]:
    """Frames (360, 640, 3) uint8 RGB on which the photographs move from one side to the other, every second one back.

    Args:
      photographs: (H, W, 3) float32 RGB in [0, 1].
      seconds: length.
      height: height of the photographs in the frames, in pixels; the face takes a third of it.
      noise: deviation of the noise, of 255.
      seed: seed of the noise.
    """
    generator = np.random.default_rng(seed)
    width_of_frame, height_of_frame = SIZE
    wall = np.linspace(150.0, 90.0, height_of_frame, dtype=np.float32)[:, None, None] * np.ones((1, width_of_frame, 3))
    small = [
        cv2.resize(each, (round(height * each.shape[1] / each.shape[0]), height), interpolation=cv2.INTER_AREA)
        for each in photographs
    ]
    count = round(seconds * RATE)
    frames = []
    for number in range(count):
        frame = wall.astype(np.float32).copy()
        for place, picture in enumerate(small):
            share = number / max(count - 1, 1)
            share = 1.0 - share if place % 2 else share
            # Walking: across, and a little up and down.
            left = 20.0 + share * (width_of_frame - picture.shape[1] - 40)
            top = 40.0 + place * 110 + 4.0 * np.sin(2 * np.pi * number / 12)
            matrix = np.asarray([[1.0, 0.0, left], [0.0, 1.0, top]])
            inside = cv2.warpAffine(np.ones(picture.shape[:2], np.float32), matrix, SIZE)[..., None]
            frame = frame * (1.0 - inside) + 255.0 * cv2.warpAffine(picture, matrix, SIZE)
        frame += generator.normal(0.0, noise, frame.shape)
        frames.append(np.clip(np.round(frame), 0, 255).astype(np.uint8))
    return frames


def write(path: Path, frames: Sequence[np.ndarray]) -> None:
    """Writes frames as a clip of 25 a second, each compressed as JPEG of quality 60 before.

    Raises:
      UserError: the file cannot be written.
    """
    with writing(path, RATE) as add:
        for number, pixels in enumerate(frames):
            _, encoded = cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 60])
            decoded = cv2.imdecode(encoded, cv2.IMREAD_COLOR)
            assert decoded is not None
            seen = decoded[..., ::-1]
            add(Frame(number, number / RATE, seen), seen)


def main() -> None:
    """Makes the clip that the command line asks for."""
    if len(sys.argv) != 2:
        raise UserError("usage: python -m lowres_jax.clips.example FOLDER")
    folder, portraits = Path(sys.argv[1]), fetched_folder("portraits")
    try:
        photographs = [images.read_image(portraits / name) for name in _WALKING]
        (folder / "known").mkdir(parents=True, exist_ok=True)
        for person, name in _KNOWN.items():
            shutil.copy(portraits / name, folder / "known" / f"{person}.jpg")
    except (images.UnreadableImageError, OSError) as error:
        raise UserError(f"{error}; python -m lowres_jax.pretrained.fetch portraits fetches the portraits") from error
    write(folder / "walk.mp4", frames(photographs, seconds=6.0))
    print(folder / "walk.mp4")


if __name__ == "__main__":
    cli.run(main)
