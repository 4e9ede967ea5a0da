"""Text in pictures: names are not only English, and fonts do not have every letter."""

import functools

import anyascii
from matplotlib.ft2font import FT2Font
from PIL import ImageFont

from lowres_jax.utils import filenames


def drawable(text: str, font: ImageFont.FreeTypeFont) -> str:
    """Text in characters that a font has: others are written in Latin letters ("张三" as "ZhangSan")."""
    text = filenames.printable(text)
    has = _characters(str(font.path))
    return "".join(each if ord(each) in has or each.isspace() else anyascii.anyascii(each) for each in text)


@functools.cache
def _characters(font_file: str) -> frozenset[int]:
    return frozenset(FT2Font(font_file).get_charmap())
