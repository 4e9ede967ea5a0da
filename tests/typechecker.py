"""Check of the shapes that annotations name, in every call that a test makes (pyproject.toml: --jaxtyping-packages)."""

import typing
from collections.abc import Callable
from typing import Any

import jaxtyping
from beartype import beartype


def names_shape(hint: Any) -> bool:
    """True if an annotation has an array of jaxtyping in it: `Float[np.ndarray, "B D"] | None`."""
    if isinstance(hint, type) and issubclass(hint, jaxtyping.AbstractArray):
        return True
    return any(names_shape(each) for each in typing.get_args(hint))


# Modules of plain functions, whose other annotations are checked too.
WHOLE = {
    "lowres_jax.data.resize",
    "lowres_jax.evaluation.centering",
    "lowres_jax.evaluation.identification",
    "lowres_jax.evaluation.image_quality",
    "lowres_jax.evaluation.open_set",
    "lowres_jax.recognition.training.margins",
    "lowres_jax.super_resolution.training.losses",
}


def typechecked(function: Callable[..., Any]) -> Callable[..., Any]:
    """Checks what names a shape; elsewhere than in `WHOLE` nothing else: stand-ins of tests pass for the real ones."""
    if function.__module__ in WHOLE:
        return beartype(function)
    if isinstance(function, type):
        return function
    function.__annotations__ = {name: hint for name, hint in function.__annotations__.items() if names_shape(hint)}
    return beartype(function)
