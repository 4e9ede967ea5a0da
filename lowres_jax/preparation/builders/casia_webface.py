"""CASIA-WebFace, the training set: its own folders (0000045/001.jpg) or InsightFace's RecordIO of aligned crops."""

from lowres_jax.errors import UserError
from lowres_jax.preparation.builders.aligned_faces import AlignedFaces
from lowres_jax.preparation.photographs import Photographs
from lowres_jax.preparation.sources import open_photographs


class Builder(AlignedFaces):
    """CASIA-WebFace or any set of one folder a person, aligned."""

    name = "casia_webface"
    SPLIT = "train"
    DESCRIPTION = "CASIA-WebFace, or a set in its layout, aligned."
    CITATION = "Yi, Lei, Liao, Li, Learning face representation from scratch, 2014, https://arxiv.org/abs/1411.7923"


def photographs(source: str | None) -> Photographs:
    """The set's photographs: a folder or tar archive of one folder a person, or train.rec with train.idx.

    Raises:
      UserError: no source given, or it is not there.
    """
    if not source:
        raise UserError("config.source is empty: where is the set? --config.source=PATH (folder, .tgz or train.rec)")
    return open_photographs(source)
