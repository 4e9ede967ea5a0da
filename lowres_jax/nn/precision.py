"""Precision of matrix products and convolutions: on accelerators float32 is not float32 unless asked for.

NVIDIA's GPUs multiply float32 in TF32 (10 bits of mantissa) and TPUs in bfloat16 (7 bits) by default. A measured
figure must not depend on that: what makes templates, enlarged images, detections and distances is traced under
`full_precision`. Trainings choose by config. On a CPU all of it is float32 anyway.
https://docs.jax.dev/en/latest/_autosummary/jax.default_matmul_precision.html
"""

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import jax

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

# What a training may choose: the device's own way (TF32, bfloat16), or float32 throughout.
CHOICES = DEVICE, FULL = "default", "highest"


def at(precision: str, function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """The function, whose products are of a precision wherever it is traced, whatever holds outside.

    Args:
      precision: `DEVICE` or `FULL`.
      function: function to be traced by JAX; a product that names a precision of its own keeps it.
    """

    @functools.wraps(function)
    def wrapped(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        # Within the function: a context around the call of a compiled one would hold for the calling thread only.
        with jax.default_matmul_precision(precision):
            return function(*args, **kwargs)

    return wrapped


def full_precision(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """The function, whose products are float32 on every device; see the module."""
    return at(FULL, function)
