"""Trains a recognizer on identities; stopped at any moment, it resumes to the same bits."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jaxtyping import Shaped
from ml_collections import ConfigDict

from lowres_jax.data import splits
from lowres_jax.data.degradations import low_resolution
from lowres_jax.data.records import RecordSource, open_records, version_directory
from lowres_jax.data.splits import ClassSplit
from lowres_jax.evaluation.small_face_trial import SmallFaceTrial
from lowres_jax.evaluation.validation import View1, bicubic
from lowres_jax.pretrained import safetensors_weights
from lowres_jax.recognition import sface_small
from lowres_jax.recognition.loss_networks import identity_networks
from lowres_jax.recognition.recognizer import NetworkRecognizer, load_network
from lowres_jax.recognition.training import enrolled, initial_weights, train_config, trainer
from lowres_jax.recognition.training.small_faces import SmallFaceTransform
from lowres_jax.recognition.training.trainer import Trainer
from lowres_jax.recognition.training.transform import FaceTransform
from lowres_jax.report.training_pictures import write_curves
from lowres_jax.runtime import environment
from lowres_jax.training import devices, networks, origins, session
from lowres_jax.training.progress import BEST, Progress
from lowres_jax.training.state import TrainState

KEYS = train_config.KEYS
# Figures by whose mean the best evaluation is chosen.
_DECIDE = ("view1_accuracy", "verification_")


def run(config: ConfigDict, workdir: Path) -> None:
    """Trains; the workdir gets checkpoints, TensorBoard's figures and the best recognizer so far.

    Args:
      config: see `recognition.training.train_config.default_config`.
      workdir: workdir of this training alone.

    Raises:
      UserError: a setting is wrong, data or weights are missing, somebody has too few images, the workdir is another
        training's, a loss is not finite, or the disk is full.
    """
    train_config.check(config)
    devices.check_batch_size(config.batch_size)
    source = open_records(environment.datasets_folder(config.data_dir) / config.dataset)
    learners = splits.split_classes(
        source.labels,
        source.names,
        config.identities,
        config.held_out,
        config.held_out_images,
        config.seed,
    )
    steps = config.steps or math.ceil(config.epochs * len(learners.training) / config.batch_size)
    distillation = config.losses.distillation
    teacher = identity_networks([load_network(distillation.teacher)], 1.0)[0] if distillation.weight else None
    small, known = config.losses.enrolled, None
    if small.weight:
        known = enrolled.load(source, learners.training, load_network(small.teacher))
    training = trainer.make(config, learners.classes, steps, teacher, known)
    samples = SmallFaceTransform(config) if small.weight else FaceTransform(config)
    teachers = [each.teacher for each in (distillation, small) if each.weight]
    session.run(
        config,
        KEYS,
        workdir,
        origin=origins.origin(teachers, config.start),
        source=source,
        positions=learners.training,
        samples=samples,
        state=training.init(initial_weights.variables(config, training.recognizer)),
        constants=training.constants(learners.class_of),
        step=training.step,
        steps=steps,
        finished=samples.finished if isinstance(samples, SmallFaceTransform) else None,
        introduce=lambda state: _introduce(config, workdir, learners, state, steps),
        evaluation=lambda progress: _Evaluation(config, training, source, learners, samples, progress, workdir),
    )


def _introduce(config: ConfigDict, workdir: Path, learners: ClassSplit, state: TrainState, steps: int) -> None:
    """Says what is trained on what."""
    counts = {
        name: sum(leaf.size for leaf in jax.tree.leaves(network.params)) for name, network in state.networks.items()
    }
    sizes = ", ".join(f"{name} {size / 1e6:.3g} million parameters" for name, size in counts.items())
    print(f"{config.model.module}: {sizes}; {devices.described()}")
    print(
        f"{config.dataset}: {len(np.unique(learners.training)):,} crops of {learners.classes:,} people to learn from, "
        f"{len(learners.validation):,} more of them held out"
    )
    if int(state.step):
        print(f"{workdir}: resumes after step {int(state.step):,} of {steps:,}")


def best_evaluation(evaluations: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The first of those with the highest accuracy on View 1, whose recognizer is kept; without View 1 the last.

    What counts is the mean of the accuracy as the pictures are and made small; of a recognizer of small faces the mean
    of the rates at which these are verified.

    Args:
      evaluations: evaluations of `Progress`, at least one.
    """

    def accuracies(evaluation: Mapping[str, Any]) -> list[float]:
        return [value for name, value in evaluation["figures"].items() if name.startswith(_DECIDE)]

    judged = [each for each in evaluations if accuracies(each)]
    return max(judged, key=lambda each: float(np.mean(accuracies(each)))) if judged else evaluations[-1]


@dataclass
class _Evaluation:
    """Evaluates the recognizer on process 0; what never changes is read at the first time."""

    config: ConfigDict
    training: Trainer
    source: RecordSource
    learners: ClassSplit
    samples: FaceTransform | SmallFaceTransform
    progress: Progress
    workdir: Path
    _view1: View1 | None = None
    _trial: SmallFaceTrial | None = None
    _reference: Mapping[str, float] = field(default_factory=dict)

    def __call__(self, state: TrainState) -> None:
        """Prints and writes the figures; keeps the recognizer if it is the best so far."""
        step = int(devices.fetch(state.step))
        variables = devices.fetch(trainer.result(state))
        if isinstance(self.samples, SmallFaceTransform):
            variables = sface_small.with_share(variables, self.config.small_faces.share)
        module = networks.alone(self.training.recognizer)
        judge = NetworkRecognizer("recognizer", module, variables, self.config.size)
        figures: dict[str, float] = {}
        reference: Mapping[str, float] = {}
        if len(self.learners.validation) and trainer.HEAD in state.networks:
            figures["accuracy"] = self._accuracy(judge, state, variables)
        size = self.config.view1_lr_size
        if isinstance(self.samples, SmallFaceTransform):
            figures |= dict(self._small_faces(self.samples).figures(judge))
            reference = self._reference
        elif (view1 := self._pairs()) is not None:
            figures["view1_accuracy"] = view1.accuracy(view1.high, judge)
            figures[f"view1_accuracy_{size}px"] = view1.accuracy(bicubic(view1.low, view1.high.shape[1]), judge)
        others = [each for each in self.progress.evaluations() if each["step"] != step]
        own = {"step": step, "figures": figures, "reference": reference}
        if best_evaluation(sorted([*others, own], key=lambda each: each["step"])) is own:
            # With what is said of them: whoever reads the file has both, whenever the run is killed.
            safetensors_weights.write(self.workdir / BEST, variables, own)
        name = self.config.losses.enrolled.teacher
        self.progress.evaluated(step, figures, reference, name)
        write_curves(self.workdir, self.progress.evaluations(), name)

    def _small_faces(self, samples: SmallFaceTransform) -> SmallFaceTrial:
        """View 1 of LFW where it is prepared, or the people held out; read once."""
        if self._trial is None:
            config, teacher = self.config, load_network(self.config.losses.enrolled.teacher)
            if (directory := self._view1_directory()) is not None:
                lfw = open_records(directory)
                self._trial = SmallFaceTrial.of_pairs(lfw, config.view1_pairs, samples, teacher)
            else:
                held_out = splits.split_identities(self.source.labels, config.held_out, config.seed).validation
                self._trial = SmallFaceTrial.of_people(self.source, held_out, samples, teacher)
            self._reference = dict(self._trial.figures(teacher))
        return self._trial

    def _accuracy(self, judge: NetworkRecognizer, state: TrainState, variables: Any) -> float:
        """Share of the images held out that are given to the right one of the people learned."""
        params = devices.fetch(state.networks[trainer.HEAD].params)
        classes = params["sharded_classes"][:, : self.learners.classes]
        right = 0
        for begin in range(0, len(self.learners.validation), 256):
            crops, labels = self.source.crops(self.learners.validation[begin : begin + 256])
            assert isinstance(self.samples, FaceTransform)
            images = self.samples.plain(crops)
            if "sharded_bias" in params:
                scores = judge.embeddings(images) @ classes + params["sharded_bias"][0, : self.learners.classes]
            else:
                scores = judge.templates(images) @ (classes / np.linalg.norm(classes, axis=0))
            right += int(np.sum(scores.argmax(axis=1) == self.learners.class_of[labels]))
        return right / len(self.learners.validation)

    def _view1_directory(self) -> Path | None:
        """Folder of the prepared LFW; None where it is not prepared, or not wanted."""
        config = self.config
        directory = environment.datasets_folder(config.data_dir) / config.view1
        return directory if config.view1_pairs and config.view1 and version_directory(directory) else None

    def _pairs(self) -> View1 | None:
        """View 1 of LFW, read once; None where it is not prepared or not wanted."""
        config, directory = self.config, self._view1_directory()
        if self._view1 is None and directory is not None:

            def reduce(crops: Shaped[np.ndarray, "B H W 3"]) -> tuple[np.ndarray, np.ndarray]:
                high = crops.astype(np.float32) / np.float32(255.0)
                return low_resolution(high, config.view1_lr_size), high

            self._view1 = View1.load(open_records(directory), config.view1_pairs, reduce)
        return self._view1
