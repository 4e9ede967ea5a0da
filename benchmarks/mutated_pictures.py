"""Thousands of damaged pictures of every format that is read: each must be a picture or one line, never a traceback.

python benchmarks/mutated_pictures.py --files 10000
"""

import argparse
import collections
import io
import random
import time

import numpy as np
import skimage.data
from PIL import Image

from lowres_jax.data import images

_MODES = ("RGB", "L", "RGBA", "P", "CMYK", "I;16", "F", "1", "LA")
# What fits the decoder's view of a format least: headers are hit more often than pixels.
_HEADER_BYTES = 200


def originals() -> list[tuple[str, bytes]]:
    """A small photograph in every format and mode that can be written, with EXIF and a color profile where they go."""
    photograph = Image.fromarray(skimage.data.astronaut()[40:168, 150:290]).resize((48, 44))
    exif = Image.Exif()
    exif.update({0x0112: 6, 0x010F: "maker", 0x829A: (1, 60)})
    found = []
    for image_format in images.FORMATS:
        for mode in _MODES:
            for options in ({"exif": exif, "quality": 80}, {"compression": "tiff_lzw"}, {}):
                file = io.BytesIO()
                try:
                    source = photograph if mode == "RGB" else photograph.convert("F" if mode == "I;16" else mode)
                    if mode == "I;16":
                        source = Image.fromarray((np.asarray(source) * 257).astype(np.uint16))
                    source.save(file, image_format, **options)
                except (OSError, ValueError, KeyError, TypeError, AttributeError):
                    continue  # this format has no such mode
                found.append((f"{image_format} {mode}", file.getvalue()))
    return found


def mutated(content: bytes, generator: random.Random) -> bytes:
    """The same with bytes changed, cut, doubled or left out."""
    found = bytearray(content)
    for _ in range(generator.randint(1, 8)):
        if not found:
            break
        reach = min(len(found), _HEADER_BYTES) if generator.random() < 0.7 else len(found)
        place = generator.randrange(reach)
        match generator.randrange(5):
            case 0 | 1:
                found[place] = generator.randrange(256)
            case 2:
                found[place : place + generator.randint(1, 4)] = generator.choice((b"\xff\xff\xff\xff", b"\0\0\0\0"))
            case 3:
                del found[place : place + generator.randint(1, 20)]
            case 4:
                found = found[: generator.randrange(len(found)) + 1] if generator.random() < 0.3 else found
    return bytes(found)


def main() -> None:
    """Prints what became of the files; ends with status 1 and the seed where one raises anything else."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    generator = random.Random(arguments.seed)
    sources = originals()
    outcomes: collections.Counter[str] = collections.Counter()
    begin = time.monotonic()
    for number in range(arguments.files):
        kind, content = sources[number % len(sources)]
        try:
            image = images.decode_image(mutated(content, generator), "picture")
            wrong = image.shape[2:] != (3,) or image.dtype != np.float32 or image.min() < 0 or image.max() > 1
            outcomes["read"] += 1
        except images.UnreadableImageError as error:
            wrong = not str(error).startswith("picture: ") or "\n" in str(error)
            outcomes["refused in one line"] += 1
        except Exception as error:
            raise SystemExit(f"file {number} ({kind}, seed {arguments.seed}): {error!r}") from error
        if wrong:
            raise SystemExit(f"file {number} ({kind}, seed {arguments.seed}): neither a picture nor one line")
    kinds = ", ".join(sorted({kind.split()[0] for kind, _ in sources}))
    print(f"{len(sources)} originals ({kinds}); {arguments.files:,} damaged files in {time.monotonic() - begin:.0f} s:")
    print(", ".join(f"{count:,} {outcome}" for outcome, count in outcomes.items()))


if __name__ == "__main__":
    main()
