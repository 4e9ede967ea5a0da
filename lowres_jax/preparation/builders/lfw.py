"""Labeled Faces in the Wild, with the pairs of both views. For evaluation only, never for training."""

import dataclasses
from pathlib import Path

from lowres_jax.data.lfw_pairs import VIEW_FILES
from lowres_jax.errors import UserError
from lowres_jax.preparation.builders.aligned_faces import AlignedFaces
from lowres_jax.preparation.photographs import Photographs, open_photographs


class Builder(AlignedFaces):
    """LFW, aligned."""

    name = "lfw"
    DESCRIPTION = (
        "Labeled Faces in the Wild: 13,233 images of 5,749 people, aligned. For evaluation, never for training."
    )
    CITATION = (
        "Huang, Ramesh, Berg, Learned-Miller, Labeled Faces in the Wild, University of Massachusetts, Technical Report "
        "07-49, 2007"
    )


def photographs(source: str, pairs: str = "") -> Photographs:
    """LFW's images: lfw.tgz, lfw-funneled.tgz or lfw-deepfunneled.tgz, or one of them unpacked; and its pairs.

    Raises:
      UserError: no source given, or it is not there, or there is no pairs.txt.
    """
    if not source:
        raise UserError("config.source is empty: where is LFW? --config.source=PATH/lfw-deepfunneled.tgz (or a folder)")
    return dataclasses.replace(open_photographs(Path(source)), companions=pairs_files(source, pairs))


def pairs_files(source: str, pairs: str) -> list[Path]:
    """The files of LFW's pairs that there are.

    Args:
      source: of the images; the pairs are looked for beside it, and in it.
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
