"""Margin heads: values by hand, and gradients by differences."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lowres_jax.recognition.training import margins

RIGHT = jnp.asarray([[True, False, False]])


def target(kind: margins.Kind, degrees: float, margin: float, **named: float | jax.Array) -> float:
    cosine = jnp.cos(jnp.deg2rad(jnp.asarray([[degrees, 60.0, 90.0]])))
    logits = margins.margin_logits(kind, cosine, RIGHT, 10.0, margin, **named)  # type: ignore[arg-type]
    np.testing.assert_allclose(logits[0, 1:], [5.0, 0.0], atol=1e-5)  # others: 10 cos(60), 10 cos(90)
    return float(logits[0, 0])


def test_cosface_by_hand() -> None:
    # 10 (cos 60 - .35)
    assert target("cosface", 60, 0.35) == pytest.approx(1.5, abs=1e-5)


def test_arcface_by_hand() -> None:
    half = np.deg2rad(30)
    # 10 cos(60 + 30) = 0; 10 cos(15 + 30) = 7.0711
    assert target("arcface", 60, half) == pytest.approx(0.0, abs=1e-5)
    assert target("arcface", 15, half) == pytest.approx(7.07107, abs=1e-4)
    # 160 + 30 passes 180: cos(160) - m sin(m) = -.93969 - .5236 x .5
    assert target("arcface", 160, half) == pytest.approx(10 * (-0.9396926 - 0.5235988 * 0.5), abs=1e-4)
    # It never rises with the angle.
    values = [target("arcface", degrees, half) for degrees in range(1, 180)]
    assert all(after < before for before, after in itertools.pairwise(values))


def test_adaface_by_hand() -> None:
    margin = np.deg2rad(20)

    def by_hand(degrees: float, quality: float) -> float:
        return 10 * (np.cos(np.deg2rad(degrees - 20 * quality)) - margin * (quality + 1))

    for norm, quality in ((20.0, 0.0), (26.0, 0.333 * 6 / 4.001), (100.0, 1.0), (0.0, -1.0)):
        found = target("adaface", 70, margin, norms=jnp.asarray([norm]), norm_mean=20.0, norm_deviation=4.0)
        assert found == pytest.approx(by_hand(70, quality), abs=2e-3)
    # A poor picture (z = -1) has ArcFace's margin and no additive one; a good one (z = 1) the other way round.
    assert by_hand(70, -1.0) == pytest.approx(10 * np.cos(np.deg2rad(90)), abs=1e-9)


def test_a_row_without_its_class_is_left_alone() -> None:
    cosine = jnp.asarray([[0.5, 0.25, -0.5]])
    for kind in ("cosface", "arcface", "adaface"):
        found = margins.margin_logits(kind, cosine, jnp.zeros((1, 3), bool), 4.0, 0.5, norms=jnp.ones(1))
        np.testing.assert_allclose(found, [[2.0, 1.0, -2.0]], atol=1e-6)


@pytest.mark.parametrize("kind", ["cosface", "arcface", "adaface"])
def test_gradients_by_differences(kind: margins.Kind) -> None:
    with jax.enable_x64(True):
        generator = np.random.default_rng(0)
        templates, classes = jnp.asarray(generator.normal(size=(4, 6))), jnp.asarray(generator.normal(size=(6, 5)))
        right = jnp.arange(5) == jnp.asarray([0, 3, 3, 1])[:, None]

        @jax.jit
        def loss(templates: jax.Array, classes: jax.Array) -> jax.Array:
            norms = jnp.asarray([1.0, 2.0, 2.5, 3.0])  # through which no gradient goes
            cosine = margins.cosines(templates, classes)
            logits = margins.margin_logits(kind, cosine, right, 8.0, 0.4, norms, 2.0, 1.0)
            return -jnp.mean(jnp.sum(right * jax.nn.log_softmax(logits), axis=-1))

        for argument in (0, 1):
            gradient = jax.grad(loss, argument)(templates, classes)
            arguments = [templates, classes]
            for place in [(0, 0), (2, 3), (3, 4)]:
                step = np.zeros(arguments[argument].shape)
                step[place] = 1e-6
                values = []
                for sign in (1, -1):
                    changed = list(arguments)
                    changed[argument] = changed[argument] + sign * step
                    values.append(loss(*changed))
                numerical = (values[0] - values[1]) / 2e-6
                assert gradient[place] == pytest.approx(float(numerical), rel=1e-5, abs=1e-8)


def test_a_zero_template_is_no_trouble() -> None:
    gradient = jax.grad(lambda vector: margins.unit(vector).sum())(jnp.zeros((1, 4)))
    assert np.isfinite(gradient).all()
    np.testing.assert_array_equal(margins.unit(jnp.zeros((1, 4))), np.zeros((1, 4)))


def test_adaface_keeps_away_from_a_cosine_of_one_as_its_authors_do() -> None:
    """Their code, written down: the cosine within .001 of 1, the angle between .001 and pi - .001, for every class."""
    cosine, norms = np.asarray([[0.99999, -1.0, 0.3]]), np.asarray([30.0])
    clipped = np.clip(cosine, -0.999, 0.999)
    quality = np.clip((norms - 20.0) / (10.0 + 1e-3) * 0.333, -1, 1)
    angle = np.clip(np.arccos(clipped) - 0.4 * quality, 1e-3, np.pi - 1e-3)
    right = np.asarray([[True, False, False]])
    expected = 64.0 * np.where(right, np.cos(angle) - (0.4 + 0.4 * quality), clipped)
    found = margins.margin_logits(
        "adaface", jnp.asarray(cosine), jnp.asarray(right), 64.0, 0.4, jnp.asarray(norms), 20.0, 10.0
    )
    np.testing.assert_allclose(found, expected, rtol=1e-4)
