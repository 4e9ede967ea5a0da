"""Metadata of a picture file, carried over to its results, and the mark that says how these were made.

Kept are descriptions, authors, dates, camera and exposure (EXIF), what describes the picture in XMP and IPTC's records
(`xmp`), a JPEG's comment, a PNG's texts, the resolution in dots per inch, and sRGB as the color profile where the
picture had one; where the photograph was taken only if asked for.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from PIL import ExifTags, Image, ImageCms, PngImagePlugin

from lowres_jax.data import xmp

# Tags of the first directory that do not describe how its pixels are stored (https://exiv2.org/tags.html).
_DESCRIPTION, _ARTIST, _COPYRIGHT, _DATE, _ORIENTATION = 270, 315, 33432, 306, 274
_KEPT = (_DESCRIPTION, 271, 272, 305, _DATE, _ARTIST, _COPYRIGHT, *range(40091, 40096))
_EXPOSURE, _PLACE = 0x8769, 0x8825
# Sizes, the maker's own binary block, and a pointer, which are the old file's.
_OLD_FILES = (0xA002, 0xA003, 0x927C, 0xA005)
# PNG's names of what EXIF has tags for.
_OF_PNG = {
    "Description": _DESCRIPTION,
    "Comment": _DESCRIPTION,
    "Title": _DESCRIPTION,
    "Author": _ARTIST,
    "Copyright": _COPYRIGHT,
    "Creation Time": _DATE,
}
_XMP_OF_TIFF, _RECORDS_OF_TIFF = 700, 33723
_RECORDS_OF_JPEG = 0x0404  # among Photoshop's resources
# What fits into a JPEG's segment.
_LONGEST_EXIF = 65_000
# Texts of PNG that are something else: packets, and what EXIF and profiles have as text.
_NO_TEXTS = ("XML:com.adobe.xmp", "Raw profile type ")
_LONG_TEXT = 1024  # is compressed


@dataclass(frozen=True)
class Metadata:
    """Metadata of a picture.

    Attributes:
      exif: EXIF without the place; empty for none. The picture lies upright.
      exif_with_place: the EXIF block with the place.
      dots_per_inch: horizontal and vertical; None where the file says nothing.
      profiled: true if it had a color profile.
      file_format: Pillow's name of its format.
      jpeg_quality: quality from 1 to 100, estimated from the tables of a JPEG; 0 for other formats.
      xmp: XMP packet; empty for none.
      records: IPTC-IIM records; empty for none.
      texts: (name, text) of a PNG.
      comment: comment of a JPEG or GIF; empty for none.
    """

    exif: bytes = b""
    exif_with_place: bytes = b""
    dots_per_inch: tuple[float, float] | None = None
    profiled: bool = False
    file_format: str = ""
    jpeg_quality: int = 0
    xmp: bytes = b""
    records: bytes = b""
    texts: tuple[tuple[str, str], ...] = ()
    comment: bytes = b""


def of(image: Image.Image) -> Metadata:
    """Reads what an opened picture holds; damaged parts count as missing."""
    resolution = image.info.get("dpi")
    try:
        dots = (float(resolution[0]), float(resolution[1])) if resolution else None
    except (TypeError, ValueError, ZeroDivisionError, IndexError):
        dots = None
    return Metadata(
        exif=_exif(image, place=False),
        exif_with_place=_exif(image, place=True),
        dots_per_inch=dots if dots and min(dots) > 0 else None,
        profiled=bool(image.info.get("icc_profile")),
        file_format=image.format or "",
        jpeg_quality=jpeg_quality(getattr(image, "quantization", None) or {}),
        xmp=_bytes(image.info.get("xmp") or image.info.get("XML:com.adobe.xmp") or _of_tiff(image, _XMP_OF_TIFF)),
        records=_records(image),
        texts=tuple(
            (name, str(text))
            for name, text in getattr(image, "text", {}).items()
            if isinstance(text, str) and not name.startswith(_NO_TEXTS)
        ),
        comment=_bytes(image.info.get("comment")),
    )


def _bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else value.encode() if isinstance(value, str) else b""


def _of_tiff(image: Image.Image, tag: int) -> Any:
    try:
        return getattr(image, "tag_v2", {}).get(tag)
    # A damaged entry counts as missing.
    except Exception:
        return None


def _records(image: Image.Image) -> bytes:
    resources = image.info.get("photoshop")
    found = resources.get(_RECORDS_OF_JPEG) if isinstance(resources, dict) else _of_tiff(image, _RECORDS_OF_TIFF)
    return _bytes(found)


def _as_stored(value: Any) -> Any:
    """A text as the bytes that EXIF has: Pillow reads these as Latin-1, and writes other than ASCII as "?"."""
    if not isinstance(value, str) or value.isascii():
        return value
    try:
        return value.encode("latin-1")
    except UnicodeEncodeError:
        return value.encode("utf-8")


def _exif(image: Image.Image, place: bool) -> bytes:
    # Every kind of damage that cameras and editors leave in EXIF: the picture is worth more than its description.
    try:
        found, kept = image.getexif(), Image.Exif()
        for tag in _KEPT:
            if tag in found:
                kept[tag] = _as_stored(found[tag])
        for name, tag in _OF_PNG.items():
            text = image.info.get(name)
            if isinstance(text, str) and tag not in kept:
                kept[tag] = text if text.isascii() else text.encode("utf-8")
        for directory in (_EXPOSURE, *([_PLACE] if place else [])):
            every = found.get_ifd(directory).items()
            entries = {tag: _as_stored(value) for tag, value in every if tag not in _OLD_FILES}
            if entries:
                kept.get_ifd(directory).update(entries)
        if not len(kept):
            return b""
        kept[_ORIENTATION] = 1
        return kept.tobytes()
    except Exception:
        return b""


# The luminance table of quality 50 (ITU-T T.81, table K.1), of which libjpeg makes those of the others.
_TABLE_SUM = 3688


def jpeg_quality(tables: Mapping[int, Any]) -> int:
    """The quality by libjpeg's scale that the tables of a JPEG come nearest to; 0 without any."""
    if not tables:
        return 0
    scale = 100.0 * sum(tables[min(tables)]) / _TABLE_SUM
    quality = (200.0 - scale) / 2.0 if scale <= 100 else 5000.0 / scale
    return int(min(max(round(quality), 1), 100))


def options(
    metadata: Metadata, place: bool, marked: Mapping[str, str], image_format: str, gray: bool
) -> tuple[dict[str, Any], list[str]]:
    """Arguments of Pillow's `save`, and the metadata that could not be carried over, in words.

    Args:
      metadata: metadata of the picture that the result was made of.
      place: true if the place goes along.
      marked: see `xmp.mark`; empty for none.
      image_format: Pillow's name of the result's format.
      gray: true if the result has no color, and so no profile of colors.
    """
    found: dict[str, Any] = {}
    if image_format not in ("PNG", "JPEG", "TIFF", "WEBP"):
        return found, []
    texts = {} if image_format == "PNG" else dict(metadata.texts)
    if metadata.comment and image_format == "JPEG":
        found["comment"] = metadata.comment
    elif metadata.comment:
        texts["Comment"] = metadata.comment.decode("utf-8", "replace")
    packet, left_out = xmp.packet(metadata.xmp, metadata.records, texts, marked, place)
    remarks = [f"{name}: too long for XMP, left out" for name in left_out]
    exif = metadata.exif_with_place if place else metadata.exif
    if exif and image_format == "JPEG":
        exif, cut = _within_segment(exif)
        remarks += cut
    if exif:
        found["exif"] = exif
    if metadata.profiled and not gray:
        found["icc_profile"] = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    if metadata.dots_per_inch and image_format != "WEBP":
        found["dpi"] = metadata.dots_per_inch
    found |= coding(image_format)
    if image_format == "PNG" and (packet or metadata.texts):
        chunks = PngImagePlugin.PngInfo()
        for name, text in metadata.texts:
            chunks.add_itxt(name, text, zip=len(text) > _LONG_TEXT)
        if packet:
            chunks.add_itxt("XML:com.adobe.xmp", packet.decode())
        found["pnginfo"] = chunks
    elif packet and image_format == "TIFF":
        # Both lists go into one directory, and a list given beside EXIF would replace it.
        directory = _directory(exif)
        directory[_XMP_OF_TIFF] = packet
        found["exif"] = directory
    elif packet:
        found["xmp"] = packet
    return found, remarks


def coding(image_format: str) -> dict[str, Any]:
    """Arguments of Pillow's `save` for the pixels of a format."""
    return {"JPEG": {"quality": 95, "subsampling": 0}, "WEBP": {"quality": 95}}.get(image_format, {})


def _directory(exif: bytes) -> Image.Exif:
    """EXIF's entries, which can be written again as they are; none of empty bytes."""
    found = Image.Exif()
    if exif:
        found.load(exif)
    for tag, value in list(found.items()):
        found[tag] = _as_stored(value)
    for number in (_EXPOSURE, _PLACE):
        if number in found:
            entries = found.get_ifd(number)
            entries.update({tag: _as_stored(value) for tag, value in entries.items()})
    return found


def _within_segment(exif: bytes) -> tuple[bytes, list[str]]:
    """EXIF that fits into a JPEG, and which texts were left out, the longest first."""
    remarks = []
    directory = _directory(exif)
    while len(exif) > _LONGEST_EXIF:
        lengths = {tag: len(value) for tag, value in directory.items() if isinstance(value, str | bytes)}
        if not lengths:
            return b"", ["EXIF: too long for a JPEG, left out"]
        longest = max(lengths, key=lambda tag: lengths[tag])
        remarks.append(f"EXIF {ExifTags.TAGS.get(longest, longest)}: too long for a JPEG, left out")
        del directory[longest]
        exif = directory.tobytes()
    return exif, remarks
