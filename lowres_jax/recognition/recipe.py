"""What a training of a recogniser is made of: the keys of its config, checked."""

import jax.numpy as jnp
from flax import linen as nn
from ml_collections import ConfigDict

from lowres_jax import configuration
from lowres_jax.errors import UserError
from lowres_jax.recognition import margins, resnet
from lowres_jax.training import optimizers, session
from lowres_jax.training.devices import AXIS


def default_config() -> ConfigDict:
    """All keys of a training of a recogniser; configs/recognizer*.py change some."""
    config = session.default_config()
    config.task = "train_recognizer"
    config.held_out = 0.0  # share of the people, of whom nothing is learnt
    config.identities = 0  # the first so many people of the set; 0: all
    config.held_out_images = 0.0  # share of everybody's images, for the accuracy among the people learnt
    config.balanced = False  # everybody as often as the person with most images, instead of every image once

    config.size = 112  # side of the input
    config.flip = True  # left and right, one crop in two
    # A share of the crops is reduced to one of these sizes and enlarged again, so that small faces are learnt too.
    config.low_resolution = ConfigDict({"share": 0.0, "sizes": (8, 12, 16, 24, 32, 48)})
    config.brightness = 0.0  # a factor between 1 - this and 1 + this

    config.model = ConfigDict({"depth": 50, "stride_in_3x3": False, "stem": "imagenet", "embedding": 512})
    config.model.update({"dropout": 0.4, "epsilon": 1.001e-5})
    config.compute_dtype = "float32"  # or "bfloat16"; parameters, templates and losses are float32 anyway
    config.start = ""  # "imagenet" (fetched ResNet-50), a Keras .h5 or model.json, or workdir of another training
    config.frozen_steps = 0  # of the backbone, at the beginning

    config.losses = ConfigDict()
    config.losses.classification = ConfigDict({"weight": 1.0, "kind": "arcface", "scale": 64.0, "margin": 0.5})
    config.losses.classification.smoothing = 0.0
    config.losses.distillation = ConfigDict({"weight": 0.0, "teacher": "sface"})  # 1 - cosine to the teacher's template

    config.optimizer = optimizers.default_config()
    config.optimizer.update({"name": "sgd", "learning_rate": 0.1, "weight_decay": 5e-4})
    config.ema = 0.0

    config.view1_lr_size = 32  # View 1 is looked at as it is, and reduced to this and enlarged by bicubic
    return config


def variant(config: ConfigDict, name: str) -> ConfigDict:
    """See `session.variant`."""
    return session.variant(config, name, smoke)


def smoke(config: ConfigDict) -> ConfigDict:
    """The same training, small enough for seconds on the embedded faces: a small network, few steps."""
    config.dataset = "orl_faces/mtcnn"
    config.size, config.start, config.frozen_steps = 64, "", min(config.frozen_steps, 2)
    config.model.depth = 18
    config.batch_size, config.steps, config.epochs = 8, 8, 0.0
    config.evaluate_steps, config.view1_pairs, config.log_steps = 4, 0, 2
    config.grace_seconds = 2.5
    return config


def check(config: ConfigDict) -> None:
    """Refuses settings that cannot be, before anything is read.

    Raises:
      UserError: names the key.
    """
    session.check(config)
    settings = config.losses.classification
    choices = {
        "losses.classification.kind": (settings.kind, margins.KINDS),
        "model.stem": (config.model.stem, ("imagenet", "face")),
        "compute_dtype": (config.compute_dtype, ("float32", "bfloat16")),
    }
    for key, (value, valid) in choices.items():
        if value not in valid:
            raise UserError(f"config.{key}={value!r}: {configuration.nearest(str(value), valid)}")
    if config.model.depth not in resnet.DEPTHS:
        raise UserError(f"config.model.depth={config.model.depth}: choose of {', '.join(map(str, resnet.DEPTHS))}")
    if not settings.weight and not config.losses.distillation.weight:
        raise UserError("config.losses: nothing is learnt; give a weight to classification or distillation")
    if not 0 <= config.held_out_images < 1 or not 0 <= config.low_resolution.share <= 1:
        raise UserError("config.held_out_images must be a share below 1, config.low_resolution.share one up to 1")
    if settings.scale <= 0 or settings.margin < 0 or not 0 <= settings.smoothing < 1:
        raise UserError("config.losses.classification: scale must be positive, margin not negative, smoothing below 1")
    if config.size < 32:
        raise UserError(f"config.size={config.size}: must be 32 pixels or more")


def build(config: ConfigDict) -> nn.Module:
    """The network that a config names, with batch statistics shared by all devices."""
    return resnet.Model(**config.model.to_dict(), axis_name=AXIS, dtype=jnp.dtype(config.compute_dtype))
