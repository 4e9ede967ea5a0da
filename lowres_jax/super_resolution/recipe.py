"""What a training of a generator is made of: the keys of its config, and the networks and losses they name."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flax import linen as nn
from ml_collections import ConfigDict

from lowres_jax import configuration
from lowres_jax.data import degradations
from lowres_jax.errors import UserError
from lowres_jax.super_resolution import discriminator
from lowres_jax.training import networks, optimizers, session

_CHOICES = {
    "losses.pixel.kind": ("l1", "mse", "charbonnier"),
    "losses.perceptual.kind": ("l1", "mse", "charbonnier"),
    "losses.adversarial.kind": ("vanilla", "relativistic_average", "hinge"),
    "discriminator.sees": ("rgb", "rgb_and_edges"),
    "discriminator.head": ("dense", "pooled"),
    "compute_dtype": ("float32", "bfloat16"),
}


def default_config() -> ConfigDict:
    """All keys of a training, with defaults that train an SRResNet for L1 alone; configs/*.py change some."""
    config = session.default_config()
    config.task = "train"
    config.sharpness = 0.0  # least variance of the Laplacian of a crop to learn from
    config.crops = 0  # how many are drawn among those; 0: all
    config.hr_size = 128  # side of the HR crops, cut from the middle where records are larger
    config.flip = True  # left and right, one crop in two
    config.degradation = degradations.default_config()

    config.model = ConfigDict(
        {"module": "super_resolution.srresnet", "fields": ConfigDict({"scale": 4}, convert_dict=True)}
    )
    config.compute_dtype = "float32"  # or "bfloat16"; parameters and losses are float32 anyway
    config.start = ""  # name of a model card, or workdir of another training, whose weights to start from
    config.start_weights = ""  # weight file for that card instead of its own

    config.losses = ConfigDict()
    config.losses.pixel = ConfigDict({"weight": 1.0, "kind": "l1", "scale": 1.0})  # scale 2: images in [-1, 1]
    config.losses.perceptual = ConfigDict(
        {"weight": 0.0, "kind": "mse", "scale": 1.0, "network": "sface", "layer": "conv_5_relu", "weights": ""}
    )
    # Of "vgg19": the layer after its ReLU, as in SRGAN's paper (section 2.2.1); ESRGAN's is before it (section 3.2).
    config.losses.perceptual.after_activation = False
    config.losses.adversarial = ConfigDict({"weight": 0.0, "kind": "vanilla", "gradient_penalty": 0.0})
    config.losses.edge = ConfigDict({"weight": 0.0})
    config.losses.identity = ConfigDict({"weight": 0.0, "recognizers": ("sface",), "shares": ()})

    config.discriminator = ConfigDict({"sees": "rgb", "head": "dense", "width": 1.0, "spectral_norm": False})
    config.optimizer = optimizers.default_config()  # of the generator
    config.discriminator_optimizer = optimizers.default_config()
    config.ema = 0.999  # decay of the moving average of the generator, which is the result; 0: none

    config.validation_images = 64  # of the people held out, at most
    config.judge = "sface"  # recogniser of the identity cosine and of LFW's View 1
    config.grid_faces = 6
    return config


def edsr(scale: int) -> ConfigDict:
    """What EDSR's configs share: the baseline of 16 blocks of 64 channels, for L1."""
    config = default_config()
    config.model.module = "super_resolution.edsr"
    config.model.fields.update({"scale": scale, "blocks": 16, "features": 64, "residual_scale": 1.0})
    config.hr_size = 128 // scale * scale
    config.optimizer.update({"learning_rate": 1e-4, "schedule": "step", "decay_at": (0.67,), "decay_factor": 0.5})
    config.steps = 20_000
    return config


def identity(scale: int, start: str) -> ConfigDict:
    """What the identity models' configs share: L1 + 0.1 (1 - cosine) of SFace, from a network that is there already."""
    config = default_config()
    config.model.fields.scale = scale
    config.start = start
    config.losses.pixel.kind = "l1"
    # Moderate: at 0.5 it fits its own judge and no other (docs/training.md).
    config.losses.identity.update({"weight": 0.1, "recognizers": ("sface",)})
    config.optimizer.update({"learning_rate": 2e-4, "schedule": "cosine", "warmup_steps": 100})
    config.steps = 10_000
    return config


def variant(config: ConfigDict, names: str, **changes: Callable[[ConfigDict], ConfigDict]) -> ConfigDict:
    """See `session.variant`; "smoke" is always one of them."""
    return session.variant(config, names, **changes, smoke=smoke)


def smoke(config: ConfigDict) -> ConfigDict:
    """The same training, small enough for seconds on the embedded faces: thin networks, few steps."""
    config.dataset = "orl_faces/mtcnn"
    config.held_out, config.sharpness, config.crops = 0.1, 0.0, 0
    config.discriminator.width = 0.125
    config.batch_size, config.steps, config.epochs = 4, 12, 0.0
    config.evaluate_steps, config.validation_images, config.grid_faces = 6, 8, 3
    config.view1_pairs, config.log_steps = 0, 2
    config.grace_seconds = 2.5
    fields = {"blocks": 1, "features": 16}
    if config.model.module == "super_resolution.rrdbnet":
        fields["growth"] = 8
    config.model.fields.update(fields)
    config.start = ""
    if config.losses.perceptual.network == "vgg19":
        config.losses.perceptual.update({"network": "sface", "layer": "conv_5_relu", "scale": 1.0})
        config.losses.perceptual.after_activation = False
    return config


def check(config: ConfigDict) -> None:
    """Refuses settings that cannot be, before anything is read.

    Raises:
      UserError: names the key.
    """
    for key, valid in _CHOICES.items():
        value: Any = config
        for part in key.split("."):
            value = value[part]
        if value not in valid:
            raise UserError(f"config.{key}={value!r}: {configuration.nearest(str(value), valid)}")
    scale = config.model.fields.scale
    if config.hr_size < 1 or config.hr_size % scale:
        smaller = config.hr_size // scale * scale
        raise UserError(
            f"config.hr_size={config.hr_size}: cannot be divided by the scale, {scale}; "
            f"choose a multiple, as --config.hr_size={max(smaller, scale)}"
        )
    session.check(config)
    if not any(config.losses[name].weight for name in config.losses):
        raise UserError(
            "config.losses: nothing is learnt; give a weight to one of them, as --config.losses.pixel.weight=1"
        )
    sees_edges = config.losses.adversarial.weight and config.discriminator.sees == "rgb_and_edges"
    if sees_edges and not config.losses.edge.weight:
        raise UserError(
            "config.discriminator.sees='rgb_and_edges': the generator tells no edges without "
            "--config.losses.edge.weight=1"
        )
    shares = config.losses.identity.shares
    if shares and len(shares) != len(configuration.names(config.losses.identity.recognizers)):
        raise UserError(f"config.losses.identity.shares={tuple(shares)}: one for each recogniser, or none")


def build_generator(config: ConfigDict) -> nn.Module:
    """The generator that a config names, with an edge head where a loss asks for edges.

    Raises:
      UserError: no such module, or one without such a field.
    """
    more = {"edge_head": True} if config.losses.edge.weight else {}
    return networks.build(config.model, config.compute_dtype, **more)


def build_discriminator(config: ConfigDict) -> nn.Module | None:
    """The discriminator; None where nothing is adversarial."""
    if not config.losses.adversarial.weight:
        return None
    settings = config.discriminator
    module = discriminator.Model(head=settings.head, width=settings.width, spectral_norm=settings.spectral_norm)
    return networks.on_devices(module, config.compute_dtype)


@dataclass(frozen=True)
class Lens:
    """A fixed network through which a loss looks at images: a recogniser, or a network of features.

    Attributes:
      name: of the network.
      weight: of its loss.
      apply: (variables, (B, H, W, 3) in [0, 1]) -> features or embeddings, differentiable.
      variables: of the network.
    """

    name: str
    weight: float
    apply: Callable[[Any, Any], Any]
    variables: Any
