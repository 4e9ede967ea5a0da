"""Random views: what they do to an image, and that they are the same however many devices share a batch."""

import jax
import jax.numpy as jnp
import numpy as np

from lowres_jax.super_resolution.training.views import Views
from lowres_jax.training.devices import AXIS


def one(
    shift: tuple[float, float] = (0.0, 0.0), zoom: float = 1.0, mirrored: bool = False, noise: float = 0.0
) -> Views:
    return Views(
        jnp.asarray([shift]), jnp.asarray([zoom]), jnp.asarray([mirrored]), jnp.full((1, 6, 6, 3), noise, jnp.float32)
    )


IMAGE = jnp.asarray(np.random.default_rng(0).random((1, 6, 6, 3), np.float32))


def test_a_view_moves_mirrors_zooms_and_adds_noise() -> None:
    np.testing.assert_allclose(one().of(IMAGE), IMAGE, atol=1e-6)
    np.testing.assert_allclose(one(mirrored=True).of(IMAGE), IMAGE[:, :, ::-1], atol=1e-6)
    np.testing.assert_allclose(one(noise=0.25).of(IMAGE), IMAGE + 0.25, atol=1e-6)
    down = one(shift=(1.0, -2.0)).of(IMAGE)
    np.testing.assert_allclose(down[:, 1:, :-2], IMAGE[:, :-1, 2:], atol=1e-6)
    # Beyond the border there is nothing.
    np.testing.assert_allclose(down[:, 0], 0.0, atol=1e-6)
    # A ramp about the middle, twice as large: half as steep.
    ramp = jnp.broadcast_to(jnp.arange(6.0)[None, :, None, None] - 2.5, (1, 6, 6, 3))
    np.testing.assert_allclose(one(zoom=2.0).of(ramp)[:, 1:-1], ramp[:, 1:-1] / 2.0, atol=1e-6)


def test_one_device_or_four_draw_the_same() -> None:
    images, key = jnp.zeros((8, 6, 6, 3)), jax.random.PRNGKey(3)

    def drawn(devices: int) -> dict[str, np.ndarray]:
        parts = images.reshape(devices, 8 // devices, *images.shape[1:])
        views = jax.vmap(lambda part: vars(Views.draw(key, part)), axis_name=AXIS)(parts)
        return {name: np.asarray(each).reshape(8, *each.shape[2:]) for name, each in views.items()}

    alone, shared = drawn(1), drawn(4)
    for name, each in alone.items():
        np.testing.assert_array_equal(each, shared[name], err_msg=name)
    shift, zoom, mirrored, noise = (alone[name] for name in ("shift", "zoom", "mirrored", "noise"))
    assert np.abs(shift).max() <= 2.0
    assert np.abs(zoom - 1.0).max() <= 0.05
    assert len(np.unique(shift)) == 16
    assert 0 < mirrored.sum() < 8
    assert 0.015 < noise.std() < 0.025
