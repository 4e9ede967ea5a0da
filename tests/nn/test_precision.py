"""Figures are computed in float32 wherever they are made, whatever JAX does by default on a device.

Covers `nn/batching.py` too.
"""

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from lowres_jax.evaluation import identification, image_quality
from lowres_jax.localization.mtcnn import cascade as mtcnn
from lowres_jax.nn import precision
from lowres_jax.nn.batching import BatchedApply
from lowres_jax.recognition.recognizer import NetworkRecognizer

pytestmark = pytest.mark.slow

HIGHEST = jax.lax.Precision.HIGHEST


def products(jaxpr: Any) -> Iterator[Any]:
    """The precision of every matrix product and convolution of a program, those of programs within it too."""
    for equation in jaxpr.eqns:
        if equation.primitive.name in ("dot_general", "conv_general_dilated"):
            yield equation.params["precision"]
        for value in equation.params.values():
            for inner in value if isinstance(value, tuple | list) else (value,):
                inner = getattr(inner, "jaxpr", inner)
                if hasattr(inner, "eqns"):
                    yield from products(inner)


def precisions(function: Any, *arguments: Any) -> set[Any]:
    """The precisions in a function's program, where JAX is told to compute roughly."""
    with jax.default_matmul_precision("bfloat16"):
        return set(products(jax.make_jaxpr(function)(*arguments).jaxpr))


class Small(nn.Module):
    """A convolution and a dense layer."""

    @nn.compact
    def __call__(self, images: jax.Array, train: bool = False) -> jax.Array:
        return nn.Dense(4)(nn.Conv(3, (3, 3))(images).reshape(images.shape[0], -1))


IMAGES = jnp.zeros((2, 16, 16, 3))
VARIABLES = Small().init(jax.random.key(0), IMAGES)


def test_the_look_finds_a_rough_product() -> None:
    assert precisions(Small().apply, VARIABLES, IMAGES) not in ({(HIGHEST, HIGHEST)}, set())


def test_whatever_is_applied_to_rows() -> None:
    mapped = BatchedApply(Small().apply)
    mapped(VARIABLES, np.asarray(IMAGES))
    (compiled,) = mapped._compiled.values()
    assert precisions(compiled, VARIABLES, IMAGES) == {(HIGHEST, HIGHEST)}


def test_templates() -> None:
    recognizer = NetworkRecognizer("small", Small(), VARIABLES, 16)
    recognizer.templates(np.asarray(IMAGES))
    (compiled,) = recognizer._embed._compiled.values()
    assert precisions(compiled, VARIABLES, IMAGES) == {(HIGHEST, HIGHEST)}


def test_detection() -> None:
    detector = mtcnn.Model()
    sizes = np.asarray([16, 16], np.int32)
    assert precisions(mtcnn._propose, detector._proposal, IMAGES, sizes) == {(HIGHEST, HIGHEST)}
    for network, variables, side in ((mtcnn._refine, detector._refinement, 24), (mtcnn._output, detector._output, 48)):
        assert precisions(network, variables, jnp.zeros((1, side, side, 3))) == {(HIGHEST, HIGHEST)}


def test_distances_and_image_quality() -> None:
    mesh = jax.sharding.Mesh(np.asarray(jax.local_devices()[:1]), ("data",))
    count = identification._BLOCK
    numbers, templates = jnp.zeros(count, jnp.int32), jnp.zeros((count, 4))
    found = precisions(
        lambda *rest: identification._all_against_all(mesh, *rest), templates, numbers, numbers, templates, numbers
    )
    assert found == {(HIGHEST, HIGHEST)}
    assert precisions(image_quality._ssim, IMAGES, IMAGES) == {(HIGHEST, HIGHEST)}


def test_a_training_chooses() -> None:
    for chosen, expected in ((precision.FULL, HIGHEST), (precision.DEVICE, jax.lax.Precision.DEFAULT)):
        assert precisions(precision.at(chosen, Small().apply), VARIABLES, IMAGES) == {(expected, expected)}


@pytest.mark.parametrize("chosen", [precision.FULL, precision.DEVICE])
def test_a_gradient_too(chosen: str) -> None:
    def loss(variables: Any, images: Any) -> jax.Array:
        return Small().apply(variables, images).sum()

    expected = HIGHEST if chosen == precision.FULL else jax.lax.Precision.DEFAULT
    assert precisions(precision.at(chosen, jax.grad(loss)), VARIABLES, IMAGES) == {(expected, expected)}
