"""SFace's layers that are written for quick gradients on a CPU, forwards and backwards, against plain ones."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from lowres_jax.recognition.sface import FixedNorm, depthwise, pixel_product

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("backend", ["cpu", "gpu"])
@pytest.mark.parametrize(("stride", "size"), [(1, (7, 6)), (2, (8, 6)), (2, (7, 9))])
def test_values_and_gradients(
    stride: int, size: tuple[int, int], backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Gradients are written in one way for processors and in another for accelerators.
    monkeypatch.setattr(jax, "default_backend", lambda: backend)
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


def test_a_product_on_each_pixel() -> None:
    keys = jax.random.split(jax.random.key(0), 3)
    images, kernel = jax.random.normal(keys[0], (2, 4, 3, 5)), jax.random.normal(keys[1], (5, 6))
    weights = jax.random.normal(keys[2], (2, 4, 3, 6))
    np.testing.assert_allclose(pixel_product(images, kernel), jnp.einsum("bhwc,cd->bhwd", images, kernel), atol=1e-5)
    found = jax.grad(lambda *both: (weights * pixel_product(*both)).sum(), argnums=(0, 1))(images, kernel)
    np.testing.assert_allclose(found[0], jnp.einsum("bhwd,cd->bhwc", weights, kernel), atol=1e-5)
    np.testing.assert_allclose(found[1], jnp.einsum("bhwc,bhwd->cd", images, weights), atol=1e-5)


def test_a_normalization_that_stays_as_it_is() -> None:
    rng = np.random.default_rng(0)
    inputs, variance = rng.normal(size=(3, 4)), rng.uniform(0.5, 2.0, 4)
    scale, bias, mean = rng.normal(size=(3, 4))
    variables = {"params": {"scale": scale, "bias": bias}, "batch_stats": {"mean": mean, "var": variance}}
    expected = (inputs - mean) / np.sqrt(variance + 0.1) * scale + bias
    np.testing.assert_allclose(FixedNorm(0.1).apply(variables, inputs), expected, atol=1e-5)
    plain = nn.BatchNorm(use_running_average=True, epsilon=0.1)
    np.testing.assert_allclose(plain.apply(variables, inputs), expected, atol=1e-5)
    gradients, of_inputs = jax.grad(lambda *both: FixedNorm(0.1).apply(*both).sum(), argnums=(0, 1))(variables, inputs)
    assert all(not leaf.any() for leaf in jax.tree.leaves(gradients))
    np.testing.assert_allclose(of_inputs, np.broadcast_to(scale / np.sqrt(variance + 0.1), (3, 4)), atol=1e-5)
