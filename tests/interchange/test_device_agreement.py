"""Comparison of a CPU and an accelerator: measures worked by hand, weights the same everywhere."""

import zlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from lowres_jax.interchange import device_agreement
from lowres_jax.nn import precision
from lowres_jax.runtime import configuration
from lowres_jax.super_resolution import srresnet

pytestmark = pytest.mark.slow


def test_differences_by_hand() -> None:
    # 3-4-5: the difference has a root mean square of 5 / sqrt 2, the expected values of 50 / sqrt 2.
    expected = np.asarray([30.0, 40.0])
    assert device_agreement.difference("network", expected, expected + np.asarray([3.0, 4.0])) == pytest.approx(0.1)
    assert device_agreement.difference("network", expected, expected) == 0.0
    assert device_agreement.difference("network", expected, expected[:1]) == np.inf
    assert device_agreement.difference("network", expected, np.asarray([30.0, np.nan])) == np.inf
    # Templates: the worst cosine, whatever their lengths; 60 degrees.
    templates = np.asarray([[1.0, 0.0], [1.0, 0.0]])
    turned = np.asarray([[7.0, 0.0], [0.5, np.sqrt(0.75)]])
    assert device_agreement.difference("some templates", templates, turned) == pytest.approx(0.5)
    # Steps: the worst array. Where little is expected, here nothing, it counts in tenths of the usual size.
    rows = np.asarray([[10.0, -10.0], [10.0, 10.0], [0.0, 0.0]])
    off = rows + np.asarray([[0.1, 0.1], [0.0, 0.0], [0.02, 0.02]])
    assert device_agreement.difference("step of it", rows, off) == pytest.approx(0.02)


def test_weights_are_drawn_by_name_and_alike_in_size() -> None:
    module, example = srresnet.Model(blocks=1, features=8), np.zeros((1, 8, 8, 3), np.float32)
    one, other = device_agreement.drawn(module, example), device_agreement.drawn(module, example)
    kernels = one["params"]["block_0"]["conv_0"]["kernel"], one["params"]["block_0"]["conv_1"]["kernel"]
    assert kernels[0].std() == pytest.approx(np.sqrt(2 / 72), rel=0.1)
    assert not np.array_equal(*kernels)
    np.testing.assert_array_equal(kernels[0], other["params"]["block_0"]["conv_0"]["kernel"])
    assert (one["batch_stats"]["norm_trunk"]["var"] == 1).all()


def test_a_training_step_tells_its_gradient() -> None:
    """The rows of a step's check are values of the gradient of the L1 loss, which is found by itself here."""
    config = configuration.load("configs/identity.py:smoke")
    config.losses.identity.weight, config.hr_size = 0.0, 32
    config.model.fields.update({"features": 8})
    faces = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3), np.uint8)
    found = device_agreement._generator_step(faces, device_agreement._by_gradient(config), precision.FULL)

    module = srresnet.Model(blocks=1, features=8)
    high = faces.astype(np.float32) / 255
    low = high.reshape(8, 8, 4, 8, 4, 3).mean(axis=(2, 4))
    shapes = jax.eval_shape(module.init, jax.random.key(0), low)
    params, statistics = (
        jax.tree_util.tree_map_with_path(device_agreement._drawn_array, shapes[kind])
        for kind in ("params", "batch_stats")
    )

    def loss(params: Any) -> jax.Array:
        variables = {"params": params, "batch_stats": statistics}
        output, _ = module.apply(variables, low, train=True, mutable=["batch_stats"])
        return jnp.abs(output - high).mean()

    value, gradient = jax.value_and_grad(loss)(params)
    # Losses by name: gradient_norm, pixel.
    assert found[0][1] == pytest.approx(float(value), rel=1e-5)
    leaves = jax.tree_util.tree_leaves_with_path(gradient)
    assert len(found) == len(leaves) + 1
    for row, (path, leaf) in zip(found[1:], leaves, strict=True):
        name = jax.tree_util.keystr(path)
        places = np.random.default_rng(zlib.crc32(name.encode())).integers(0, leaf.size, 256)
        np.testing.assert_allclose(row, np.ravel(leaf)[places], rtol=1e-3, atol=1e-6, err_msg=name)


def test_what_is_checked_has_names_that_say_how() -> None:
    names = [check.name for check in device_agreement.checks(["canny"], small=True)]
    for part in ("SFace templates", "SRResNet x4", "SRResNet x8", "MTCNN", "EDSR x4", "RRDBNet x4", "discriminator"):
        assert part in names
    assert names[-1] == "step of canny"
    drawn = device_agreement.drawn(nn.Dense(2), np.zeros((1, 3), np.float32))
    assert isinstance(drawn["params"]["kernel"], np.ndarray)


def test_the_detector_sees_four_faces() -> None:
    (check,) = [each for each in device_agreement.checks([], small=True) if each.name == "MTCNN"]
    assert check.compute(precision.FULL).shape == (4, 15)
