"""Layers that networks share."""

import jax
import jax.numpy as jnp
import numpy as np

from lowres_jax.nn.layers import BatchDropout


def test_dropout_is_that_of_the_whole_batch_however_many_devices_share_it() -> None:
    inputs = jnp.asarray(np.random.default_rng(0).normal(size=(8, 50)), jnp.float32)
    random = {"dropout": jax.random.PRNGKey(1)}
    whole = BatchDropout(0.4).apply({}, inputs, True, rngs=random)
    shared = jax.vmap(lambda rows: BatchDropout(0.4, "data").apply({}, rows, True, rngs=random), axis_name="data")(
        inputs.reshape(4, 2, 50)
    )
    np.testing.assert_array_equal(shared.reshape(8, 50), whole)
    kept = np.asarray(whole) != 0
    assert 0.5 < kept.mean() < 0.7
    np.testing.assert_allclose(np.asarray(whole)[kept], (np.asarray(inputs) / 0.6)[kept], rtol=1e-6)
    assert len({tuple(row) for row in kept.tolist()}) == 8
    np.testing.assert_array_equal(BatchDropout(0.4).apply({}, inputs, False), inputs)
