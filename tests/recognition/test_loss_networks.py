"""The fixed networks of losses: what they compare, and which are refused.

Covers `nn/vgg19.py` too.
"""

from pathlib import Path

import h5py
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lowres_jax.errors import UserError
from lowres_jax.recognition.loss_networks import identity_networks, perceptual_network
from lowres_jax.recognition.recognizer import NetworkRecognizer

pytestmark = pytest.mark.slow

BLOCKS = ((2, 64), (2, 128), (4, 256), (4, 512), (4, 512))


class Opaque:
    """A recognizer that is no network of ours."""

    name, input_size, dimension = "opaque", 112, 2

    def templates(self, images: np.ndarray) -> np.ndarray:
        return np.tile(np.float32([1, 0]), (len(images), 1))


def test_a_recognizer_that_is_not_differentiable_is_refused() -> None:
    with pytest.raises(UserError, match=r"recognizer 'opaque': is not differentiable"):
        identity_networks([Opaque()], 0.1)


def test_identity_sees_what_the_recognizer_sees(recognizer: NetworkRecognizer, orl_faces: np.ndarray) -> None:
    lens, other = identity_networks([recognizer, recognizer], 0.4, (3.0, 1.0))
    assert (lens.weight, other.weight) == pytest.approx((0.3, 0.1))
    embeddings = np.asarray(jax.jit(lens.apply)(lens.variables, orl_faces[:2]))
    templates = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    np.testing.assert_allclose(templates, recognizer.templates(orl_faces[:2]), atol=1e-4)


def test_features_of_a_layer(recognizer: NetworkRecognizer, orl_faces: np.ndarray) -> None:
    lens = perceptual_network("sface", "conv_5_relu", 1.0)
    assert jax.eval_shape(lens.apply, lens.variables, orl_faces[:1]).shape == (1, 28, 28, 256)
    with pytest.raises(UserError, match=r"layer='conv_5_rel': sface has no such layer; did you mean 'conv_5_relu'"):
        perceptual_network("sface", "conv_5_rel", 1.0)


@pytest.fixture(scope="module")
def vgg(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights in the layout of keras.applications.VGG19."""
    path, generator, channels, names = tmp_path_factory.mktemp("vgg") / "vgg19.h5", np.random.default_rng(0), 3, []
    with h5py.File(path, "w") as file:
        for block, (count, width) in enumerate(BLOCKS, start=1):
            for number in range(1, count + 1):
                name = f"block{block}_conv{number}"
                group = file.create_group(name)
                group.attrs["weight_names"] = [f"{name}/kernel:0".encode(), f"{name}/bias:0".encode()]
                kernel = generator.normal(size=(3, 3, channels, width)) * np.sqrt(2 / (9 * channels))
                group[f"{name}/kernel:0"] = kernel.astype(np.float32)
                group[f"{name}/bias:0"] = np.full(width, 0.1, np.float32)
                names.append(name.encode())
                channels = width
        file.attrs["layer_names"] = names
    return path


def test_vgg19_before_its_activation(vgg: Path) -> None:
    image = np.random.default_rng(1).random((1, 32, 32, 3)).astype(np.float32)
    lens = perceptual_network("vgg19", "block5_conv4", 1.0, str(vgg))
    found = lens.apply(lens.variables, image)
    # The same, layer by layer.
    features = jnp.asarray(image[..., ::-1] * 255 - np.float32([103.939, 116.779, 123.68]))
    with h5py.File(vgg) as file:
        for block, (count, _) in enumerate(BLOCKS, start=1):
            for number in range(1, count + 1):
                name = f"block{block}_conv{number}"
                kernel = np.asarray(file[f"{name}/{name}/kernel:0"])
                features = 0.1 + jax.lax.conv_general_dilated(
                    features, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
                )
                if name != "block5_conv4":
                    features = jax.nn.relu(features)
            if block < 5:
                features = jax.lax.reduce_window(features, -jnp.inf, jax.lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
    assert found.shape == (1, 2, 2, 512)
    assert float(found.min()) < 0
    np.testing.assert_allclose(found, features, rtol=1e-3, atol=1e-2)
    after = perceptual_network("vgg19", "block5_conv4", 1.0, str(vgg), after_activation=True)
    np.testing.assert_array_equal(after.apply(after.variables, image), np.maximum(found, 0))
    with pytest.raises(UserError, match=r"after_activation=True: sface names its activations as layers"):
        perceptual_network("sface", "conv_5_batchnorm", 1.0, after_activation=True)


def test_weights_that_are_missing_or_of_another_network(vgg: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"weights is empty: VGG19 needs a Keras weight file"):
        perceptual_network("vgg19", "block5_conv4", 1.0)
    with pytest.raises(UserError, match=r"nowhere\.h5: no Keras weights"):
        perceptual_network("vgg19", "block5_conv4", 1.0, str(tmp_path / "nowhere.h5"))
    with pytest.raises(UserError, match=r"layer='block5_conv5': vgg19 has no such layer"):
        perceptual_network("vgg19", "block5_conv5", 1.0, str(vgg))
