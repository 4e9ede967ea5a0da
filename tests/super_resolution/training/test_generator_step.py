"""The generator's step against one that is written down here, without the package's own losses and optimizers.

Covers `super_resolution/training/loss_terms.py`, `super_resolution/training/train_config.py`,
`super_resolution/training/trainer.py`, `training/loss_networks.py` too.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ml_collections import ConfigDict

from lowres_jax.super_resolution.training import discriminator, losses, train_config, trainer
from lowres_jax.super_resolution.training.views import Views
from lowres_jax.training import devices
from lowres_jax.training.loss_networks import FrozenNetwork

pytestmark = pytest.mark.slow

SIZE, SCALE, BATCH, STEPS = 16, 4, 4, 2
RATE, PLAYER_RATE, DECAY = 0.05, 0.02, 0.9
# A discriminator of two convolutions: a step does the same for any number, and eight take longer to compile.
LAYERS = ((64, 1), (128, 2))
WEIGHTS = {"pixel": 0.7, "edge": 0.3, "perceptual": 0.2, "identity": 0.4, "adversarial": 0.05}


@pytest.fixture(autouse=True)
def _two_convolutions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discriminator, "_LAYERS", LAYERS)


def settings(sees: str = "rgb_and_edges", penalty: float = 0.0) -> ConfigDict:
    """All losses, each with a weight of its own; two optimizers of different rates."""
    config = train_config.default_config()
    config.model.fields.update({"blocks": 1, "features": 8})
    config.hr_size, config.batch_size, config.steps, config.ema = SIZE, BATCH, STEPS, DECAY
    config.losses.pixel.update({"weight": WEIGHTS["pixel"], "kind": "mse", "scale": 2.0})
    config.losses.edge.weight = WEIGHTS["edge"]
    config.losses.perceptual.update({"weight": WEIGHTS["perceptual"], "kind": "l1", "scale": 0.5})
    config.losses.identity.weight = WEIGHTS["identity"]
    config.losses.adversarial.update({"weight": WEIGHTS["adversarial"], "kind": "vanilla"})
    config.losses.adversarial.gradient_penalty = penalty
    config.discriminator.update({"sees": sees, "head": "pooled", "width": 1 / 16})
    config.optimizer.update({"name": "sgd", "learning_rate": RATE, "b1": 0.0})
    config.discriminator_optimizer.update({"name": "sgd", "learning_rate": PLAYER_RATE, "b1": 0.0})
    return config


def lenses() -> tuple[FrozenNetwork, FrozenNetwork]:
    """A perceptual and an identity network, both linear."""
    generator = np.random.default_rng(0)
    seen = jnp.asarray(generator.normal(size=(3, 5)), jnp.float32)
    known = jnp.asarray(generator.normal(size=(SIZE * SIZE * 3, 6)) / 20, jnp.float32)
    perceptual = FrozenNetwork("features", WEIGHTS["perceptual"], lambda matrix, images: images @ matrix, seen)
    identity = FrozenNetwork(
        "judge", WEIGHTS["identity"], lambda matrix, images: images.reshape(len(images), -1) @ matrix, known
    )
    return perceptual, identity


def batches() -> list[dict[str, np.ndarray]]:
    generator = np.random.default_rng(1)
    return [
        {
            "image": generator.integers(0, 256, (BATCH, SIZE, SIZE, 3), np.uint8),
            "edges": generator.integers(0, 2, (BATCH, SIZE, SIZE, 1), np.uint8),
        }
        for _ in range(STEPS)
    ]


def cross_entropy(logits: jax.Array, target: Any) -> jax.Array:
    probability = 1 / (1 + jnp.exp(-logits))
    return -jnp.mean(target * jnp.log(probability) + (1 - target) * jnp.log(1 - probability))


def plain_step(
    modules: Any, values: dict[str, Any], batch: dict[str, np.ndarray], step: int, sees: str, penalty: float
) -> dict[str, float]:
    """One step, as the papers have it; changes `values`. The discriminator sees images in [0, 1]."""
    generator, player = modules
    perceptual, identity = lenses()
    high, edges = batch["image"].astype(np.float32) / 255, batch["edges"].astype(np.float32)
    side = SIZE // SCALE
    low = high.reshape(BATCH, side, SCALE, side, SCALE, 3).mean(axis=(2, 4))

    def made_of(params: Any) -> Any:
        variables = {"params": params, "batch_stats": values["stats"]}
        return generator.apply(variables, low, train=True, mutable=["batch_stats"])

    def seen_by(params: Any, stats: Any, images: Any) -> Any:
        variables = {"params": params, "batch_stats": stats}
        logits, changed = player.apply(variables, images, train=True, mutable=["batch_stats"])
        return logits, changed["batch_stats"]

    def generator_loss(params: Any) -> Any:
        (image, logits), changed = made_of(params)
        shown = image if sees == "rgb" else jnp.concatenate([image, 1 / (1 + jnp.exp(-logits))], axis=-1)
        ours, theirs = (identity.apply(identity.variables, each) for each in (image, high))
        cosine = (ours * theirs).sum(1) / jnp.sqrt((ours**2).sum(1) * (theirs**2).sum(1))
        terms = {
            "pixel": jnp.mean((2 * image - 2 * high) ** 2),
            "edge": cross_entropy(logits, edges),
            "perceptual": jnp.mean(jnp.abs((image - high) @ perceptual.variables)) * 0.5,
            "identity": jnp.mean(1 - cosine),
            "adversarial": cross_entropy(seen_by(values["player"], values["player_stats"], shown)[0], 1.0),
        }
        return sum(WEIGHTS[name] * term for name, term in terms.items()), (terms, changed["batch_stats"], shown)

    gradient, (terms, stats, shown) = jax.grad(generator_loss, has_aux=True)(values["params"])
    real = high if sees == "rgb" else jnp.concatenate([high, edges], axis=-1)

    def player_loss(params: Any) -> Any:
        on_real, changed = seen_by(params, values["player_stats"], real)
        on_made, changed = seen_by(params, changed, shown)
        game = (cross_entropy(on_real, 1.0) + cross_entropy(on_made, 0.0)) / 2
        # R1 (Mescheder et al., arXiv:1801.04406, equation 9). Batch normalization couples the images: the slope by an
        # image is that of all logits of the batch.
        slopes = jax.grad(lambda images: seen_by(params, values["player_stats"], images)[0].sum())(real)
        squares = (slopes**2).sum(axis=(1, 2, 3)).mean() / 2
        return game + penalty * squares, (game, squares, changed)

    (_, (loss, squares, player_stats)), player_gradient = jax.value_and_grad(player_loss, has_aux=True)(
        values["player"]
    )
    values["params"] = jax.tree.map(lambda old, slope: old - RATE * slope, values["params"], gradient)
    values["player"] = jax.tree.map(lambda old, slope: old - PLAYER_RATE * slope, values["player"], player_gradient)
    values["stats"], values["player_stats"] = stats, player_stats
    share = min(DECAY, (1 + step) / (10 + step))
    values["ema"] = jax.tree.map(lambda old, new: share * old + (1 - share) * new, values["ema"], values["params"])
    found = {name: float(term) for name, term in terms.items()} | {"discriminator": float(loss)}
    return found | ({"gradient_penalty": float(squares)} if penalty else {})


@pytest.mark.parametrize(("sees", "penalty"), [("rgb_and_edges", 0.0), ("rgb", 0.3)])
def test_a_step_is_the_one_written_down_here(sees: str, penalty: float) -> None:
    perceptual, identity = lenses()
    training = trainer.make(settings(sees, penalty), STEPS, perceptual, [identity])
    state = training.init()
    own, player = state.networks["generator"], state.networks["discriminator"]
    values = {
        "params": own.params,
        "stats": own.batch_stats,
        "player": player.params,
        "player_stats": player.batch_stats,
        "ema": own.params,
    }
    assert training.discriminator is not None
    modules = training.generator.clone(axis_name=None), training.discriminator.clone(axis_name=None)
    parallel = devices.data_parallel(training.step)
    placed, constants = devices.replicate(state), devices.replicate(training.constants)
    for number, batch in enumerate(batches()):
        placed, metrics = parallel(placed, constants, devices.divide(batch))
        expected = plain_step(modules, values, batch, number, sees, penalty)
        found = {name.removesuffix("_judge"): float(value) for name, value in devices.fetch(metrics).items()}
        for name, value in expected.items():
            assert found[name] == pytest.approx(value, rel=2e-4), (number, name)
    after = devices.fetch(placed)
    for name, tree, wanted in (
        ("generator", after.networks["generator"].params, values["params"]),
        ("statistics", after.networks["generator"].batch_stats, values["stats"]),
        ("discriminator", after.networks["discriminator"].params, values["player"]),
        ("its statistics", after.networks["discriminator"].batch_stats, values["player_stats"]),
        ("average", after.ema["params"], values["ema"]),
    ):
        jax.tree.map(
            lambda one, other, name=name: np.testing.assert_allclose(one, other, rtol=2e-3, atol=2e-5, err_msg=name),
            tree,
            jax.tree.map(np.asarray, wanted),
        )


def test_a_discriminator_that_is_no_longer_finite_is_seen() -> None:
    """With such a penalty all losses of the step were finite, and the discriminator's parameters were not."""
    config = settings()
    config.losses.adversarial.gradient_penalty = 1e38
    perceptual, identity = lenses()
    training = trainer.make(config, STEPS, perceptual, [identity])
    _, metrics = devices.data_parallel(training.step)(
        devices.replicate(training.init()), devices.replicate(training.constants), devices.divide(batches()[0])
    )
    assert not np.isfinite(float(devices.fetch(metrics)["discriminator_gradient_norm"]))


def test_a_training_in_bfloat16_is_looked_at_in_float32() -> None:
    config = settings()
    full = train_config.build_generator(config)
    config.compute_dtype = "bfloat16"
    half = train_config.build_generator(config)
    variables = trainer.init_variables(full.clone(axis_name=None), jax.random.PRNGKey(0), (1, 4, 4, 3))
    low = np.random.default_rng(0).random((2, 4, 4, 3), np.float32)
    np.testing.assert_array_equal(trainer.predict(half)(variables, low), trainer.predict(full)(variables, low))
    assert np.abs(half.clone(axis_name=None).apply(variables, low)[0] - full.apply(variables, low)[0]).max() > 1e-4


def test_strangers_and_random_views_are_part_of_the_step() -> None:
    """Shown nothing but constant images, a judge that sums colors tells what it was shown: both images, alike."""
    config = settings()
    config.losses.identity.update({"random_views": True})
    config.losses.identity.strangers.update({"weight": 0.5, "nearest": 1, "temperature": 0.5})
    config.losses.adversarial.weight = config.losses.edge.weight = 0.0
    matrix = jnp.eye(SIZE * SIZE * 3, dtype=jnp.float32)
    shown = FrozenNetwork("judge", 1.0, lambda matrix, images: images.reshape(len(images), -1) @ matrix, matrix)
    others = losses.Strangers(jnp.eye(2, SIZE * SIZE * 3), jnp.asarray([1, 2]), jnp.zeros(SIZE * SIZE * 3))
    training = trainer.make(config, STEPS, None, [shown], others)
    batch = {"image": batches()[0]["image"], "label": np.asarray([1, 2, 3, 4])}
    state = training.init()

    def figures(state: Any) -> dict[str, float]:
        step = devices.data_parallel(training.step)
        _, metrics = step(devices.replicate(state), devices.replicate(training.constants), devices.divide(batch))
        return {name: float(value) for name, value in devices.fetch(metrics).items()}

    found = figures(state)
    high = batch["image"].astype(np.float32) / 255
    low = high.reshape(BATCH, SIZE // SCALE, SCALE, SIZE // SCALE, SCALE, 3).mean(axis=(2, 4))
    own = state.networks["generator"]
    made, _ = trainer.apply(training.generator.clone(axis_name=None), own.params, own.batch_stats, low)
    key = jax.random.fold_in(state.rng, 0)
    views = jax.vmap(lambda images: vars(Views.draw(key, images)), axis_name=devices.AXIS)(high[None])
    views = Views(**{name: each[0] for name, each in views.items()})
    seen = [np.asarray(views.of(each)).reshape(BATCH, -1) for each in (made, high)]
    seen = [each / np.linalg.norm(each, axis=-1, keepdims=True) for each in seen]
    cosines = (seen[0] * seen[1]).sum(-1)
    strangers = seen[0][:, :2] + np.where(batch["label"][:, None] == [1, 2], -np.inf, 0.0)
    assert found["identity_judge"] == pytest.approx(1 - cosines.mean(), rel=1e-3)
    expected = np.log1p(np.exp((strangers.max(axis=-1) - cosines) / 0.5)).mean()
    assert found["strangers"] == pytest.approx(expected, rel=1e-3)
    # Other views in the next step, though image and generator are the same.
    assert figures(dataclasses.replace(state, step=np.ones((), np.int32)))["identity_judge"] != found["identity_judge"]
