"""What a picture file holds beside its pixels, carried over to what is made of it, and the mark that says how it was.

Kept are descriptions, authors, dates, camera and exposure (EXIF), where the photograph was taken only if asked for, the
resolution in dots per inch, and sRGB as the color profile where the picture had one. The mark is XMP: IPTC's digital
source type (https://cv.iptc.org/newscodes/digitalsourcetype/), the program, the model, the input and its checksum.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import quoteattr

from PIL import Image, ImageCms, PngImagePlugin

from lowres_jax import __version__

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
_SOURCE_TYPES = "http://cv.iptc.org/newscodes/digitalsourcetype"
_XMP_OF_TIFF = 700


@dataclass(frozen=True)
class Metadata:
    """What goes with a picture.

    Attributes:
      exif: EXIF without the place; empty for none. The picture lies upright.
      exif_with_place: the same with it.
      dots_per_inch: horizontal and vertical; None where the file says nothing.
      profiled: whether it had a color profile.
      file_format: Pillow's name of its format.
      jpeg_quality: from 1 to 100, estimated from the tables of a JPEG; 0 for other formats.
    """

    exif: bytes = b""
    exif_with_place: bytes = b""
    dots_per_inch: tuple[float, float] | None = None
    profiled: bool = False
    file_format: str = ""
    jpeg_quality: int = 0


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
    )


def _exif(image: Image.Image, place: bool) -> bytes:
    # Every kind of damage that cameras and editors leave in EXIF: the picture is worth more than its description.
    try:
        found, kept = image.getexif(), Image.Exif()
        for tag in _KEPT:
            if tag in found:
                kept[tag] = found[tag]
        for name, tag in _OF_PNG.items():
            text = image.info.get(name)
            if isinstance(text, str) and tag not in kept:
                kept[tag] = text
        for directory in (_EXPOSURE, *([_PLACE] if place else [])):
            entries = {tag: value for tag, value in found.get_ifd(directory).items() if tag not in _OLD_FILES}
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


def mark(model: str, invented: bool, name: str, checksum: str) -> bytes:
    """The XMP packet of a picture that was enlarged.

    Args:
      model: names of the models.
      invented: whether a network added detail, which no interpolation does.
      name: file name of the input.
      checksum: SHA-256 of the input, in hexadecimal.
    """
    kind = "compositeWithTrainedAlgorithmicMedia" if invented else "algorithmicallyEnhanced"
    said = f"Enlarged by {model}" + ("; its detail is invented and no evidence" if invented else "")
    fields = {
        "Iptc4xmpExt:DigitalSourceType": f"{_SOURCE_TYPES}/{kind}",
        "xmp:CreatorTool": f"lowres_jax {__version__}",
        "lowres:Model": model,
        "lowres:Input": name,
        "lowres:InputSHA256": checksum,
        "photoshop:Instructions": said,
    }
    spaces = {
        "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
        "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
        "xmp": "http://ns.adobe.com/xap/1.0/",
        "photoshop": "http://ns.adobe.com/photoshop/1.0/",
        "lowres": "urn:lowres_jax:1.0/",
    }
    names = "".join(f' xmlns:{prefix}="{address}"' for prefix, address in spaces.items())
    values = "".join(f" {name}={quoteattr(value.encode(errors='replace').decode())}" for name, value in fields.items())
    text = (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
        f'<rdf:RDF{names}><rdf:Description rdf:about=""{values}/></rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
    )
    return text.encode()


def options(metadata: Metadata, place: bool, xmp: bytes, image_format: str, grey: bool) -> dict[str, Any]:
    """What Pillow's `save` is to be told.

    Args:
      metadata: of the picture that the result was made of.
      place: whether the place goes along.
      xmp: see `mark`; empty for none.
      image_format: Pillow's name of the result's format.
      grey: whether the result has no color, and so no profile of colors.
    """
    found: dict[str, Any] = {}
    exif = metadata.exif_with_place if place else metadata.exif
    if image_format not in ("PNG", "JPEG", "TIFF", "WEBP"):
        return found
    if exif:
        found["exif"] = exif
    if metadata.profiled and not grey:
        found["icc_profile"] = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    if metadata.dots_per_inch and image_format != "WEBP":
        found["dpi"] = metadata.dots_per_inch
    if image_format == "JPEG":
        found |= {"quality": 95, "subsampling": 0}
    if image_format == "WEBP":
        found["quality"] = 95
    if xmp and image_format == "PNG":
        chunks = PngImagePlugin.PngInfo()
        chunks.add_itxt("XML:com.adobe.xmp", xmp.decode())
        found["pnginfo"] = chunks
    elif xmp and image_format == "TIFF":
        # Both lists go into one directory, and a list given beside EXIF would replace it.
        directory = Image.Exif()
        if exif:
            directory.load(exif)
        directory[_XMP_OF_TIFF] = xmp
        found["exif"] = directory
    elif xmp:
        found["xmp"] = xmp
    return found
