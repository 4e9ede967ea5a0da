"""The quick weight gradient is the plain one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from lowres_jax.nn import convolution, layers

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("size", "channels", "features", "side"),
    [((32, 32), 4, 8, 3), ((64, 70), 8, 3, 9), ((70, 64), 5, 5, 3), ((33, 35), 3, 7, 5), ((64, 64), 6, 1, 3)],
)
def test_gradients_are_those_of_xla(size: tuple[int, int], channels: int, features: int, side: int) -> None:
    keys = jax.random.split(jax.random.key(0), 3)
    inputs = jax.random.normal(keys[0], (2, *size, channels))
    kernel = jax.random.normal(keys[1], (side, side, channels, features))
    weights = jax.random.normal(keys[2], (2, *size, features))

    def plain(inputs: jax.Array, kernel: jax.Array) -> jax.Array:
        return jax.lax.conv_general_dilated(inputs, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))

    assert convolution._gains(inputs, kernel, (1, 1), "SAME", {})
    found, expected = (
        jax.grad(lambda *both, run=run: (weights * run(*both)).sum(), argnums=(0, 1))(inputs, kernel)
        for run in (convolution.same_convolution, plain)
    )
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-3)


def test_second_derivatives_are_those_of_xla() -> None:
    keys = jax.random.split(jax.random.key(1), 2)
    inputs = jax.random.normal(keys[0], (1, 64, 64, 3))

    def penalty(kernel: jax.Array, module: nn.Conv) -> jax.Array:
        def logit(inputs: jax.Array) -> jax.Array:
            return jnp.tanh(module.apply({"params": {"kernel": kernel}}, inputs)).sum()

        return (jax.grad(logit)(inputs) ** 2).sum()

    kernel = 0.1 * jax.random.normal(keys[1], (3, 3, 3, 4))
    plain = nn.Conv(4, (3, 3), use_bias=False)
    quick = nn.Conv(4, (3, 3), use_bias=False, conv_general_dilated=convolution.convolution)
    np.testing.assert_allclose(jax.grad(penalty)(kernel, quick), jax.grad(penalty)(kernel, plain), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("settings", "size"),
    [
        ({"strides": 2}, 64),
        ({"padding": "VALID"}, 64),
        ({"padding": 0}, 64),
        ({"feature_group_count": 4}, 64),
        ({"kernel_dilation": 2}, 64),
        ({}, 32),
    ],
    ids=str,
)
def test_other_convolutions_are_left_to_xla(settings: dict, size: int) -> None:
    inputs = jax.random.normal(jax.random.key(0), (1, size, size, 4))
    own = nn.Conv(4, (3, 3), conv_general_dilated=convolution.convolution, **settings)
    variables = own.init(jax.random.key(1), inputs)
    text = str(jax.make_jaxpr(own.apply)(variables, inputs))
    assert "custom_vjp" not in text
    np.testing.assert_array_equal(own.apply(variables, inputs), nn.Conv(4, (3, 3), **settings).apply(variables, inputs))
    usual = nn.Conv(4, (3, 3), padding=1, conv_general_dilated=convolution.convolution)
    wide = jax.random.normal(jax.random.key(0), (1, 64, 64, 4))
    assert "custom_vjp" in str(jax.make_jaxpr(usual.apply)(usual.init(jax.random.key(1), wide), wide))


def test_half_precision_keeps_its_kind() -> None:
    inputs = jnp.ones((1, 32, 32, 4), jnp.bfloat16)
    gradient = convolution.weight_gradient(inputs, jnp.ones((1, 32, 32, 2), jnp.bfloat16), 3)
    assert gradient.dtype == jnp.bfloat16
    # 1,024 ones under the middle of the kernel, 31 x 31 under its corner; bfloat16 holds 8 bits.
    assert float(gradient[1, 1, 0, 0]) == 1024.0
    assert float(gradient[0, 0, 0, 0]) == pytest.approx(961.0, rel=2**-8)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("padding", ["VALID", [(0, 0), (0, 0)]])
def test_a_convolution_of_one_pixel_is_that_of_xla(stride: int, padding: object) -> None:
    keys = jax.random.split(jax.random.key(2), 3)
    inputs, kernel = jax.random.normal(keys[0], (2, 7, 8, 5)), jax.random.normal(keys[1], (1, 1, 5, 6))
    weights = jax.random.normal(keys[2], (2, 4, 4, 6) if stride == 2 else (2, 7, 8, 6))
    settings = {"dimension_numbers": ("NHWC", "HWIO", "NHWC"), "rhs_dilation": (1, 1), "feature_group_count": 1}
    assert convolution._is_pointwise(inputs, kernel, padding, settings)
    assert not convolution._is_pointwise(inputs, kernel, [(1, 1), (0, 0)], settings)
    assert not convolution._is_pointwise(inputs, kernel, padding, {"feature_group_count": 5})
    found, expected = (
        jax.value_and_grad(
            lambda *both, run=run: (weights * run(*both, (stride, stride), padding, **settings)).sum(), argnums=(0, 1)
        )(inputs, kernel)
        for run in (convolution.convolution, jax.lax.conv_general_dilated)
    )
    jax.tree.map(lambda one, other: np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4), found, expected)


@pytest.mark.parametrize("size", [(9, 13), (58, 58), (3, 3), (8, 6)])
def test_max_pooling_is_that_of_flax(size: tuple[int, int]) -> None:
    keys = jax.random.split(jax.random.key(3), 2)
    inputs = jax.random.normal(keys[0], (2, *size, 3))
    expected = nn.max_pool(inputs, (3, 3), (2, 2), "VALID")
    np.testing.assert_array_equal(layers.max_pool(inputs), expected)
    weights = jax.random.normal(keys[1], expected.shape)
    one, other = (
        jax.grad(lambda inputs, run=run: (weights * run(inputs)).sum())(inputs)
        for run in (layers.max_pool, lambda inputs: nn.max_pool(inputs, (3, 3), (2, 2), "VALID"))
    )
    np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-6)
