"""Training of a generator as pure functions: one step for pixel, perceptual, edge, identity and adversarial losses.

Initial, Canny, SRGAN, ESRGAN and the identity model differ by which losses are summed (`train_config`), never by a
step of their own. A loss of weight zero builds no network and costs nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn
from jaxtyping import Shaped
from ml_collections import ConfigDict

from lowres_jax.data import resize
from lowres_jax.nn.batching import BatchedApply
from lowres_jax.super_resolution.training import losses, train_config
from lowres_jax.super_resolution.training.loss_terms import (
    STRANGERS,
    Compared,
    LossTerm,
    embeddings,
    identity_name,
    image_terms,
)
from lowres_jax.training import networks, optimizers
from lowres_jax.training.devices import AXIS
from lowres_jax.training.loss_networks import FrozenNetwork
from lowres_jax.training.state import Network, TrainState, moved_average, network, new_state
from lowres_jax.utils import streams
from lowres_jax.utils.shapes import Array

GENERATOR, DISCRIMINATOR = "generator", "discriminator"
Terms = dict[str, jax.Array]


@dataclass(frozen=True)
class Trainer:
    """A training's functions.

    Attributes:
      generator: (B, h, h, 3) in [0, 1] -> (B, scale * h, scale * h, 3), and edge logits with an edge head.
      discriminator: None where nothing is adversarial.
      perceptual: network whose features are compared; None where nothing is.
      identity: recognizers whose embeddings are compared.
      strangers: among whom a face's own original is told; None where it is not asked for.
      terms: terms of the sum of losses, beside the adversarial one.
      config: see `train_config.default_config`.
      steps: total number of training steps.
    """

    generator: nn.Module
    discriminator: nn.Module | None
    perceptual: FrozenNetwork | None
    identity: Sequence[FrozenNetwork]
    strangers: losses.Strangers | None
    terms: Sequence[LossTerm]
    config: ConfigDict
    steps: int

    def init(self, start: Any = None) -> TrainState:
        """The state before the first step, as host arrays.

        Args:
          start: variables of the generator to start from; None: drawn at random.
        """
        config = self.config
        size = train_config.lr_size(config)
        variables = start or init_variables(self.generator, streams.key(config.seed, GENERATOR), (1, size, size, 3))
        networks = {GENERATOR: network(variables, self._optimizer(GENERATOR))}
        if self.discriminator is not None:
            channels = 4 if config.discriminator.sees == "rgb_and_edges" else 3
            shape = (1, config.hr_size, config.hr_size, channels)
            drawn = init_variables(self.discriminator, streams.key(config.seed, DISCRIMINATOR), shape)
            networks[DISCRIMINATOR] = network(drawn, self._optimizer(DISCRIMINATOR))
        ema = networks[GENERATOR].variables if config.ema else None
        return jax.tree.map(np.asarray, new_state(config.seed, networks, ema))

    @property
    def constants(self) -> dict[str, Any]:
        """Constants of the step: variables of the fixed networks, and strangers."""
        found: dict[str, Any] = {identity_name(network): network.variables for network in self.identity}
        if self.perceptual is not None:
            found["perceptual"] = self.perceptual.variables
        return found if self.strangers is None else found | {STRANGERS: self.strangers}

    def step(
        self, state: TrainState, constants: dict[str, Any], batch: dict[str, jax.Array]
    ) -> tuple[TrainState, Terms]:
        """One step of one device; `training.devices.data_parallel` makes it one of all.

        Args:
          state: state of the training.
          constants: see the attribute.
          batch: image (b, H, H, 3) uint8 RGB, the HR crops; low (b, h, h, 3) float32 in [0, 1] where the host has made
            the LR images; edges (b, H, H, 1) uint8, 0 or 1, where an edge loss asks for them; label (b,), whose the
            crops are, where strangers are told apart.

        Returns:
          The state after it, and the mean of each loss.
        """
        config = self.config
        high = batch["image"].astype(jnp.float32) / 255.0
        size = train_config.lr_size(config)
        low = batch["low"] if "low" in batch else resize.downscale_area_on_device(high, size, size)
        edges = batch["edges"].astype(jnp.float32) if "edges" in batch else None
        generator = state.networks[GENERATOR]
        key = jax.random.fold_in(state.rng, state.step) if config.losses.identity.random_views else None

        def generator_loss(params: Any) -> tuple[jax.Array, tuple[Any, ...]]:
            fake, stats = apply(self.generator, params, generator.batch_stats, low)
            fake, logits = fake if isinstance(fake, tuple) else (fake, None)
            embedded = embeddings(self.identity, constants, fake, high, key)
            compared = Compared(fake, logits, high, edges, batch.get("label"), embedded, constants)
            terms = {term.name: term.fn(compared) for term in self.terms}
            total = sum(term.weight * terms[term.name] for term in self.terms)
            seen = fake
            if self.discriminator is not None:
                seen = discriminator_input(fake, None if logits is None else jax.nn.sigmoid(logits), config)
                terms["adversarial"] = self._adversarial(state, seen, discriminator_input(high, edges, config))
                total = total + config.losses.adversarial.weight * terms["adversarial"]
            return jnp.asarray(total), (terms, stats, seen)

        gradient, (terms, stats, seen) = jax.grad(generator_loss, has_aux=True)(generator.params)
        gradient = jax.lax.pmean(gradient, AXIS)
        terms["gradient_norm"] = optax.tree.norm(gradient)
        networks = {GENERATOR: self._updated(state, GENERATOR, gradient, stats)}
        if self.discriminator is not None:
            gradient, stats, own = self._discriminator_gradient(state, seen, discriminator_input(high, edges, config))
            networks[DISCRIMINATOR] = self._updated(state, DISCRIMINATOR, gradient, stats)
            terms |= own
        ema = state.ema
        if ema is not None:
            ema = moved_average(ema, networks[GENERATOR].variables, config.ema, state.step, config.optimizer.accumulate)
        return TrainState(state.step + 1, state.rng, networks, ema), jax.lax.pmean(terms, AXIS)

    def _adversarial(self, state: TrainState, fake: jax.Array, real: jax.Array) -> jax.Array:
        """The generator's share of the game; the discriminator stays as it is."""
        assert self.discriminator is not None
        player = state.networks[DISCRIMINATOR]
        seen_fake, _ = apply(self.discriminator, player.params, player.batch_stats, fake)
        seen_real, _ = apply(self.discriminator, player.params, player.batch_stats, real)
        return losses.adversarial_generator(seen_fake, seen_real, self.config.losses.adversarial.kind, mean_of_all)

    def _discriminator_gradient(self, state: TrainState, fake: jax.Array, real: jax.Array) -> tuple[Any, Any, Terms]:
        """The discriminator's gradient, statistics and losses on the same images, which it sees in [0, 1].

        The gradient penalty, R1, is of the sum of the batch's logits. Batch normalization couples the images of a
        batch, so the slope by an image holds what it does to the others' logits too.
        """
        module, player, config = self.discriminator, state.networks[DISCRIMINATOR], self.config.losses.adversarial
        assert module is not None

        def loss(params: Any) -> tuple[jax.Array, tuple[Terms, Any]]:
            seen_real, stats = apply(module, params, player.batch_stats, real)
            seen_fake, stats = apply(module, params, stats, fake)
            terms = {"discriminator": losses.adversarial_discriminator(seen_fake, seen_real, config.kind, mean_of_all)}
            total = terms["discriminator"]
            if config.gradient_penalty:
                slopes = jax.grad(lambda images: apply(module, params, player.batch_stats, images)[0].sum())(real)
                terms["gradient_penalty"] = losses.gradient_penalty(slopes)
                total = total + config.gradient_penalty * terms["gradient_penalty"]
            terms |= {"logit_real": seen_real.mean(), "logit_fake": seen_fake.mean()}
            return total, (terms, stats)

        gradient, (terms, stats) = jax.grad(loss, has_aux=True)(player.params)
        gradient = jax.lax.pmean(gradient, AXIS)
        # Also the loop's look at whether this network is still finite.
        return gradient, stats, terms | {"discriminator_gradient_norm": optax.tree.norm(gradient)}

    def _updated(self, state: TrainState, name: str, gradient: Any, stats: Any) -> Network:
        return state.networks[name].updated(self._optimizer(name), gradient, stats)

    def _optimizer(self, name: str) -> optax.GradientTransformation:
        config = self.config.optimizer if name == GENERATOR else self.config.discriminator_optimizer
        return optimizers.make_optimizer(config, self.steps)


def make(
    config: ConfigDict,
    steps: int,
    perceptual: FrozenNetwork | None = None,
    identity: Sequence[FrozenNetwork] = (),
    strangers: losses.Strangers | None = None,
) -> Trainer:
    """The trainer of a config.

    Raises:
      UserError: a setting is wrong.
    """
    train_config.check(config)
    for each in (config.optimizer, config.discriminator_optimizer):
        optimizers.make_optimizer(each, steps)
    return Trainer(
        train_config.build_generator(config),
        train_config.build_discriminator(config),
        perceptual,
        identity,
        strangers,
        image_terms(config.losses, perceptual, identity),
        config,
        steps,
    )


def result(state: TrainState) -> dict[str, Any]:
    """Result of a training: the generator's variables, their moving average where there is one."""
    return state.networks[GENERATOR].variables if state.ema is None else state.ema


def predict(module: nn.Module) -> BatchedApply:
    """(variables, LR images) -> SR images in [0, 1]; an edge head's probabilities are a fourth channel.

    In float32, whatever the module is trained in.
    """
    module = networks.alone(module)

    def enlarge(variables: Any, low: Shaped[Array, "B h h 3"]) -> Shaped[jax.Array, "B H W C"]:
        fake = module.apply(variables, low)
        if isinstance(fake, tuple):
            fake = jnp.concatenate([fake[0], jax.nn.sigmoid(fake[1])], axis=-1)
        return jnp.clip(fake, 0.0, 1.0)

    return BatchedApply(enlarge)


def init_variables(module: nn.Module, seed: jax.Array, shape: tuple[int, ...]) -> dict[str, Any]:
    """Random variables of a module."""
    variables = jax.jit(module.init)(seed, jnp.zeros(shape))
    return {"params": variables["params"], "batch_stats": variables.get("batch_stats", {})}


def apply(module: nn.Module, params: Any, stats: Any, images: Shaped[Array, "B H W C"]) -> tuple[Any, Any]:
    """A network in training: its output, and its statistics after this batch."""
    output, changed = module.apply(
        {"params": params, "batch_stats": stats}, images, train=True, mutable=["batch_stats"]
    )
    return output, changed.get("batch_stats", stats)


def discriminator_input(
    images: Shaped[Array, "B H W C"], edges: Any, config: ConfigDict
) -> Shaped[jax.Array, "B H W _"]:
    """Input of the discriminator: RGB, or RGB and the edge map, from 0 to 1, beside it."""
    if config.discriminator.sees == "rgb":
        return images
    return jnp.concatenate([images, edges], axis=-1)


def mean_of_all(logits: Shaped[Array, "..."]) -> Shaped[jax.Array, ""]:
    """The mean over the batches of all devices."""
    return jax.lax.pmean(logits.mean(), AXIS)
