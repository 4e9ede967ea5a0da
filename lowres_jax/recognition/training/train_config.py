"""Config of a training of a recognizer: its keys, checked."""

from flax import linen as nn
from ml_collections import ConfigDict

from lowres_jax import config_keys
from lowres_jax.config_keys import Free, Key
from lowres_jax.data import degradations
from lowres_jax.errors import UserError
from lowres_jax.recognition import resnet
from lowres_jax.recognition.training import margins
from lowres_jax.runtime import configuration
from lowres_jax.training import networks, optimizers, session

RESNET, SMALL = "recognition.resnet", "recognition.sface_small"


KEYS = session.KEYS | {
    "held_out": Key(0.0, "Share of the people that are held out.", least=0, below=1),
    "identities": Key(0, "Number of people, the first ones of the set; 0: all.", least=0),
    "held_out_images": Key(
        0.0,
        "Share of each person's images that is held out, for the accuracy among the people learned.",
        least=0,
        below=1,
    ),
    "size": Key(112, "Side of the input, in pixels.", least=32, most=1024),
    "flip": Key(True, "Mirror one crop in two."),
    "zoom": Key(
        0.0,
        "Largest share by which a random square of the crop is smaller than the crop.",
        least=0,
        most=0.5,
    ),
    "low_resolution": {
        "share": Key(
            0.0,
            "Share of the crops that is reduced to one of the sizes and enlarged again, so that "
            "small faces are learned too.",
            least=0,
            most=1,
        ),
        "sizes": Key(
            (8, 12, 16, 24, 32, 48), "Sides of these small faces, in pixels.", least=1, most=1024, filled=True
        ),
        "degraded": Key(0.0, "Share of these that is degraded too, by degradation.", least=0, most=1),
    },
    "small_faces": {
        "native": Key(
            (8, 40),
            "Bounds of a face's side in the photograph, in pixels; drawn evenly in their logarithm.",
            least=4,
            most=112,
            length=2,
        ),
        "sides": Key((8, 16, 24, 32, 48), "Sides at which small faces are cut, in pixels.", least=4, filled=True),
        "upscalers": Key(
            ("identity", "identity_x8"), "Models that enlarge the faces, each those of its size.", filled=True
        ),
        "share": Key(
            0.7,
            "Share of the learned change that the result has; a smaller one keeps more of what SFace knew.",
            above=0,
            most=1,
        ),
        "by_model": Key(
            0.7, "Share of the faces that the models enlarge; bicubic enlarges the others.", least=0, most=1
        ),
        "degraded": Key(0.5, "Share of the faces that is degraded too, by degradation.", least=0, most=1),
    },
    "degradation": degradations.KEYS,
    "brightness": Key(
        0.0, "Largest change of brightness: the factor is between 1 - this and 1 + this.", least=0, most=1
    ),
    "model": {
        "module": Key(RESNET, "Module of the network.", filled=True),
        "fields": Free(
            {"depth": 50, "stride_in_3x3": False, "stem": "imagenet", "embedding": 512, "dropout": 0.4}
            | {"epsilon": 1.001e-5},
            "Field of the network's module.",
        ),
    },
    "compute_dtype": Key(
        "float32",
        "Dtype of the network's computation; parameters, templates and losses are always float32.",
        choices=("float32", "bfloat16"),
    ),
    "start": Key(
        None,
        "Initial weights: imagenet (fetched ResNet-50), a model card, a Keras .h5 or "
        "model.json, or the workdir of another training; None: random.",
        kind=str,
    ),
    "frozen_steps": Key(0, "Number of first steps in which the backbone is frozen.", least=0),
    "losses": {
        "classification": {
            "weight": Key(1.0, "Weight of this loss; 0: none.", least=0),
            "kind": Key("arcface", "Kind of margin.", choices=margins.KINDS),
            "scale": Key(64.0, "Temperature of the cosines.", above=0),
            "margin": Key(0.5, "Margin of the right class.", least=0),
            "smoothing": Key(0.0, "Smoothing of the labels.", least=0, below=1),
        },
        "distillation": {
            "weight": Key(0.0, "Weight of 1 - cosine to the teacher's template; 0: none.", least=0),
            "teacher": Key("sface", "Recognizer whose templates are learned.", filled=True),
        },
        "enrolled": {
            "weight": Key(
                0.0,
                "Weight of 1 - cosine of a small face (small_faces) to the template of its original, "
                "or of the person's other pictures; 0: none.",
                least=0,
            ),
            "teacher": Key("sface", "Recognizer of what is enrolled.", filled=True),
            "others": Key(
                0.5, "Share of the faces that is compared with the person's other pictures.", least=0, most=1
            ),
        },
        "strangers": {
            "weight": Key(0.0, "Weight of InfoNCE against the nearest strangers; needs enrolled.", least=0),
            "nearest": Key(30, "Number of strangers for each face.", least=1),
            "temperature": Key(0.1, "Temperature of the cosines.", above=0),
        },
    },
    "optimizer": optimizers.KEYS,
    "ema": Key(0.0, "Decay of the moving average of the network, which is the result; 0: none.", least=0, below=1),
    "view1_lr_size": Key(
        32, "Size in pixels to which View 1 is reduced for a second evaluation, enlarged by bicubic.", least=1, most=112
    ),
}


def default_config() -> ConfigDict:
    """All keys of a training of a recognizer; configs/recognizer*.py change some."""
    config = config_keys.new(KEYS, "train_recognizer")
    config.optimizer.update({"name": "sgd", "learning_rate": 0.1, "weight_decay": 5e-4})
    return config


def distillation() -> ConfigDict:
    """Common part of the configs of students: no labels, a teacher's templates by cosine, Adam."""
    config = default_config()
    config.losses.classification.weight = 0.0
    config.losses.distillation.weight = 1.0
    config.optimizer.update({"name": "adam", "weight_decay": 0.0, "schedule": "cosine", "warmup_steps": 100})
    config.batch_size = 32
    return config


def variant(config: ConfigDict, names: str) -> ConfigDict:
    """See `configuration.variant`."""
    return configuration.variant(config, names, smoke=smoke)


def smoke(config: ConfigDict) -> ConfigDict:
    """The same training, small enough for seconds on the embedded faces: a small network, few steps."""
    config.dataset = "orl_faces/mtcnn"
    config.size, config.start, config.frozen_steps = 64, None, min(config.frozen_steps, 2)
    config.model.fields.update({"depth": 18} if config.model.module == RESNET else {"widths": (8,) * 14})
    config.small_faces.upscalers = ("bicubic",)
    config.batch_size, config.steps, config.epochs = 8, 8, 0.0
    config.evaluate_steps, config.view1_pairs, config.log_steps = 4, 0, 2
    config.grace_seconds = 2.5
    return config


def check(config: ConfigDict) -> None:
    """Refuses settings that cannot be, before anything is read.

    Raises:
      UserError: names the key.
    """
    session.check(config, KEYS)
    if config.frozen_steps and config.model.module != RESNET:
        raise UserError(f"config.frozen_steps={config.frozen_steps}: {config.model.module} has no backbone to freeze")
    if config.model.module == RESNET:
        depth, stem = config.model.fields.depth, config.model.fields.stem
        if depth not in resnet.DEPTHS:
            raise UserError(f"config.model.fields.depth={depth}: choose of {', '.join(map(str, resnet.DEPTHS))}")
        if stem not in resnet.STEMS:
            raise UserError(f"config.model.fields.stem={stem!r}: {configuration.nearest(stem, resnet.STEMS)}")
    learned = [name for name in ("classification", "distillation", "enrolled") if config.losses[name].weight]
    if not learned:
        raise UserError("config.losses: nothing is learned; give a weight to classification, distillation or enrolled")
    if "enrolled" in learned and not config.held_out:
        raise UserError("config.held_out=0: a recognizer of small faces is judged by people held out; give a share")
    if "enrolled" in learned and len(learned) > 1:
        raise UserError("config.losses.enrolled: is learned alone, from small faces; give the others no weight")
    if config.losses.strangers.weight and "enrolled" not in learned:
        raise UserError("config.losses.strangers: are told from what is enrolled; give losses.enrolled a weight")
    if config.low_resolution.degraded and degradations.Degradation.of(config.degradation).plain:
        raise UserError("config.low_resolution.degraded: config.degradation degrades nothing; give it bounds")


def build(config: ConfigDict) -> nn.Module:
    """The network that a config names, with batch statistics shared by all devices."""
    return networks.build(config.model, config.compute_dtype)
