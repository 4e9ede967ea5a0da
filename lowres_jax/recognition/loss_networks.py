"""Fixed networks through which the losses of a generator look at its images."""

import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Float, Shaped

from lowres_jax.data import resize
from lowres_jax.errors import UserError
from lowres_jax.nn import vgg19
from lowres_jax.pretrained import keras_h5, resnet_weights
from lowres_jax.pretrained.weights import find_fetched_file
from lowres_jax.recognition import resnet
from lowres_jax.recognition.recognizer import NetworkRecognizer, Recognizer, load_recognizer
from lowres_jax.runtime import configuration
from lowres_jax.training.loss_networks import FrozenNetwork
from lowres_jax.utils.shapes import Array


def identity_networks(
    recognizers: Sequence[Recognizer], weight: float, shares: Sequence[float] = ()
) -> list[FrozenNetwork]:
    """Recognizers whose embeddings an identity loss compares.

    Args:
      recognizers: recognizers of the loss.
      weight: weight of the whole loss.
      shares: share of each recognizer in it, brought to a sum of 1; none: equal ones.

    Raises:
      UserError: a recognizer is not differentiable.
    """
    shares = list(shares) or [1.0] * len(recognizers)
    lenses = []
    for recognizer, share in zip(recognizers, shares, strict=True):
        network = _differentiable(recognizer)

        def embed(
            variables: Any, images: Shaped[Array, "B H W C"], network: NetworkRecognizer = network
        ) -> Float[jax.Array, "B D"]:
            return network.module.apply(variables, _fitted(images, network.input_size))

        lenses.append(FrozenNetwork(network.name, weight * share / sum(shares), embed, network.variables))
    return lenses


def perceptual_network(
    network: str, layer: str, weight: float, weights: str | None = None, after_activation: bool = False
) -> FrozenNetwork:
    """The features of one layer of a network, for a perceptual loss.

    Args:
      network: "vgg19"; "resnet50", trained on ImageNet, fetched or by path; or the card of a recognizer.
      layer: layer whose output is compared; of VGG19 a convolution ("block5_conv4" is SRGAN's VGG54).
      weight: weight of the loss.
      weights: a weight file; VGG19 has none of its own.
      after_activation: true for VGG19's features after the layer's ReLU; for other networks the layer's name says it.

    Of ResNet-50 layers are named as Keras's ("conv3_block4_3_bn"), and pictures keep their size.

    Raises:
      UserError: no such network or layer; the weights are missing or another network's.
    """
    if network == "vgg19":
        if not weights:
            raise UserError(
                "config.losses.perceptual.weights is empty: VGG19 needs a Keras weight file "
                "(keras.applications.VGG19); without one compare features of a recognizer, as "
                "--config.losses.perceptual.network=sface --config.losses.perceptual.layer=conv_5_relu"
            )
        variables = keras_h5.vgg19(weights)
        names = sorted(variables["params"])
        _check_layer(network, layer, names)
        module = vgg19.Model(last=layer)
        # Layers behind the last one are not part of the module.
        kept = {name: variables["params"][name] for name in names if name <= layer}

        def of_vgg(variables: Any, images: Shaped[Array, "B H W C"]) -> jax.Array:
            features = module.apply(variables, images)
            return jax.nn.relu(features) if after_activation else features

        return FrozenNetwork(network, weight, of_vgg, jax.device_get({"params": kept}))
    if after_activation:
        raise UserError(
            f"config.losses.perceptual.after_activation=True: {network} names its activations as layers; choose one of "
            "them as --config.losses.perceptual.layer"
        )
    module, variables, size = _imagenet(weights) if network == "resnet50" else _of_recognizer(network, weights)

    def features(variables: Any, images: Shaped[Array, "B H W C"]) -> Shaped[jax.Array, "..."]:
        return _captured(module, layer, variables, _fitted(images, size) if size else images)

    example = jax.ShapeDtypeStruct((1, size or 64, size or 64, 3), jnp.float32)
    _check_layer(network, layer, sorted(jax.eval_shape(functools.partial(_all_captured, module), variables, example)))
    return FrozenNetwork(network, weight, features, variables)


def _of_recognizer(name: str, weights: str | None) -> tuple[nn.Module, Any, int]:
    recognizer = _differentiable(load_recognizer(name, weights))
    return recognizer.module, recognizer.variables, recognizer.input_size


def _imagenet(path: str | None) -> tuple[nn.Module, Any, int]:
    """ResNet-50 up to its pooling, for pictures of any size."""
    path = path or str(find_fetched_file("resnet50", "model.json"))
    found = resnet_weights.resnet50(path)
    # The copy for TensorFlow.js was made with another epsilon than Keras's own files.
    module = resnet.Backbone(epsilon=1e-3 if path.endswith(".json") else 1.001e-5)
    return module, jax.device_put({kind: found[kind]["backbone"] for kind in ("params", "batch_stats")}), 0


def _check_layer(network: str, layer: str, valid: Sequence[str]) -> None:
    if layer not in valid:
        nearest = configuration.nearest(layer, valid)
        raise UserError(f"config.losses.perceptual.layer={layer!r}: {network} has no such layer; {nearest}")


def _differentiable(recognizer: Recognizer) -> NetworkRecognizer:
    if not isinstance(recognizer, NetworkRecognizer):
        raise UserError(
            f"recognizer {recognizer.name!r}: is not differentiable and cannot be part of a loss; it may judge "
            "(--config.judge)"
        )
    return recognizer


def _fitted(images: jax.Array, size: int) -> jax.Array:
    """`recognizer.fit` within a step; images smaller than the input are no business of a loss."""
    if min(images.shape[1:3]) < size:
        return jax.image.resize(images, (images.shape[0], size, size, images.shape[3]), "cubic")
    return resize.downscale_area_on_device(images, size, size)


def _captured(module: nn.Module, layer: str, variables: Any, images: jax.Array) -> jax.Array:
    _, kept = module.apply(
        variables, images, capture_intermediates=lambda found, _: found.name == layer, mutable=["intermediates"]
    )
    return kept["intermediates"][layer]["__call__"][0]


def _all_captured(module: Any, variables: Any, images: jax.Array) -> dict[str, Any]:
    _, kept = module.apply(variables, images, capture_intermediates=True, mutable=["intermediates"])
    return {name: found for name, found in kept["intermediates"].items() if isinstance(found, dict)}
