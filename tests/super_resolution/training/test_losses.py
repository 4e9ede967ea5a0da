"""Every loss against numbers worked by hand."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lowres_jax.super_resolution.training import losses

MADE = jnp.asarray([0.5, 0.25, 1.0, 0.0]).reshape(1, 2, 2, 1)
REAL = jnp.asarray([0.5, 0.75, 0.0, 0.0]).reshape(1, 2, 2, 1)  # differences 0, -.5, 1, 0
LOGITS_MADE, LOGITS_REAL = jnp.asarray([0.0, 2.0]), jnp.asarray([1.0, 3.0])


def softplus(value: float) -> float:
    return math.log1p(math.exp(value))


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("l1", 1.5 / 4),
        ("mse", 1.25 / 4),
        ("charbonnier", (2 * 0.001 + math.sqrt(0.25 + 1e-6) + math.sqrt(1 + 1e-6)) / 4),
    ],
)
def test_pixel(kind: losses.Pixel, expected: float) -> None:
    assert float(losses.pixel(MADE, REAL, kind)) == pytest.approx(expected, rel=1e-6)


def test_pixel_in_minus_one_to_one_is_four_times_the_square() -> None:
    assert float(losses.pixel(MADE, REAL, "mse", scale=2.0)) == pytest.approx(1.25)


def test_perceptual_scales_features() -> None:
    assert float(losses.perceptual(MADE, REAL, "mse", scale=1 / 12.75)) == pytest.approx(1.25 / 4 / 12.75**2)


def test_edge_is_binary_cross_entropy() -> None:
    logits, edges = jnp.asarray([0.0, 2.0, -1.0]).reshape(1, 3, 1, 1), jnp.asarray([1.0, 0.0, 0.0]).reshape(1, 3, 1, 1)
    expected = (math.log(2) + softplus(2.0) + softplus(-1.0)) / 3
    assert float(losses.edge(logits, edges)) == pytest.approx(expected, rel=1e-6)


def test_identity_is_one_minus_cosine() -> None:
    made, real = jnp.asarray([[3.0, 4.0], [1.0, 0.0]]), jnp.asarray([[4.0, 3.0], [-2.0, 0.0]])
    assert float(losses.identity(made, real)) == pytest.approx(((1 - 24 / 25) + 2) / 2, rel=1e-6)
    gradient = jax.grad(lambda made: losses.identity(made, real))(jnp.zeros((2, 2)))
    assert np.isfinite(gradient).all()


@pytest.mark.parametrize(
    ("kind", "generator", "discriminator"),
    [
        (
            "vanilla",
            (softplus(0.0) + softplus(-2.0)) / 2,
            ((softplus(-1.0) + softplus(-3.0)) / 2 + (softplus(0.0) + softplus(2.0)) / 2) / 2,
        ),
        ("hinge", -1.0, (0.0 + (1.0 + 3.0) / 2) / 2),
        (
            # Means: made 1, real 2. Made against real: -2, 0; real against made: 0, 2.
            "relativistic_average",
            ((softplus(2.0) + softplus(0.0)) / 2 + (softplus(0.0) + softplus(2.0)) / 2) / 2,
            ((softplus(0.0) + softplus(-2.0)) / 2 + (softplus(-2.0) + softplus(0.0)) / 2) / 2,
        ),
    ],
)
def test_adversarial(kind: losses.Adversarial, generator: float, discriminator: float) -> None:
    assert float(losses.adversarial_generator(LOGITS_MADE, LOGITS_REAL, kind)) == pytest.approx(generator, rel=1e-6)
    assert float(losses.adversarial_discriminator(LOGITS_MADE, LOGITS_REAL, kind)) == pytest.approx(
        discriminator, rel=1e-6
    )


def test_hinge_pays_for_real_images_below_one() -> None:
    loss = losses.adversarial_discriminator(jnp.asarray([-2.0]), jnp.asarray([0.25]), "hinge")
    assert float(loss) == pytest.approx(0.75 / 2)


def test_the_mean_of_other_devices_is_used() -> None:
    loss = losses.adversarial_generator(
        LOGITS_MADE, LOGITS_REAL, "relativistic_average", mean=lambda logits: jnp.zeros(())
    )
    expected = ((softplus(0.0) + softplus(-2.0)) / 2 + (softplus(1.0) + softplus(3.0)) / 2) / 2
    assert float(loss) == pytest.approx(expected, rel=1e-6)


def test_gradient_penalty_is_half_the_squared_norm() -> None:
    gradients = jnp.asarray([3.0, 4.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0]).reshape(2, 2, 2, 1)
    assert float(losses.gradient_penalty(gradients)) == pytest.approx((25 + 1) / 2 / 2)


def test_strangers_by_hand() -> None:
    """Two directions, no mean: the nearest stranger counts, one's own crops never do."""
    templates = jnp.asarray([[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]])
    others = losses.Strangers(templates, jnp.asarray([7, 8, 9]), jnp.zeros(2))
    made, real = jnp.asarray([[2.0, 0.0]]), jnp.asarray([[3.0, 4.0]])

    def loss(label: int, nearest: int) -> float:
        return float(losses.strangers(made, real, jnp.asarray([label]), others, nearest, temperature=0.5))

    # Own cosine .6; of the strangers 1, .6 and 0.
    assert loss(0, 1) == pytest.approx(math.log(1 + math.exp((1 - 0.6) / 0.5)), rel=1e-6)
    assert loss(7, 1) == pytest.approx(math.log(2), rel=1e-6)
    assert loss(7, 2) == pytest.approx(math.log(2 + math.exp(-0.6 / 0.5)), rel=1e-6)
    # More than there are: all of them.
    assert loss(0, 20) == pytest.approx(math.log(2 + math.exp(0.4 / 0.5) + math.exp(-0.6 / 0.5)), rel=1e-6)


def test_strangers_compares_without_the_mean() -> None:
    mean = jnp.asarray([0.0, 0.5])
    # (0, 1) - (0, .5) is (0, .5), of unit length (0, 1); (1, 0) - (0, .5) has length sqrt(1.25).
    np.testing.assert_allclose(
        losses.centered(jnp.asarray([[0.0, 3.0], [2.0, 0.0]]), mean),
        [[0, 1], [1 / math.sqrt(1.25), -0.5 / math.sqrt(1.25)]],
        rtol=1e-6,
    )
    others = losses.Strangers(jnp.asarray([[0.0, 1.0]]), jnp.asarray([1]), mean)
    made, real = jnp.asarray([[0.0, 3.0]]), jnp.asarray([[2.0, 0.0]])
    # Own cosine -.447; the stranger's 1.
    expected = math.log(1 + math.exp(1 + 0.5 / math.sqrt(1.25)))
    assert float(losses.strangers(made, real, jnp.asarray([0]), others, 1, 1.0)) == pytest.approx(expected, rel=1e-6)
