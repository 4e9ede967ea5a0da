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


def typechecked(function: Callable[..., Any]) -> Callable[..., Any]:
    """Checks what names a shape, and nothing else: stand-ins of tests pass for what they stand for."""
    if isinstance(function, type):
        return function
    function.__annotations__ = {name: hint for name, hint in function.__annotations__.items() if names_shape(hint)}
    return beartype(function)
