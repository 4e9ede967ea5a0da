"""Training of a recognizer as pure functions: classification under a margin, distillation from a teacher, or both.

The classes' vectors are divided between the devices (partial fully connected, An et al., https://arxiv.org/abs/2010.05222,
without its sampling), so that a million of them fit: every device computes the logits of its own classes for the whole
batch, and the softmax is put together by sums over the devices. One device has them all; the result is the same.
"""

import functools
import math
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn
from jaxtyping import Integer
from ml_collections import ConfigDict

from lowres_jax.recognition.training import margins, train_config
from lowres_jax.recognition.training.enrolled import Enrolled
from lowres_jax.super_resolution.training import losses
from lowres_jax.training import devices, networks, optimizers
from lowres_jax.training.devices import AXIS
from lowres_jax.training.loss_networks import FrozenNetwork
from lowres_jax.training.state import Network, TrainState, moved_average, network, new_state
from lowres_jax.utils import streams

RECOGNIZER, HEAD = "recognizer", "head"
_NORM_MOMENTUM = 0.99  # of AdaFace's statistics of template lengths
_PLACES = 128  # classes are filled up to a multiple of it
_NOWHERE = -1e9  # the logit of a class that only fills up the devices


@dataclass(frozen=True)
class Trainer:
    """A training's functions.

    Attributes:
      recognizer: (B, size, size, 3) in [0, 1] -> (B, D).
      teacher: recognizer whose templates are learned; None: none.
      enrolled: targets of small faces; None where they are not learned.
      classes: people.
      config: see `train_config.default_config`.
      steps: total number of training steps.
    """

    recognizer: nn.Module
    teacher: FrozenNetwork | None
    classes: int
    config: ConfigDict
    steps: int
    enrolled: Enrolled | None = None

    @property
    def places(self) -> int:
        """Classes and what fills them up, the same for any usual number of devices: a run may resume with another."""
        multiple = math.lcm(_PLACES, devices.mesh().size)
        return -(-self.classes // multiple) * multiple

    def init(self, start: Any = None) -> TrainState:
        """The state before the first step, as host arrays.

        Args:
          start: variables of the recognizer to start from; None: drawn at random.
        """
        seed = self.config.seed
        variables = start or init_variables(self.recognizer, streams.key(seed, RECOGNIZER), self.config.size)
        networks = {RECOGNIZER: network(variables, self._optimizer())}
        if self.config.losses.classification.weight:
            dimension = self._dimension(variables)
            # As many numbers are drawn, whatever fills them up.
            vectors = 0.01 * jax.random.normal(streams.key(seed, HEAD), (dimension, self.classes))
            vectors = jnp.pad(vectors, ((0, 0), (0, self.places - self.classes)))
            params = {"sharded_classes": vectors}
            if self.config.losses.classification.kind == "softmax":
                params["sharded_bias"] = jnp.zeros((1, self.places))
            statistics = {"norm_mean": jnp.full((), 20.0), "norm_deviation": jnp.full((), 100.0)}
            networks[HEAD] = network({"params": params, "batch_stats": statistics}, self._head_optimizer())
        ema = networks[RECOGNIZER].variables if self.config.ema else None
        return jax.tree.map(np.asarray, new_state(self.config.seed, networks, ema))

    def _dimension(self, variables: Any) -> int:
        image = jax.ShapeDtypeStruct((1, self.config.size, self.config.size, 3), jnp.float32)
        return int(jax.eval_shape(networks.alone(self.recognizer).apply, variables, image).shape[-1])

    def constants(self, class_of: Integer[np.ndarray, " L"]) -> dict[str, Any]:
        """Constants of the step.

        Args:
          class_of: (L,) int32: number of the class of each label of the set.
        """
        return {"class_of": np.asarray(class_of, np.int32)} | (
            ({"teacher": self.teacher.variables} if self.teacher else {})
            | ({"enrolled": self.enrolled} if self.enrolled else {})
        )

    def step(
        self, state: TrainState, constants: dict[str, Any], batch: dict[str, jax.Array]
    ) -> tuple[TrainState, dict[str, jax.Array]]:
        """One step of one device; `training.devices.data_parallel` makes it one of all.

        Args:
          state: state of the training; of the head's classes this device's share.
          constants: see the method.
          batch: image (b, size, size, 3) uint8 RGB; label (b,), of the set; with a teacher teacher_image, as image;
            of small faces others (b,) bool, see `small_faces`, and index (b,), of the record.

        Returns:
          The state after it, and losses and the share of the batch that is classified rightly (without a margin).
        """
        config = self.config
        images = batch["image"].astype(jnp.float32) / 255.0
        classes = constants["class_of"][batch["label"]]
        count = jax.lax.axis_size(AXIS)
        # The same on all devices: what is drawn for a row does not depend on where it lies.
        random = jax.random.fold_in(state.rng, state.step)
        own = state.networks[RECOGNIZER]
        head = state.networks.get(HEAD)

        def loss(params: Any, head_params: Any, frozen: bool) -> tuple[jax.Array, tuple[Any, ...]]:
            if frozen:
                params = params | {"backbone": jax.lax.stop_gradient(params["backbone"])}
            templates, changed = self.recognizer.apply(
                {"params": params, "batch_stats": own.batch_stats},
                images,
                train=True,
                mutable=["batch_stats"],
                rngs={"dropout": random},
            )
            # The sum over all devices is the loss: each has an equal share of it.
            terms: dict[str, jax.Array] = {}
            statistics = None
            if head is not None:
                terms, statistics = self._classification(templates, classes, head_params, head.batch_stats)
            if self.teacher is not None:
                shown = batch["teacher_image"].astype(jnp.float32) / 255.0
                known = jax.lax.stop_gradient(self.teacher.apply(constants["teacher"], shown))
                alike = jnp.sum(margins.unit(templates) * margins.unit(known), axis=-1)
                terms["distillation"] = 1.0 - jnp.mean(alike)
            if self.enrolled is not None:
                terms |= self._enrolled_terms(templates, constants["enrolled"], batch)
            total = sum(config.losses[name].weight * terms[name] for name in terms if name in config.losses)
            return jnp.asarray(total) / count, (terms, changed.get("batch_stats", own.batch_stats), statistics)

        def gradients_of(frozen: bool) -> tuple[Any, tuple[Any, ...]]:
            find = jax.grad(functools.partial(loss, frozen=frozen), argnums=(0, 1), has_aux=True)
            return find(own.params, head.params if head is not None else {})

        if config.frozen_steps:
            # Nothing is computed backwards through a backbone that stays: a third of the time.
            gradients, (terms, stats, statistics) = jax.lax.cond(
                state.step < config.frozen_steps, lambda: gradients_of(True), lambda: gradients_of(False)
            )
        else:
            gradients, (terms, stats, statistics) = gradients_of(False)
        gradient = jax.lax.psum(gradients[0], AXIS)
        metrics = jax.lax.pmean(terms, AXIS) | {"gradient_norm": optax.tree.norm(gradient)}
        updated = own.updated(self._optimizer(), gradient, stats)
        if config.frozen_steps:
            updated = _thawed(own, updated, state.step >= config.frozen_steps)
        networks = {RECOGNIZER: updated}
        if head is not None:
            networks[HEAD] = head.updated(self._head_optimizer(), gradients[1], statistics)
            square = jax.lax.psum(optax.tree.norm(gradients[1], squared=True), AXIS)
            metrics["head_gradient_norm"] = jnp.sqrt(square)
        ema = state.ema
        if ema is not None:
            ema = moved_average(ema, updated.variables, config.ema, state.step, config.optimizer.accumulate)
        return TrainState(state.step + 1, state.rng, networks, ema), metrics

    def _enrolled_terms(
        self, templates: jax.Array, enrolled: Enrolled, batch: dict[str, jax.Array]
    ) -> dict[str, jax.Array]:
        """Distance of small faces to what is enrolled, and how hard they are told from strangers."""
        index, settings = batch["index"], self.config.losses.strangers
        real = jnp.where(batch["others"][:, None], enrolled.others[index], enrolled.templates[index])
        return {
            "enrolled": losses.identity(templates, real),
            "strangers": losses.strangers(
                templates, real, batch["label"], enrolled.strangers, settings.nearest, settings.temperature
            ),
        }

    def _classification(
        self, templates: jax.Array, classes: jax.Array, params: Any, statistics: Any
    ) -> tuple[dict[str, jax.Array], Any]:
        """Loss and accuracy of the whole batch among all classes, of which this device has some."""
        settings = self.config.losses.classification
        templates = jax.lax.all_gather(templates, AXIS, tiled=True)
        classes = jax.lax.all_gather(classes, AXIS, tiled=True)
        share = params["sharded_classes"].shape[1]
        numbers = jax.lax.axis_index(AXIS) * share + jnp.arange(share)
        right, real = classes[:, None] == numbers, numbers < self.classes
        if settings.kind == "softmax":
            plain = logits = templates @ params["sharded_classes"] + params["sharded_bias"]
        else:
            plain = margins.cosines(templates, params["sharded_classes"])
            norms = jax.lax.stop_gradient(jnp.linalg.norm(templates, axis=-1))
            if settings.kind == "adaface":
                statistics = {
                    "norm_mean": _moved(statistics["norm_mean"], norms.mean()),
                    "norm_deviation": _moved(statistics["norm_deviation"], norms.std()),
                }
            logits = margins.margin_logits(
                settings.kind,
                plain,
                right,
                settings.scale,
                settings.margin,
                norms,
                statistics["norm_mean"],
                statistics["norm_deviation"],
            )
        logits = jnp.where(real, logits, _NOWHERE)
        highest = jax.lax.pmax(jax.lax.stop_gradient(logits).max(axis=1), AXIS)
        total = jax.lax.psum(jnp.exp(logits - highest[:, None]).sum(axis=1), AXIS)
        # Cross-entropy: log of the sum less the wanted logit, a share of which may be spread over all classes.
        wanted = jax.lax.psum(jnp.sum(jnp.where(right, logits, 0.0), axis=1), AXIS)
        if settings.smoothing:
            everywhere = jax.lax.psum(jnp.sum(jnp.where(real, logits, 0.0), axis=1), AXIS) / self.classes
            wanted = (1.0 - settings.smoothing) * wanted + settings.smoothing * everywhere
        loss = jnp.mean(jnp.log(total) + highest - wanted)
        plain = jax.lax.stop_gradient(plain)
        others = jax.lax.pmax(jnp.where(real & ~right, plain, _NOWHERE).max(axis=1), AXIS)
        own = jax.lax.psum(jnp.sum(jnp.where(right, plain, 0.0), axis=1), AXIS)
        # Ties are wrong: of a recognizer that sees everybody alike nothing is right.
        return {"classification": loss, "accuracy": jnp.mean(own > others)}, statistics

    def _optimizer(self) -> optax.GradientTransformation:
        config = self.config
        return optimizers.make_optimizer(config.optimizer, self.steps, frozen_steps=config.frozen_steps)

    def _head_optimizer(self) -> optax.GradientTransformation:
        return optimizers.make_optimizer(self.config.optimizer, self.steps, sharded=True)


def make(
    config: ConfigDict,
    classes: int,
    steps: int,
    teacher: FrozenNetwork | None = None,
    enrolled: Enrolled | None = None,
) -> Trainer:
    """The trainer of a config.

    Raises:
      UserError: a setting is wrong.
    """
    train_config.check(config)
    optimizers.make_optimizer(config.optimizer, steps)
    return Trainer(train_config.build(config), teacher, classes, config, steps, enrolled)


def result(state: TrainState) -> dict[str, Any]:
    """Result of a training: the recognizer's variables, their moving average where there is one."""
    return state.networks[RECOGNIZER].variables if state.ema is None else state.ema


def init_variables(module: nn.Module, seed: jax.Array, size: int) -> dict[str, Any]:
    """Random variables of a recognizer."""
    variables = jax.jit(networks.alone(module).init)(seed, jnp.zeros((1, size, size, 3)))
    return {"params": variables["params"], "batch_stats": variables.get("batch_stats", {})}


def _moved(average: jax.Array, value: jax.Array) -> jax.Array:
    return _NORM_MOMENTUM * average + (1.0 - _NORM_MOMENTUM) * value


def _thawed(before: Network, after: Network, thawed: jax.Array) -> Network:
    """The backbone and its optimizer as they were until it may move; the embedding moves from the start."""

    def chosen(path: tuple[Any, ...], old: jax.Array, new: jax.Array) -> jax.Array:
        frozen = any(getattr(part, "key", None) == optimizers.BACKBONE for part in path)
        return jnp.where(thawed, new, old) if frozen else new

    return jax.tree_util.tree_map_with_path(chosen, before, after)
