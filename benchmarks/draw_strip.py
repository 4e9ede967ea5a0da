"""Draws the README's strip: a face, small, enlarged, with its likeness to another photograph of the person.

    pip install 'lowres-jax[judges]' && python -m lowres_jax.pretrained.fetch dlib portraits
    python benchmarks/draw_strip.py docs/images/strip.png

dlib is asked, which no model here was trained against: the cosine of the two templates. One face shows what is meant,
and no more; docs/results.md has all of LFW.
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from lowres_jax.data import images
from lowres_jax.data.degradations import low_resolution
from lowres_jax.localization.align import crop_face
from lowres_jax.localization.detector import choose, load_detector
from lowres_jax.pretrained.weights import find_fetched_file
from lowres_jax.recognition.recognizer import load_recognizer
from lowres_jax.super_resolution.upscaler import enlarge_to, load_upscaler

SIDE, GAP, LINE = 160, 8, 18
KNOWN, SHOWN = "person_b_1.jpg", "person_b_2.jpg"
MODELS = {32: "identity", 16: "identity_x8"}


def crop(name: str) -> np.ndarray:
    """The aligned face of a portrait, (1, 128, 128, 3)."""
    picture = images.read_image(find_fetched_file("portraits", name))
    return crop_face(picture, choose(load_detector("mtcnn").detect(picture), picture.shape))[None]


def main() -> None:
    """Writes the picture."""
    judge = load_recognizer(sys.argv[2] if len(sys.argv) > 2 else "dlib")
    known, high = crop(KNOWN), crop(SHOWN)
    wanted = judge.templates(known)[0]
    sheet = Image.new("RGB", (5 * (SIDE + GAP) + GAP, 2 * (SIDE + 2 * LINE + GAP) + GAP), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    for row, (size, model) in enumerate(MODELS.items()):
        low = low_resolution(high, size)
        columns = {"known picture": known, f"{size} px": low}
        columns |= {f"{name}": enlarge_to(load_upscaler(name), low, 128) for name in ("bicubic", model)}
        columns["original"] = high
        top = GAP + row * (SIDE + 2 * LINE + GAP)
        for column, (title, face) in enumerate(columns.items()):
            left = GAP + column * (SIDE + GAP)
            small = face.shape[1] < 128
            way = Image.Resampling.NEAREST if small else Image.Resampling.LANCZOS
            sheet.paste(Image.fromarray(images.to_uint8(face[0])).resize((SIDE, SIDE), way), (left, top + LINE))
            draw.text((left, top), title, "black", font)
            if not small and column:
                likeness = float(judge.templates(face)[0] @ wanted)
                draw.text((left, top + LINE + SIDE + 2), f"likeness {likeness:.3f}", "black", font)
    sheet.save(Path(sys.argv[1]), optimize=True)


if __name__ == "__main__":
    main()
