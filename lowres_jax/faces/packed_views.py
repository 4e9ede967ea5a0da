"""Faces that were read, without their pictures, as arrays that a file keeps."""

from collections.abc import Mapping, Sequence

import numpy as np

from lowres_jax.faces.reader import FaceView
from lowres_jax.localization.detector import Face

_NAMES = ("box", "score", "landmarks", "turned", "quality", "sizes", "template")


def packed(views: Sequence[FaceView], dimension: int) -> dict[str, np.ndarray]:
    """Arrays of V rows, one a face, by name; nan stands for landmarks and a quality that there are none of.

    Args:
      views: the faces.
      dimension: length of a template.
    """
    nothing = np.full((5, 2), np.nan, np.float32)
    return {
        "box": np.asarray([view.face.box for view in views], np.float32).reshape(-1, 4),
        "score": np.asarray([view.face.score for view in views], np.float64),
        "landmarks": np.asarray(
            [nothing if view.face.landmarks is None else view.face.landmarks for view in views], np.float32
        ).reshape(-1, 5, 2),
        "turned": np.asarray([view.face.turned for view in views], np.int64),
        "quality": np.asarray([np.nan if view.quality is None else view.quality for view in views], np.float64),
        "sizes": np.asarray([(view.native_size, view.cut_size) for view in views], np.int64).reshape(-1, 2),
        "template": np.asarray([view.template for view in views], np.float32).reshape(-1, dimension),
    }


def unpacked(kept: Mapping[str, np.ndarray]) -> list[FaceView]:
    """The faces of `packed`.

    Raises:
      KeyError, ValueError: these are other arrays.
    """
    columns = {name: kept[name] for name in _NAMES}
    views = []
    for row in range(len(columns["score"])):
        box, score, marks, turned, quality, sizes, template = (column[row] for column in columns.values())
        face = Face(box, float(score), None if np.isnan(marks).any() else marks, int(turned))
        told = None if np.isnan(quality) else float(quality)
        views.append(FaceView(face, int(sizes[0]), int(sizes[1]), template, quality=told))
    return views
