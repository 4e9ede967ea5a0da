"""Trains a generator of super-resolution; stopped at any moment, it resumes to the same bits."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jaxtyping import Integer
from ml_collections import ConfigDict
from PIL import Image

from lowres_jax.data import splits
from lowres_jax.data.records import RecordSource, open_records, version_directory
from lowres_jax.errors import UserError
from lowres_jax.evaluation.validation import HeldOut, View1, bicubic
from lowres_jax.pretrained import cards
from lowres_jax.recognition.loss_networks import identity_networks, perceptual_network
from lowres_jax.recognition.recognizer import Recognizer, load_network, load_recognizer
from lowres_jax.report.training_pictures import face_grid, sharpness_histogram, write_curves
from lowres_jax.runtime import configuration, environment
from lowres_jax.super_resolution.training import initial_weights, train_config, trainer
from lowres_jax.super_resolution.training import strangers as known_strangers
from lowres_jax.super_resolution.training.trainer import Trainer
from lowres_jax.super_resolution.training.transform import Transform
from lowres_jax.training import devices, origins, session
from lowres_jax.training.progress import Progress
from lowres_jax.training.state import TrainState
from lowres_jax.utils import streams
from lowres_jax.utils.files import write_atomically

KEYS = train_config.KEYS


def run(config: ConfigDict, workdir: Path) -> None:
    """Trains; the workdir gets checkpoints, TensorBoard's figures, grids and a histogram.

    Args:
      config: see `super_resolution.training.train_config.default_config`.
      workdir: workdir of this training alone.

    Raises:
      UserError: a setting is wrong, data or weights are missing, the workdir is another training's, a loss is not
        finite, or the disk is full.
    """
    train_config.check(config)
    devices.check_batch_size(config.batch_size)
    source = open_records(environment.datasets_folder(config.data_dir) / config.dataset)
    samples, chosen = Transform(config), chosen_records(config, source)
    steps = config.steps or math.ceil(config.epochs * len(chosen.training) / config.batch_size)
    training = build_trainer(config, steps, source, chosen.training)
    # All that can be wrong is read before the workdir is claimed.
    state = training.init(initial_weights.variables(config, training.generator))
    session.run(
        config,
        KEYS,
        workdir,
        origin=_origin(config),
        source=source,
        positions=chosen.training,
        samples=samples,
        state=state,
        constants=training.constants,
        step=training.step,
        steps=steps,
        # A network drawn at random has no figures worth the time.
        evaluate_start=bool(config.start),
        introduce=lambda begun: _introduce(config, workdir, source, chosen, begun, steps),
        evaluation=lambda progress: Evaluation(config, training, source, chosen.validation, samples, progress, workdir),
    )


def chosen_records(config: ConfigDict, source: RecordSource) -> splits.Split:
    """The records to learn from and to validate on.

    Raises:
      UserError: the crops are too small, or too few are sharp enough.
    """
    if len(source) and source[0]["image"].shape[0] < config.hr_size:
        raise UserError(
            f"config.hr_size={config.hr_size}: the crops of {source.directory} have {source[0]['image'].shape[0]} "
            "pixels; choose less, or prepare the set with a larger --config.crop_size"
        )
    split = splits.split_identities(source.labels, config.held_out, config.seed)
    sharp = splits.choose_sharp(source.sharpness, split.training, config.sharpness, config.crops, config.seed)
    return splits.Split(sharp, split.validation)


def _origin(config: ConfigDict) -> dict[str, Any]:
    """See `training.origins`; features of a recognizer are that recognizer's view, too."""
    identity, perceptual = config.losses.identity, config.losses.perceptual
    names = configuration.names(identity.recognizers) if identity.weight else []
    if perceptual.weight and perceptual.network in cards.names("recognition"):
        names.append(perceptual.network)
    return origins.origin(names, config.start, [perceptual.weights] if perceptual.weight else [])


def build_trainer(
    config: ConfigDict,
    steps: int,
    source: RecordSource | None = None,
    positions: Integer[np.ndarray, " n"] | None = None,
) -> Trainer:
    """The trainer of a config, with the networks through which its losses look.

    Args:
      config: config of the training.
      steps: total number of training steps.
      source: the prepared set; read where strangers are told apart.
      positions: positions of the training records; read where strangers are told apart.

    Raises:
      UserError: a setting is wrong, or weights are missing.
    """
    settings = config.losses
    perceptual = None
    if settings.perceptual.weight:
        each = settings.perceptual
        perceptual = perceptual_network(each.network, each.layer, each.weight, each.weights, each.after_activation)
    names = configuration.names(settings.identity.recognizers) if settings.identity.weight else []
    judges = [load_network(name) for name in names]
    identity = identity_networks(judges, settings.identity.weight, settings.identity.shares if names else ())
    strangers = None
    if judges and settings.identity.strangers.weight and source is not None and positions is not None:
        strangers = known_strangers.load(source, positions, config.hr_size, judges[0])
    return trainer.make(config, steps, perceptual, identity, strangers)


def _introduce(
    config: ConfigDict, workdir: Path, source: RecordSource, chosen: splits.Split, state: TrainState, steps: int
) -> None:
    """Says what is trained on what."""
    sizes = {
        name: sum(leaf.size for leaf in jax.tree.leaves(network.params)) for name, network in state.networks.items()
    }
    networks = ", ".join(f"{name} {size / 1e6:.3g} million parameters" for name, size in sizes.items())
    people, held = (len(np.unique(source.labels[part])) for part in (chosen.training, chosen.validation))
    print(f"{config.model.module}: {networks}; {devices.described()}")
    print(
        f"{config.dataset}: {len(chosen.training):,} crops of {people:,} people to learn from "
        f"(sharpness at least {config.sharpness:g}), {len(chosen.validation):,} of {held:,} held out"
    )
    if int(state.step):
        print(f"{workdir}: resumes after step {int(state.step):,} of {steps:,}")
    with write_atomically(workdir / "sharpness.png") as file:
        sharpness = source.sharpness
        file.write(sharpness_histogram(sharpness, sharpness[chosen.training], config.sharpness))


@dataclass
class Evaluation:
    """Evaluates the generator on process 0; what never changes is read at the first time."""

    config: ConfigDict
    training: Trainer
    source: RecordSource
    positions: np.ndarray
    samples: Transform
    progress: Progress
    workdir: Path
    _held_out: HeldOut | None = None
    _view1: View1 | None = None
    _judge: Recognizer | None = None

    def __call__(self, state: TrainState) -> None:
        """Prints the figures, and writes them and the grid for TensorBoard."""
        step = int(devices.fetch(state.step))
        judge, held_out = self._prepare()
        variables = devices.fetch(trainer.result(state))
        enlarge = self._enlarge
        figures, grid = {}, None
        if held_out is not None:
            enlarged, edges = enlarge(variables, held_out.low)
            figures = dict(held_out.figures(enlarged, judge))
            grid = self._grid(held_out, enlarged, edges)
        if self._view1 is not None:
            figures["view1_accuracy"] = self._view1.accuracy(enlarge(variables, self._view1.low)[0], judge)
        self.progress.evaluated(step, figures, self._reference)
        write_curves(self.workdir, self.progress.evaluations(), "bicubic")
        if grid is not None:
            self.progress.picture(step, "validation/faces", grid)
            path = self.workdir / "grids" / f"step_{step:07d}.png"
            with write_atomically(path) as file:
                Image.fromarray(grid).save(file, "png")

    def _prepare(self) -> tuple[Recognizer, HeldOut | None]:
        """Reads the faces, once, and what bicubic reaches on them."""
        if self._judge is None:
            config = self.config
            self._judge = judge = load_recognizer(config.judge)
            self._predict = trainer.predict(self.training.generator)
            self._reference: dict[str, float] = {}
            positions = self.positions
            if len(positions) > config.validation_images:
                order = streams.generator(config.seed, "validation").permutation(len(positions))
                positions = np.sort(positions[order[: config.validation_images]])
            if len(positions):
                self._held_out = HeldOut.of(*self.samples.reduced(self.source.crops(positions)[0]), judge)
                reference = bicubic(self._held_out.low, config.hr_size)
                self._reference |= dict(self._held_out.figures(reference, judge))
            directory = environment.datasets_folder(config.data_dir) / config.view1
            if config.view1_pairs and config.view1 and version_directory(directory):
                self._view1 = View1.load(open_records(directory), config.view1_pairs, self.samples.reduced)
                reference = bicubic(self._view1.low, config.hr_size)
                self._reference["view1_accuracy"] = self._view1.accuracy(reference, judge)
        return self._judge, self._held_out

    def _enlarge(self, variables: Any, low: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """SR images and the edge probabilities of an edge head."""
        both = self._predict(variables, low)
        return both[..., :3], both[..., 3:] if both.shape[-1] > 3 else None

    def _grid(self, held_out: HeldOut, enlarged: np.ndarray, edges: np.ndarray | None) -> np.ndarray:
        # Evenly spread, so that they are different people.
        rows = np.unique(
            np.linspace(0, len(enlarged) - 1, min(self.config.grid_faces, len(enlarged))).round().astype(int)
        )
        low, size = held_out.low[rows], self.config.hr_size
        titles = [f"LR {low.shape[1]} px", "bicubic", "SR", f"HR {size} px"]
        columns = [low, bicubic(low, size), enlarged[rows], held_out.high[rows]]
        if edges is not None:
            titles += ["edges, SR", "edges, HR"]
            columns += [edges[rows], self.samples.edges(held_out.high[rows])]
        return face_grid(titles, columns)
