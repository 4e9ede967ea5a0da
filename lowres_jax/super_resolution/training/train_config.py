"""Config of a training of a generator: its keys, and the networks and losses they name."""

import dataclasses
from collections.abc import Callable

from flax import linen as nn
from ml_collections import ConfigDict

from lowres_jax import config_keys
from lowres_jax.config_keys import Free, Key
from lowres_jax.data import degradations
from lowres_jax.errors import UserError
from lowres_jax.localization.align import CROP_SIZE
from lowres_jax.runtime import configuration
from lowres_jax.super_resolution.training import discriminator
from lowres_jax.training import networks, optimizers, session

_THIN = {"blocks": 1, "features": 16, "growth": 8}

Change = Callable[[ConfigDict], ConfigDict]  # what a variant makes of a config

_DISTANCE = Key("l1", "Distance.", choices=("l1", "mse", "charbonnier"))
_SCALE = Key(1.0, "Images are multiplied by it; 2: as in [-1, 1].", above=0)


def _weight(default: float = 0.0) -> Key:
    return Key(default, "Weight of this loss; 0: none.", least=0)


KEYS = session.KEYS | {
    "sharpness": Key(0.0, "Smallest variance of the Laplacian of a crop to learn from.", least=0),
    "crops": Key(0, "Number of crops drawn among those; 0: all.", least=0),
    "hr_size": Key(CROP_SIZE, "Side of the HR crops, cut from the middle where records are larger.", least=1),
    "flip": Key(True, "Mirror one crop in two."),
    "degradation": degradations.KEYS,
    "model": {
        "module": Key("super_resolution.srresnet", "Module of the network.", filled=True),
        "fields": Free({"scale": 4}, "Field of the network's module."),
    },
    "compute_dtype": Key(
        "float32",
        "Dtype of the networks' computation; parameters and losses are always float32.",
        choices=("float32", "bfloat16"),
    ),
    "start": Key(None, "Initial weights: a model card, or the workdir of another training; None: random.", kind=str),
    "losses": {
        "pixel": {"weight": _weight(1.0), "kind": _DISTANCE, "scale": _SCALE},
        "perceptual": {
            "weight": _weight(),
            "kind": dataclasses.replace(_DISTANCE, default="mse"),
            "scale": dataclasses.replace(_SCALE, meaning="Factor of the features."),
            "network": Key("sface", "Network of the features: vgg19, or a recognizer.", filled=True),
            "layer": Key("conv_5_relu", "Layer of the features.", filled=True),
            "weights": Key(None, "Weight file of vgg19.", kind=str),
            "after_activation": Key(
                False,
                "Of vgg19: the layer after its ReLU, as in SRGAN's paper (section 2.2.1); ESRGAN's is before it "
                "(section 3.2).",
            ),
        },
        "adversarial": {
            "weight": _weight(),
            "kind": Key(
                "vanilla",
                "Kind of the loss of generator and discriminator.",
                choices=("vanilla", "relativistic_average", "hinge"),
            ),
            "gradient_penalty": Key(0.0, "Weight of R1, the discriminator's gradient at real images.", least=0),
        },
        "edge": {"weight": _weight()},
        "identity": {
            "weight": _weight(),
            "recognizers": Key(("sface",), "Recognizers that compare the images."),
            "shares": Key((), "Share of each recognizer; none: equal shares.", kind=float, least=0),
            "random_views": Key(
                False,
                "Show them both images with the same random shift (up to 2 px), zoom, mirroring and "
                "noise, drawn each step.",
            ),
            "strangers": {
                "weight": Key(
                    0.0,
                    "Weight of InfoNCE, a face's own original against the nearest strangers among the "
                    "training crops, by the first recognizer; 0: none.",
                    least=0,
                ),
                "nearest": Key(20, "Number of strangers for each face.", least=1),
                "temperature": Key(0.1, "Temperature of the cosines.", above=0),
            },
        },
    },
    "discriminator": {
        "sees": Key("rgb", "Input of the discriminator.", choices=("rgb", "rgb_and_edges")),
        "head": Key(
            "dense",
            "Head of the discriminator: SRGAN's two dense layers, or a mean over the picture.",
            choices=("dense", "pooled"),
        ),
        "width": Key(1.0, "Factor of the discriminator's channels.", above=0, most=16),
    },
    "optimizer": optimizers.KEYS,
    "discriminator_optimizer": optimizers.KEYS,
    "ema": Key(0.999, "Decay of the moving average of the generator, which is the result; 0: none.", least=0, below=1),
    "validation_images": Key(64, "Largest number of images of the people held out.", least=1, affects_result=False),
    "judge": Key("sface", "Recognizer of the identity cosine and of LFW's View 1.", filled=True),
    "grid_faces": Key(6, "Number of faces in the picture of an evaluation.", least=1, affects_result=False),
}


def default_config() -> ConfigDict:
    """All keys of a training, with defaults that train an SRResNet for L1 alone; configs/*.py change some."""
    return config_keys.new(KEYS, "train")


def edsr(scale: int) -> ConfigDict:
    """Common part of EDSR's configs: the baseline of 16 blocks of 64 channels, for L1."""
    config = default_config()
    config.model.module = "super_resolution.edsr"
    config.model.fields.update({"scale": scale, "blocks": 16, "features": 64, "residual_scale": 1.0})
    config.hr_size = CROP_SIZE // scale * scale
    config.optimizer.update({"learning_rate": 1e-4, "schedule": "step", "decay_at": (0.67,), "decay_factor": 0.5})
    config.steps = 20_000
    return config


def identity(scale: int, start: str) -> ConfigDict:
    """Common part of the identity models' configs: L1 + 0.1 (1 - cosine) of SFace, from an existing network."""
    config = default_config()
    config.model.fields.scale = scale
    config.start = start
    config.losses.pixel.kind = "l1"
    # Moderate: at 0.5 it fits its own judge and no other (docs/train.md).
    config.losses.identity.update({"weight": 0.1, "recognizers": ("sface",)})
    config.optimizer.update({"learning_rate": 2e-4, "schedule": "cosine", "warmup_steps": 100})
    config.steps = 10_000
    return config


def variant(config: ConfigDict, names: str, **changes: Change) -> ConfigDict:
    """See `configuration.variant`; "smoke" is always one of them."""
    return configuration.variant(config, names, **changes, smoke=smoke)


def smoke(config: ConfigDict) -> ConfigDict:
    """The same training, small enough for seconds on the embedded faces: thin networks, few steps."""
    config.dataset = "orl_faces/mtcnn"
    config.held_out, config.sharpness, config.crops = 0.1, 0.0, 0
    config.discriminator.width = 0.125
    config.batch_size, config.steps, config.epochs = 4, 12, 0.0
    config.evaluate_steps, config.validation_images, config.grid_faces = 6, 8, 3
    config.view1_pairs, config.log_steps = 0, 2
    config.grace_seconds = 2.5
    # Of a network of somebody's own, what it has of these.
    known = networks.fields(config.model.module)
    config.model.fields.update({name: value for name, value in _THIN.items() if name in known})
    config.start = None
    if config.losses.perceptual.network == "vgg19":
        config.losses.perceptual.update({"network": "sface", "layer": "conv_5_relu", "scale": 1.0})
        config.losses.perceptual.after_activation = False
    return config


def check(config: ConfigDict) -> None:
    """Refuses settings that cannot be, before anything is read.

    Raises:
      UserError: names the key.
    """
    session.check(config, KEYS)
    scale = config.model.fields.scale
    if not isinstance(scale, int) or scale < 1:
        raise UserError(f"config.model.fields.scale={scale}: must be a whole number, 1 or more")
    if config.hr_size % scale:
        smaller = config.hr_size // scale * scale
        raise UserError(
            f"config.hr_size={config.hr_size}: cannot be divided by the scale, {scale}; "
            f"choose a multiple, as --config.hr_size={max(smaller, scale)}"
        )
    if not any(config.losses[name].weight for name in config.losses):
        raise UserError(
            "config.losses: nothing is learned; give a weight to one of them, as --config.losses.pixel.weight=1"
        )
    sees_edges = config.losses.adversarial.weight and config.discriminator.sees == "rgb_and_edges"
    if sees_edges and not config.losses.edge.weight:
        raise UserError(
            "config.discriminator.sees='rgb_and_edges': the generator tells no edges without "
            "--config.losses.edge.weight=1"
        )
    if config.losses.identity.strangers.weight and not config.losses.identity.weight:
        raise UserError(
            "config.losses.identity.strangers.weight: strangers are told apart by the recognizers of the identity "
            "loss; give that a weight too, as --config.losses.identity.weight=0.1"
        )
    shares = config.losses.identity.shares
    if shares and len(shares) != len(configuration.names(config.losses.identity.recognizers)):
        raise UserError(f"config.losses.identity.shares={tuple(shares)}: one for each recognizer, or none")


def lr_size(config: ConfigDict) -> int:
    """Side, in pixels, of the LR images that a config trains for."""
    return config.hr_size // config.model.fields.scale


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
    module = discriminator.Model(head=settings.head, width=settings.width)
    return networks.on_devices(module, config.compute_dtype)
