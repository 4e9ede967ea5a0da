"""Labeled Faces in the Wild, with the pairs of both views. For evaluation only, never for training."""

import dataclasses

from lowres_jax.data import lfw_pairs
from lowres_jax.errors import UserError
from lowres_jax.preparation.builders.aligned_faces import AlignedFaces
from lowres_jax.preparation.photographs import Photographs
from lowres_jax.preparation.sources import open_photographs


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


def photographs(source: str | None, pairs: str | None = None) -> Photographs:
    """LFW's images: lfw.tgz, lfw-funneled.tgz or lfw-deepfunneled.tgz, or one of them unpacked; and its pairs.

    Raises:
      UserError: no source given, or it is not there; there is no pairs.txt, or a line of one of the pairs files cannot
        be read, or names an image that is not there.
    """
    if not source:
        raise UserError("config.source is empty: where is LFW? --config.source=PATH/lfw-deepfunneled.tgz (or a folder)")
    found = open_photographs(source)
    files = lfw_pairs.pairs_files(source, pairs)
    for file in files:
        lfw_pairs.locate_pairs(lfw_pairs.read_pairs(file), found.sources, str(file))
    return dataclasses.replace(found, companions=files)
