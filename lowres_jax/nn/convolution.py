"""Convolutions whose weight gradient is quick on a CPU.

XLA's CPU back end computes that gradient at a sixth of a matrix product's speed and less. Image by image, as one
product of what each output pixel saw with its gradient, all stays in the cache and the same sum takes a third of the
time (benchmarks/speed.py generator). On accelerators, and for shapes that gain nothing, it is XLA's own.
"""

import contextlib
import contextvars
import functools
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import lax
from jaxtyping import Shaped

from lowres_jax.utils.shapes import Array

_NUMBERS = ("NHWC", "HWIO", "NHWC")
# XLA's own gradient is as quick for small images, and for middling ones with as many outputs as inputs.
_LEAST_PIXELS, _ENOUGH_PIXELS = 32 * 32, 64 * 64


_PLAIN = contextvars.ContextVar("plain convolutions", default=False)


@contextlib.contextmanager
def plain() -> Iterator[None]:
    """Makes functions that are traced within convolve by XLA's own operation, which is quick in other runtimes."""
    token = _PLAIN.set(True)
    try:
        yield
    finally:
        _PLAIN.reset(token)


def is_plain() -> bool:
    """True if this is within `plain`."""
    return _PLAIN.get()


def convolution(
    inputs: Shaped[Array, "B H W C"],
    kernel: Shaped[Array, "h w _ D"],
    strides: Any,
    padding: Any,
    **settings: Any,
) -> Shaped[jax.Array, "B _ _ D"]:
    """`jax.lax.conv_general_dilated`, as `flax.linen.Conv(conv_general_dilated=...)` calls it.

    Args:
      inputs: (B, H, W, C).
      kernel: (h, w, C, D).
      strides: strides of both directions.
      padding: "SAME", or pairs.
      **settings: see `jax.lax.conv_general_dilated`.

    Returns:
      (B, H', W', D).
    """
    if jax.default_backend() == "cpu" and not is_plain():
        if _is_pointwise(inputs, kernel, padding, settings):
            return pointwise_convolution(inputs, kernel, strides)
        if _gains(inputs, kernel, strides, padding, settings):
            return same_convolution(inputs, kernel)
    return lax.conv_general_dilated(inputs, kernel, strides, padding, **settings)


def _is_pointwise(inputs: jax.Array, kernel: jax.Array, padding: Any, settings: dict[str, Any]) -> bool:
    """True if it is `pointwise_convolution`."""
    unpadded = padding in ("SAME", "VALID") or all(tuple(pair) == (0, 0) for pair in padding)
    return inputs.ndim == 4 and kernel.shape[:2] == (1, 1) and unpadded and _is_plain(settings)


def _is_plain(settings: dict[str, Any]) -> bool:
    """Neither dilated nor in groups."""
    dilations = [*(settings.get("lhs_dilation") or ()), *(settings.get("rhs_dilation") or ())]
    return all(factor == 1 for factor in dilations) and settings.get("feature_group_count", 1) == 1


def _gains(inputs: jax.Array, kernel: jax.Array, strides: Any, padding: Any, settings: dict[str, Any]) -> bool:
    """True if it is `same_convolution`, and of a shape for which that pays."""
    plain = all(factor == 1 for factor in strides) and _is_plain(settings)
    side = kernel.shape[0]
    square = inputs.ndim == 4 and side == kernel.shape[1] and side % 2 == 1 and side > 1
    same = padding == "SAME" or [tuple(pair) for pair in padding] == [(side // 2, side // 2)] * 2
    if not (plain and square and same):
        return False
    pixels = inputs.shape[1] * inputs.shape[2]
    if not isinstance(pixels, int):
        return False  # exported for any size: nothing is trained by that
    widens = kernel.shape[3] >= 2 * kernel.shape[2]
    return pixels >= _ENOUGH_PIXELS or (widens and pixels >= _LEAST_PIXELS)


def pointwise_convolution(
    inputs: Shaped[Array, "B H W C"], kernel: Shaped[Array, "1 1 C D"], strides: Any
) -> Shaped[jax.Array, "B _ _ D"]:
    """A convolution of one pixel as the matrix product that it is, and so are its gradients (a third of the time).

    Args:
      inputs: (B, H, W, C).
      kernel: (1, 1, C, D).
      strides: strides of both directions.

    Returns:
      (B, ceil(H / strides[0]), ceil(W / strides[1]), D).
    """
    return jnp.einsum("bhwc,cd->bhwd", inputs[:, :: strides[0], :: strides[1]], kernel[0, 0])


@jax.custom_vjp
def same_convolution(
    inputs: Shaped[Array, "B H W C"], kernel: Shaped[Array, "s s C D"]
) -> Shaped[jax.Array, "B H W D"]:
    """Convolution of stride 1, padding "SAME" and an odd square kernel: (B, H, W, C), (s, s, C, D) -> (B, H, W, D)."""
    return lax.conv_general_dilated(inputs, kernel, (1, 1), "SAME", dimension_numbers=_NUMBERS)


def _forward(inputs: jax.Array, kernel: jax.Array) -> tuple[jax.Array, Any]:
    return same_convolution(inputs, kernel), (inputs, kernel)


def _backward(kept: Any, gradient: jax.Array) -> tuple[jax.Array, jax.Array]:
    inputs, kernel = kept
    # The gradient of the inputs is the convolution with the kernel turned by 180 degrees.
    turned = kernel[::-1, ::-1].transpose(0, 1, 3, 2)
    return same_convolution(gradient, turned), weight_gradient(inputs, gradient, kernel.shape[0])


same_convolution.defvjp(_forward, _backward)


def weight_gradient(
    inputs: Shaped[Array, "B H W C"], gradient: Shaped[Array, "B H W D"], side: int
) -> Shaped[jax.Array, "side side C D"]:
    """Gradient of the kernel of `same_convolution`.

    Args:
      inputs: (B, H, W, C) of the convolution.
      gradient: (B, H, W, D) of its output.
      side: the kernel's side.

    Returns:
      (side, side, C, D).
    """
    channels, features = inputs.shape[-1], gradient.shape[-1]
    # The one with fewer channels is gathered. An output at x saw the input at x + place - reach; so the input at x was
    # seen by the output at x - place + reach, whose place counts from the other end.
    gather_inputs = channels < features

    def add(total: jax.Array, image: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, None]:
        seen, own = image if gather_inputs else image[::-1]
        product = jnp.matmul(
            _gathered(seen, side).T, own.reshape(-1, own.shape[-1]), preferred_element_type=jnp.float32
        )
        return total + product, None

    gathered, kept = (channels, features) if gather_inputs else (features, channels)
    sums, _ = lax.scan(add, jnp.zeros((side * side * gathered, kept), jnp.float32), (inputs, gradient))
    sums = sums.reshape(side, side, gathered, kept).astype(inputs.dtype)
    return sums if gather_inputs else sums[::-1, ::-1].transpose(0, 1, 3, 2)


def _gathered(image: jax.Array, side: int) -> jax.Array:
    """Neighborhood of each pixel: (H, W, C) -> (H * W, side * side * C), zeros beyond the border."""
    height, width, channels = image.shape
    padded = jnp.pad(image, ((side // 2, side // 2), (side // 2, side // 2), (0, 0)))
    places = [padded[row : row + height, column : column + width] for row in range(side) for column in range(side)]
    return jnp.concatenate(places, axis=-1).reshape(height * width, side * side * channels)


# `flax.linen.Conv` with it; a module of its kind and name.
Conv = functools.partial(nn.Conv, conv_general_dilated=convolution)
