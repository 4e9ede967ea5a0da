"""Sizes of the networks, and their layers against hand-worked values.

Covers `super_resolution/edsr.py`, `super_resolution/layers.py`, `super_resolution/rrdbnet.py`,
`super_resolution/srresnet.py` too.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from lowres_jax.nn.layers import PReLU
from lowres_jax.super_resolution import edsr, rrdbnet, srresnet
from lowres_jax.super_resolution.layers import depth_to_space, enlarge_cubic

pytestmark = pytest.mark.slow


def parameter_count(module: nn.Module) -> int:
    variables = jax.eval_shape(module.init, jax.random.key(0), jax.ShapeDtypeStruct((1, 32, 32, 3), jnp.float32))
    return sum(leaf.size for leaf in jax.tree.leaves(variables["params"]))


def convolution(inputs: int, outputs: int, side: int = 3) -> int:
    return side * side * inputs * outputs + outputs


@pytest.mark.parametrize(
    ("module", "count"),
    [
        # Worked from the papers' figures: convolutions, two numbers a channel for BN, one for PReLU.
        (
            srresnet.Model(),
            convolution(3, 64, 9)
            + 64
            + 16 * (2 * convolution(64, 64) + 4 * 64 + 64)
            + convolution(64, 64)
            + 2 * 64
            + 2 * (convolution(64, 256) + 64)
            + convolution(64, 3, 9),
        ),
        (
            srresnet.Model(scale=16, tail="direct"),
            convolution(3, 64, 9)
            + 64
            + 16 * (2 * convolution(64, 64) + 4 * 64 + 64)
            + convolution(64, 64)
            + 2 * 64
            + convolution(64, 3 * 16**2),
        ),
        (
            edsr.Model(),
            convolution(3, 256) + 65 * convolution(256, 256) + 2 * convolution(256, 1024) + convolution(256, 3),
        ),
        (edsr.Model(tail="direct"), convolution(3, 256) + 65 * convolution(256, 256) + convolution(256, 48)),
        (
            edsr.Model(scale=3),
            convolution(3, 256) + 65 * convolution(256, 256) + convolution(256, 2304) + convolution(256, 3),
        ),
        (
            edsr.Model(blocks=16, features=64, residual_scale=1.0),
            convolution(3, 64) + 33 * convolution(64, 64) + 2 * convolution(64, 256) + convolution(64, 3),
        ),
        (
            rrdbnet.Model(),
            convolution(3, 64)
            + 69 * (sum(convolution(64 + 32 * k, 32) for k in range(4)) + convolution(192, 64))
            + 4 * convolution(64, 64)
            + convolution(64, 3),
        ),
    ],
    ids=["srresnet", "srresnet-direct-x16", "edsr", "edsr-direct", "edsr-x3", "edsr-baseline", "rrdbnet"],
)
def test_parameter_counts(module: nn.Module, count: int) -> None:
    assert parameter_count(module) == count


@pytest.mark.parametrize(
    ("module", "millions"),
    [
        (srresnet.Model(), 1.55),
        (edsr.Model(), 43.1),
        (edsr.Model(tail="direct"), 38.5),
        (edsr.Model(blocks=16, features=64), 1.52),
        (rrdbnet.Model(), 16.7),
    ],
)
def test_published_sizes(module: nn.Module, millions: float) -> None:
    assert parameter_count(module) / 1e6 == pytest.approx(millions, rel=0.004)


def test_batch_normalization_trains_and_then_uses_what_it_learned() -> None:
    module = srresnet.Model(blocks=1, features=8, momentum=0.75)
    images = jax.random.uniform(jax.random.key(1), (4, 8, 8, 3))
    variables = module.init(jax.random.key(0), images)
    inputs = {}

    def note(next_function, arguments, keywords, context):  # type: ignore[no-untyped-def]
        if context.module.name == "norm_trunk" and context.method_name == "__call__":
            inputs["norm_trunk"] = arguments[0]
        return next_function(*arguments, **keywords)

    with nn.intercept_methods(note):
        trained, changed = module.apply(variables, images, train=True, mutable=["batch_stats"])
    features = np.asarray(inputs["norm_trunk"], np.float64)
    found = changed["batch_stats"]["norm_trunk"]
    # Statistics begin at mean 0 and variance 1, and a quarter of each batch's goes in.
    np.testing.assert_allclose(found["mean"], 0.25 * features.mean((0, 1, 2)), atol=1e-6)
    np.testing.assert_allclose(found["var"], 0.75 + 0.25 * features.var((0, 1, 2)), rtol=1e-5)
    # In training a batch is normalized by itself, otherwise by the running statistics.
    assert np.abs(module.apply(variables, images) - trained).max() > 1e-3
    assert np.abs(module.apply(variables | changed, images) - module.apply(variables, images)).max() > 1e-4


@pytest.mark.parametrize("module", [edsr.Model(blocks=1, features=8), srresnet.Model(blocks=1, features=8)])
def test_networks_compute_in_their_dtype_and_answer_in_float32(module: nn.Module) -> None:
    images = jax.random.uniform(jax.random.key(1), (1, 8, 8, 3))
    variables = module.init(jax.random.key(0), images)
    assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {jnp.dtype("float32")}
    program = str(jax.make_jaxpr(module.clone(dtype=jnp.bfloat16).apply)(variables, images))
    convolutions = [line for line in program.splitlines() if "conv_general_dilated[" in line]
    assert convolutions
    assert all("bf16[" in line for line in convolutions), convolutions
    half, full = module.clone(dtype=jnp.bfloat16).apply(variables, images), module.apply(variables, images)
    assert half.dtype == full.dtype == jnp.float32
    assert 1e-5 < np.abs(half - full).max() < 0.05


def test_the_direct_tail_adds_cells_to_bicubic() -> None:
    """With kernels of zeros what is left is bicubic plus the bias of each place of a cell, and of each color."""
    module = srresnet.Model(scale=8, blocks=1, features=8, tail="direct", edge_head=True)
    images = jax.random.uniform(jax.random.key(1), (2, 4, 4, 3))
    variables = jax.device_get(module.init(jax.random.key(0), images))
    last = variables["params"]["conv_direct"]
    assert last["kernel"].shape == (3, 3, 8, 192)
    last["kernel"], last["bias"] = np.zeros_like(last["kernel"]), np.arange(192.0, dtype=np.float32)
    enlarged, edges = module.apply(variables, images)
    assert edges.shape == (2, 32, 32, 1)
    bicubic = jax.image.resize(images, (2, 32, 32, 3), "cubic")
    cell = np.arange(192.0).reshape(8, 8, 3)
    np.testing.assert_allclose(enlarged - bicubic, np.tile(cell, (2, 4, 4, 1)), atol=1e-4)


def test_the_smoothed_tail_begins_as_the_direct_one() -> None:
    """Then its kernel smooths what is added, and not the bicubic enlargement: a mean of 3 x 3 by hand."""
    direct = srresnet.Model(scale=8, blocks=1, features=8, tail="direct")
    smoothed = direct.clone(tail="direct_smoothed")
    images = jax.random.uniform(jax.random.key(1), (2, 4, 4, 3))
    variables = jax.device_get(smoothed.init(jax.random.key(0), images))
    kernel = variables["params"].pop("conv_smooth")["kernel"]
    variables["params"]["conv_direct"]["kernel"] = 100.0 * variables["params"]["conv_direct"]["kernel"]
    as_it_was = direct.apply(variables, images)
    bias = np.zeros(3, np.float32)
    variables["params"]["conv_smooth"] = {"kernel": kernel, "bias": bias}
    np.testing.assert_allclose(smoothed.apply(variables, images), as_it_was, atol=1e-6)
    mean = np.broadcast_to(np.eye(3, dtype=np.float32) / 9.0, (3, 3, 3, 3))
    variables["params"]["conv_smooth"] = {"kernel": mean, "bias": bias}
    bicubic = jax.image.resize(images, (2, 32, 32, 3), "cubic")
    added = np.asarray(as_it_was - bicubic)
    found = np.asarray(smoothed.apply(variables, images) - bicubic)
    np.testing.assert_allclose(found[0, 7, 8], added[0, 6:9, 7:10].mean(axis=(0, 1)), atol=1e-5)
    np.testing.assert_allclose(found[1, 0, 31], added[1, :2, 30:].sum(axis=(0, 1)) / 9.0, atol=1e-5)
    assert np.abs(added).max() > 0.1


def test_depth_to_space_by_hand() -> None:
    # One pixel of 2 x 2 cells of 2 channels: cell (i, j) channel c is number (2 i + j) * 2 + c.
    output = depth_to_space(jnp.arange(8.0).reshape(1, 1, 1, 8), 2)
    np.testing.assert_array_equal(output[0, :, :, 0], [[0, 2], [4, 6]])
    np.testing.assert_array_equal(output[0, :, :, 1], [[1, 3], [5, 7]])


def test_depth_to_space_keeps_neighbors_together() -> None:
    image = jnp.arange(2 * 4 * 6 * 3.0).reshape(2, 4, 6, 3)
    cells = image.reshape(2, 2, 2, 3, 2, 3).transpose(0, 1, 3, 2, 4, 5).reshape(2, 2, 3, 12)
    np.testing.assert_array_equal(depth_to_space(cells, 2), image)


def test_prelu_by_hand() -> None:
    variables = {"params": {"slope": jnp.asarray([0.5, -1.0])}}
    output = PReLU().apply(variables, jnp.asarray([[-2.0, -3.0], [4.0, 5.0]]))
    np.testing.assert_array_equal(output, [[-1.0, 3.0], [4.0, 5.0]])


@pytest.mark.parametrize(
    "module",
    [
        srresnet.Model(scale=4, blocks=1, features=8),
        edsr.Model(scale=3, blocks=1, features=8),
        edsr.Model(scale=2, blocks=1, features=8, tail="direct"),
        rrdbnet.Model(scale=2, blocks=1, features=8, growth=4),
    ],
    ids=lambda module: type(module).__module__.rsplit(".", 1)[-1],
)
def test_a_network_sees_no_further_than_its_convolutions(module: nn.Module) -> None:
    """Moving the input by one pixel moves the output by `scale` pixels, away from the borders."""
    image = jax.random.uniform(jax.random.key(1), (1, 40, 40, 3))
    variables = module.init(jax.random.key(0), image)
    moved = module.apply(variables, jnp.roll(image, 1, axis=2))
    expected = jnp.roll(module.apply(variables, image), module.scale, axis=2)
    border = 17 * module.scale
    np.testing.assert_allclose(
        moved[:, border:-border, border:-border], expected[:, border:-border, border:-border], atol=2e-5
    )


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
def test_cubic_enlargement_is_jax_image_resize(scale: int) -> None:
    images = np.random.default_rng(0).random((2, 5, 7, 3), np.float32)
    expected = jax.image.resize(images, (2, 5 * scale, 7 * scale, 3), "cubic")
    np.testing.assert_allclose(enlarge_cubic(jnp.asarray(images), scale), expected, atol=2e-6)
