"""The discriminator's size, and its parts against what they must do."""

from itertools import pairwise

import jax
import jax.numpy as jnp
import pytest

from lowres_jax.super_resolution.training import discriminator

pytestmark = pytest.mark.slow


def sizes(model: discriminator.Model, side: int = 128, channels: int = 3) -> int:
    image = jax.ShapeDtypeStruct((1, side, side, channels), jnp.float32)
    variables = jax.eval_shape(model.init, jax.random.key(0), image)
    return sum(leaf.size for leaf in jax.tree.leaves(variables["params"]))


def convolutions(channels: int) -> int:
    widths = (channels, 64, 64, 128, 128, 256, 256, 512, 512)
    return sum(9 * a * b + b for a, b in pairwise(widths)) + 2 * sum(widths[2:])


@pytest.mark.parametrize("channels", [3, 4])
def test_parameters_of_srgans_discriminator(channels: int) -> None:
    dense = 8 * 8 * 512 * 1024 + 1024 + 1024 + 1
    assert sizes(discriminator.Model(), channels=channels) == convolutions(channels) + dense


def test_published_size() -> None:
    assert sizes(discriminator.Model()) / 1e6 == pytest.approx(38.2, abs=0.1)


def test_pooled_is_lighter_and_takes_any_size() -> None:
    expected = convolutions(3) + 512 * 1024 + 1024 + 1024 + 1
    assert sizes(discriminator.Model(head="pooled")) == sizes(discriminator.Model(head="pooled"), 96) == expected
    assert expected / 1e6 == pytest.approx(5.2, abs=0.1)


def test_width_scales_all_channels() -> None:
    model = discriminator.Model(head="pooled", width=0.125)
    widths = (3, 8, 8, 16, 16, 32, 32, 64, 64)
    expected = sum(9 * a * b + b for a, b in pairwise(widths)) + 2 * sum(widths[2:])
    assert sizes(model) == expected + 64 * 128 + 128 + 128 + 1


def test_images_are_seen_from_minus_one_to_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """A first convolution that passes red on shows what it is given."""
    monkeypatch.setattr(discriminator, "_LAYERS", ((64, 1),))
    model = discriminator.Model(head="pooled", width=1 / 64)
    images = jnp.asarray([0.0, 0.25, 0.5, 1.0])[:, None, None, None] * jnp.ones((4, 2, 2, 3))
    variables = model.init(jax.random.key(0), images)
    variables["params"]["conv_0"]["kernel"] = jnp.zeros((3, 3, 3, 1)).at[1, 1, 0].set(1.0)
    _, state = model.apply(variables, images, capture_intermediates=True, mutable=["intermediates"])
    (seen,) = state["intermediates"]["conv_0"]["__call__"]
    assert seen[:, 0, 0, 0].tolist() == [-1.0, -0.5, 0.0, 1.0]


def test_bfloat16_computes_with_float32_parameters() -> None:
    model = discriminator.Model(head="pooled", width=0.125, dtype=jnp.bfloat16)
    images = jax.random.uniform(jax.random.key(0), (2, 16, 16, 3))
    variables = jax.jit(model.init)(jax.random.key(1), images)
    assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {jnp.dtype(jnp.float32)}
    single = jax.jit(discriminator.Model(head="pooled", width=0.125).apply)(variables, images)
    half = jax.jit(model.apply)(variables, images)
    assert half.dtype == jnp.float32
    assert 0 < float(jnp.abs(single - half).max()) < 0.05
