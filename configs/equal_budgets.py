"""Train the face models of one comparison: one network, set, optimizer and number of steps, only the losses differ.

    CONFIGS="$(python configs/equal_budgets.py)" launch/train_queue.sh workdirs/equal_budgets
    python -m lowres_jax.main --config=configs/equal_budgets.py:pixels --workdir=workdirs/equal_budgets/pixels
    python -m lowres_jax.main --config=configs/equal_budgets.py:pixels,smoke  # seconds, on the embedded faces

The first command trains all, cheap ones first, and resumes where it was interrupted. SRResNet from the published
weights, 400 steps of 16 crops (--config.steps=800 continues), constant learning rate, average of the weights. 12 min
each on two idle cores, 35 with a discriminator. Measured (dlib, LFW folds 1, 2, DIR at FAR 1 %, difference to bicubic):
pixels +1.2, edges +.1, identity +5.2 [+.9, +7.7], identity_edges +2.4, heavy_edges -11.0 [-16.1, -4.5], canny -12.5
[-18.7, -8.7], canny_light -2.7 [-5.5, +1.4]; initial was not trained yet. At 16 px: pixels,x8 +3.0 [-.3, +8.3],
identity,x8 +7.9 [+3.8, +13.8] (docs/results.md).
"""

from collections.abc import Callable

from ml_collections import ConfigDict

from lowres_jax.super_resolution.training import train_config


def get_config(variant: str = "pixels") -> ConfigDict:
    """Returns the config of the training with the losses of a variant; "x8" besides: for faces of 16 px."""
    config = train_config.default_config()
    config.start, config.steps, config.evaluate_steps = "srresnet", 400, 200
    config.optimizer.update({"learning_rate": 2e-4, "warmup_steps": 50})
    config.discriminator_optimizer.update({"learning_rate": 2e-4, "warmup_steps": 50})
    config.ema = 0.99
    return train_config.variant(config, variant, x8=_x8, **LOSSES)


def _x8(config: ConfigDict) -> ConfigDict:
    config.model.fields.scale = 8  # a third doubling is drawn at random
    return config


def _pixels(config: ConfigDict) -> ConfigDict:
    config.losses.pixel.kind = "l1"
    return config


def _edges(config: ConfigDict) -> ConfigDict:
    # Two thirds of the pixel loss, as .01 is beside the mean squared error of `canny_light`.
    config.losses.edge.weight = 0.05
    return _pixels(config)


def _identity(config: ConfigDict) -> ConfigDict:
    config.losses.identity.weight = 0.1
    return _pixels(config)


def _identity_edges(config: ConfigDict) -> ConfigDict:
    return _edges(_identity(config))


def _squared(config: ConfigDict) -> ConfigDict:
    """Pixel loss of Orsini and Rossi 2022."""
    config.losses.pixel.update({"kind": "mse", "scale": 2.0})
    return config


def _heavy_edges(config: ConfigDict) -> ConfigDict:
    """Generator's losses of the Canny model, without its discriminator."""
    config.losses.edge.weight = 1.0
    return _squared(config)


def _initial(config: ConfigDict) -> ConfigDict:
    config.losses.adversarial.update({"weight": 1e-4, "kind": "vanilla"})
    return _squared(config)


def _canny_light(config: ConfigDict) -> ConfigDict:
    """The Canny model with its edge loss in proportion to the pixel loss."""
    config.losses.edge.weight = 0.01
    config.discriminator.sees = "rgb_and_edges"
    return _initial(config)


def _canny(config: ConfigDict) -> ConfigDict:
    """The Canny model as it was drawn."""
    return _heavy_edges(_canny_light(config))


LOSSES: dict[str, Callable[[ConfigDict], ConfigDict]] = {
    "pixels": _pixels,
    "edges": _edges,
    "identity": _identity,
    "identity_edges": _identity_edges,
    "heavy_edges": _heavy_edges,
    "canny_light": _canny_light,
    "canny": _canny,
    "initial": _initial,
}

if __name__ == "__main__":
    print(*(f"equal_budgets.py:{losses}" for losses in LOSSES))
