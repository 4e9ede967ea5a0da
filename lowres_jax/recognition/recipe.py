"""What a training of a recogniser is made of: the keys of its config, checked."""

from flax import linen as nn
from ml_collections import ConfigDict

from lowres_jax import configuration
from lowres_jax.data import degradations
from lowres_jax.errors import UserError
from lowres_jax.recognition import margins, resnet
from lowres_jax.training import networks, optimizers, session

RESNET = "recognition.resnet"


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
    # Of a face a square is shown, from anywhere in it, whose side is between 1 - this and 1 of the crop's.
    config.zoom = 0.0
    # A share of the crops is reduced to one of these sizes and enlarged again, so that small faces are learnt too.
    # Of these again a share is degraded on the way, as `degradation` says.
    config.low_resolution = ConfigDict({"share": 0.0, "sizes": (8, 12, 16, 24, 32, 48), "degraded": 0.0})
    config.degradation = degradations.default_config()
    config.brightness = 0.0  # a factor between 1 - this and 1 + this

    fields = {"depth": 50, "stride_in_3x3": False, "stem": "imagenet", "embedding": 512, "dropout": 0.4}
    config.model = ConfigDict({"module": RESNET, "fields": fields | {"epsilon": 1.001e-5}})
    config.compute_dtype = "float32"  # or "bfloat16"; parameters, templates and losses are float32 anyway
    # "imagenet" (fetched ResNet-50), a model card, a Keras .h5 or model.json, or workdir of another training.
    config.start = ""
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


def distillation() -> ConfigDict:
    """What the configs of students share: no labels, a teacher's templates by cosine, Adam."""
    config = default_config()
    config.losses.classification.weight = 0.0
    config.losses.distillation.weight = 1.0
    config.optimizer.update({"name": "adam", "weight_decay": 0.0, "schedule": "cosine", "warmup_steps": 100})
    config.batch_size = 32
    return config


def variant(config: ConfigDict, names: str) -> ConfigDict:
    """See `session.variant`."""
    return session.variant(config, names, smoke=smoke)


def smoke(config: ConfigDict) -> ConfigDict:
    """The same training, small enough for seconds on the embedded faces: a small network, few steps."""
    config.dataset = "orl_faces/mtcnn"
    config.size, config.start, config.frozen_steps = 64, "", min(config.frozen_steps, 2)
    config.model.fields.update({"depth": 18} if config.model.module == RESNET else {"widths": (8,) * 14})
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
        "compute_dtype": (config.compute_dtype, ("float32", "bfloat16")),
    }
    for key, (value, valid) in choices.items():
        if value not in valid:
            raise UserError(f"config.{key}={value!r}: {configuration.nearest(str(value), valid)}")
    if config.frozen_steps and config.model.module != RESNET:
        raise UserError(f"config.frozen_steps={config.frozen_steps}: {config.model.module} has no backbone to freeze")
    if config.model.module == RESNET:
        depth, stem = config.model.fields.depth, config.model.fields.stem
        if depth not in resnet.DEPTHS:
            raise UserError(f"config.model.fields.depth={depth}: choose of {', '.join(map(str, resnet.DEPTHS))}")
        if stem not in resnet.STEMS:
            raise UserError(f"config.model.fields.stem={stem!r}: {configuration.nearest(stem, resnet.STEMS)}")
    if not settings.weight and not config.losses.distillation.weight:
        raise UserError("config.losses: nothing is learnt; give a weight to classification or distillation")
    shares = config.low_resolution.share, config.low_resolution.degraded
    if not 0 <= config.held_out_images < 1 or not all(0 <= share <= 1 for share in shares):
        raise UserError(
            "config.held_out_images must be a share below 1, config.low_resolution.share and .degraded shares up to 1"
        )
    if config.low_resolution.degraded and degradations.Degradation.of(config.degradation).plain:
        raise UserError("config.low_resolution.degraded: config.degradation degrades nothing; give it bounds")
    if settings.scale <= 0 or settings.margin < 0 or not 0 <= settings.smoothing < 1:
        raise UserError("config.losses.classification: scale must be positive, margin not negative, smoothing below 1")
    if not 0 <= config.zoom <= 0.5:
        raise UserError(f"config.zoom={config.zoom}: must be a share up to 0.5, half of the face's side")
    if config.size < 32:
        raise UserError(f"config.size={config.size}: must be 32 pixels or more")


def build(config: ConfigDict) -> nn.Module:
    """The network that a config names, with batch statistics shared by all devices."""
    return networks.build(config.model, config.compute_dtype)
