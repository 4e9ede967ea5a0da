"""The depthwise convolution of shifted products, forwards and backwards, against XLA's own."""

import jax
import numpy as np
import pytest

from lowres_jax.recognition.sface import depthwise


@pytest.mark.parametrize(("stride", "size"), [(1, (7, 6)), (2, (8, 6)), (2, (7, 9))])
def test_values_and_gradients(stride: int, size: tuple[int, int]) -> None:
    keys = jax.random.split(jax.random.key(0), 3)
    images, kernel = jax.random.normal(keys[0], (2, *size, 5)), jax.random.normal(keys[1], (3, 3, 5))

    def plain(images: jax.Array, kernel: jax.Array) -> jax.Array:
        return jax.lax.conv_general_dilated(
            images,
            kernel[:, :, None],
            (stride, stride),
            ((1, 1), (1, 1)),
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
            feature_group_count=5,
        )

    expected = plain(images, kernel)
    np.testing.assert_allclose(depthwise(images, kernel, stride), expected, rtol=1e-5, atol=1e-5)
    weights = jax.random.normal(keys[2], expected.shape)
    found, wanted = (
        jax.grad(lambda *both, run=run: (weights * run(*both)).sum(), argnums=(0, 1))(images, kernel)
        for run in (lambda images, kernel: depthwise(images, kernel, stride), plain)
    )
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)
