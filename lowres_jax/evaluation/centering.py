"""Calibration by condition: what all templates of a condition have in common is taken from each.

A condition is what happens to a face before it is recognized: size, degradation, upscaler, recognizer. Its mean is that
of the unit templates of people whom nobody searches for, never of a gallery's own.
"""

import numpy as np
from jaxtyping import Float

from lowres_jax.utils.shapes import Templates


def centered(templates: Templates, mean: Float[np.ndarray, " dimension"], share: float = 1.0) -> Templates:
    """Templates less a share of their condition's mean, of unit length again.

    Args:
      templates: unit vectors.
      mean: mean of the condition, see `condition_mean`.
      share: share of the mean that is taken away; 0 leaves the templates as they are.
    """
    moved = templates - np.float32(share) * mean
    return moved / np.maximum(np.linalg.norm(moved, axis=-1, keepdims=True), 1e-12)


def condition_mean(templates: Templates) -> Float[np.ndarray, " dimension"]:
    """The mean of unit templates of one condition; shorter than 1."""
    return templates.mean(axis=0)
