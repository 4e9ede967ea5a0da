"""LFW's pairs: View 2 (the ten folds of the final score) and View 1 (for choosing models and thresholds).

Huang et al. 2007, "Labeled Faces in the Wild", section IV. The fold travels with each pair, so that nothing that is
skipped elsewhere can shift the folds.
"""

import codecs
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from lowres_jax.errors import UserError
from lowres_jax.runtime import configuration

# View -> its file, as the data set's home page names it.
VIEW_FILES = {"view2": "pairs.txt", "view1_train": "pairsDevTrain.txt", "view1_test": "pairsDevTest.txt"}


@dataclass(frozen=True)
class Pair:
    """Two images to compare.

    Attributes:
      name_a: person of the first image, as "Aaron_Peirsol".
      number_a: number of the first image, from 1.
      name_b: person of the second image.
      number_b: number of the second image, from 1.
      same: true if both are the same person.
      fold: fold of the pair, from 0.
    """

    name_a: str
    number_a: int
    name_b: str
    number_b: int
    same: bool
    fold: int


@dataclass(frozen=True)
class PairIndices:
    """Pairs as positions in a list of images, P pairs.

    Attributes:
      first: (P,) int64, position of the first image.
      second: (P,) int64, position of the second image.
      same: (P,) bool.
      fold: (P,) int64, from 0.
    """

    first: np.ndarray
    second: np.ndarray
    same: np.ndarray
    fold: np.ndarray


def parse_pairs(text: str, name: str = "pairs.txt") -> list[Pair]:
    """Parses a pairs file of either view.

    The header is `folds n` (View 2) or `n` (View 1: one fold). Each fold follows with n lines `person number number`
    of same pairs, then n lines `person number person number` of different ones.

    Args:
      text: content of the file.
      name: name in error messages.

    Returns:
      The pairs in the file's order.

    Raises:
      UserError: a malformed line, or fewer or more lines than the header says; the message names the line.
    """
    text = unicodedata.normalize("NFC", text)
    lines = [(number, line.split()) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    if not lines:
        raise UserError(f"{name}: the file is empty; LFW's pairs start with a line such as '10 300'")
    folds, size = _header(lines[0][1], name)
    expected = 2 * folds * size
    if len(lines) - 1 != expected:
        raise UserError(
            f"{name}, line {lines[-1][0]}: the file ends after {len(lines) - 1:,} pairs, but its header announces "
            f"{expected:,}; get the file again"
        )
    return [
        _pair(fields, same=index // size % 2 == 0, fold=index // (2 * size), where=f"{name}, line {number}")
        for index, (number, fields) in enumerate(lines[1:])
    ]


def _header(fields: Sequence[str], name: str) -> tuple[int, int]:
    numbers = [int(field) for field in fields if field.isascii() and field.isdigit()]
    if len(numbers) != len(fields) or len(numbers) not in (1, 2) or 0 in numbers:
        raise UserError(f"{name}, line 1: {' '.join(fields)!r} is no header; expected '10 300' (View 2) or '1100'")
    return (numbers[0], numbers[1]) if len(numbers) == 2 else (1, numbers[0])


def _pair(fields: Sequence[str], same: bool, fold: int, where: str) -> Pair:
    numbers = fields[1:] if same else fields[1::2]
    if len(fields) != (3 if same else 4) or not all(field.isascii() and field.isdigit() for field in numbers):
        shape = "'person number number' (same person)" if same else "'person number person number' (different people)"
        raise UserError(f"{where}: {' '.join(fields)!r} should be {shape}")
    name_b = fields[0] if same else fields[2]
    if not same and fields[0] == name_b:
        raise UserError(f"{where}: {fields[0]!r} twice in a pair of different people")
    return Pair(fields[0], int(numbers[0]), name_b, int(numbers[1]), same, fold)


def read_pairs(path: Path) -> list[Pair]:
    """Reads a pairs file; see `parse_pairs`.

    Raises:
      UserError: the file is missing or malformed.
    """
    try:
        content = path.read_bytes()
        # Editors put a mark at the beginning, and some of them save UTF-16.
        utf16 = content[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
        text = content.decode("utf-16" if utf16 else "utf-8-sig")
    except OSError as error:
        raise UserError(f"{path}: pairs file cannot be read ({error.strerror}); it comes with LFW") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not a text file ({error.reason}); get LFW's pairs file again") from error
    return parse_pairs(text, str(path))


def load_pairs(directory: Path, view: str = "view2") -> list[Pair]:
    """The pairs that were prepared with an LFW data set.

    Args:
      directory: folder of the prepared data set, the one with `dataset_info.json`.
      view: "view2", "view1_train" or "view1_test".

    Raises:
      UserError: the view is unknown, or the data set was prepared without its file.
    """
    if view not in VIEW_FILES:
        raise UserError(f"{view!r}: no such view of LFW; {configuration.nearest(view, list(VIEW_FILES))}")
    path = Path(directory) / VIEW_FILES[view]
    if not path.is_file():
        raise UserError(
            f"{path}: no pairs of {view} in this data set; put {path.name} beside the LFW archive and prepare it again"
        )
    return read_pairs(path)


def pairs_files(source: str, pairs: str | None) -> list[Path]:
    """The files of LFW's pairs that there are.

    Args:
      source: source of the images; the pairs are looked for beside it, and in it.
      pairs: folder to look in instead.

    Raises:
      UserError: there is no pairs.txt, without which LFW is no benchmark.
    """
    source_path = Path(source).expanduser().absolute()
    folders = [Path(pairs).expanduser()] if pairs else [source_path.parent, source_path]
    found = [
        next((folder / file for folder in folders if (folder / file).is_file()), None) for file in VIEW_FILES.values()
    ]
    if found[0] is None:
        raise UserError(
            f"{folders[0] / VIEW_FILES['view2']}: no such file; put LFW's pairs.txt there, or --config.pairs=FOLDER"
        )
    return [file for file in found if file is not None]


def image_key(source: str) -> tuple[str, int] | None:
    """Person and number of an LFW file name: "Aaron_Peirsol/Aaron_Peirsol_0002.jpg" -> ("Aaron_Peirsol", 2)."""
    name, underscore, number = PurePosixPath(unicodedata.normalize("NFC", source)).stem.rpartition("_")
    return (name, int(number)) if underscore and number.isascii() and number.isdigit() else None


def locate_pairs(pairs: Sequence[Pair], sources: Sequence[str], where: str = "") -> PairIndices:
    """Finds the images of pairs.

    Args:
      pairs: the pairs.
      sources: file names of the images, as in the records' `source`.
      where: name of the pairs in error messages.

    Returns:
      The pairs as positions in `sources`; no pair is left out.

    Raises:
      UserError: a pair names an image that is not among the sources.
    """
    positions = {image_key(source): i for i, source in enumerate(sources)}

    def position(name: str, number: int) -> int:
        if (name, number) not in positions:
            raise UserError(
                f"{where or 'pairs'}: a pair names {name}_{number:04d}, not one of the {len(sources):,} images; "
                "pictures or pairs file are incomplete, get LFW again"
            )
        return positions[name, number]

    return PairIndices(
        first=np.array([position(pair.name_a, pair.number_a) for pair in pairs], np.int64),
        second=np.array([position(pair.name_b, pair.number_b) for pair in pairs], np.int64),
        same=np.array([pair.same for pair in pairs], bool),
        fold=np.array([pair.fold for pair in pairs], np.int64),
    )
