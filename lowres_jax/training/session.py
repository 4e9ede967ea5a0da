"""The frame of every training, whatever it trains: workdir, batches, loop, last evaluation."""

import contextlib
import shlex
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import jax
import numpy as np
from jaxtyping import Integer, Shaped
from ml_collections import ConfigDict

from lowres_jax import config_keys
from lowres_jax.config_keys import DATA_DIR, PLATFORM, SEED, Key, Keys
from lowres_jax.data import pipeline
from lowres_jax.data.records import RecordSource
from lowres_jax.errors import UserError
from lowres_jax.nn import precision
from lowres_jax.runtime import distributed, signals
from lowres_jax.training import devices, loop
from lowres_jax.training.checkpoints import Checkpoints
from lowres_jax.training.optimizers import make_schedule
from lowres_jax.training.progress import Progress
from lowres_jax.training.state import TrainState
from lowres_jax.utils import files

Evaluate = Callable[[TrainState], None]
Step = Callable[[TrainState, Any, dict[str, jax.Array]], tuple[TrainState, dict[str, jax.Array]]]
_RESIDENT = "resident"  # among the step's constants


class Transform(Protocol):
    """Function from a crop to a row of a batch, see `super_resolution.training.transform`."""

    @property
    def can_stay_on_devices(self) -> bool:
        """True if it does so on the devices too; then there are `choices`, `resident` and `rows_on_device`."""

    def __call__(self, crop: Shaped[np.ndarray, "H W 3"], generator: np.random.Generator) -> dict[str, np.ndarray]:
        """Crop -> row, on the host."""


KEYS: dict[str, Any] = {
    "platform": PLATFORM,
    "data_dir": DATA_DIR,
    "dataset": Key("casia_webface/mtcnn_jpeg", "Prepared set, builder/variant, below data_dir.", filled=True),
    "held_out": Key(0.05, "Share of the people that are held out for validation.", least=0, below=1),
    "batch_size": Key(16, "Batch size, of all devices together.", least=1),
    "steps": Key(0, "Number of training steps; 0: by epochs.", least=0, affects_result=False),
    "epochs": Key(0.0, "Number of epochs; 0: by steps.", least=0, affects_result=False),
    "seed": SEED,
    "evaluate_steps": Key(
        1000,
        "Number of steps between evaluations; the last step is evaluated too. 0: only the last step.",
        least=0,
        affects_result=False,
    ),
    "view1": Key("lfw/mtcnn", "Prepared LFW; its View 1 is evaluated on where it exists."),
    "view1_pairs": Key(200, "Number of pairs of each of View 1's two lists; 0: none.", least=0, affects_result=False),
    "matmul_precision": Key(
        precision.DEVICE,
        "Precision of matrix products in training: the device's own (TF32, bfloat16) or "
        "float32. Evaluations are always float32.",
        choices=precision.CHOICES,
    ),
    "resident": Key(
        None,
        "Keep all crops in the devices' memory; by default on accelerators, where nothing has to be done on the host.",
        kind=bool,
        affects_result=False,
    ),
    "steps_per_call": Key(
        None,
        "Number of steps in one call of the devices; by default log_steps on accelerators, 1 on a CPU.",
        kind=int,
        least=1,
        affects_result=False,
    ),
    "log_steps": Key(20, "Number of steps between printed lines.", least=1, affects_result=False),
    "checkpoint_seconds": Key(
        300.0, "Seconds between checkpoints; 0: as often as possible.", least=0, affects_result=False
    ),
    "checkpoints_kept": Key(2, "Number of checkpoints that are kept.", least=1, affects_result=False),
    "shared_workdir": Key(
        False,
        "Say that all processes see the workdir; then each writes its own part of sharded parameters.",
        affects_result=False,
    ),
    "grace_seconds": Key(30.0, "Seconds for the checkpoint after an interrupt.", least=0, affects_result=False),
    "threads": Key(2, "Number of threads that decode images.", least=1, affects_result=False),
    "cpu_devices": Key(
        None,
        "Number of CPU devices that share a batch; None: one for each core, at most 8.",
        kind=int,
        least=1,
        most=64,
        affects_result=False,
    ),
    "coordinator": Key(
        None, "HOST:PORT of process 0, or auto (TPU VMs, Slurm); see docs/train.md.", kind=str, affects_result=False
    ),
    "processes": Key(None, "Number of processes that share the training.", kind=int, least=1, affects_result=False),
    "process": Key(None, "Index of this process, from 0.", kind=int, least=0, affects_result=False),
    "connect_seconds": Key(120, "Seconds in which all processes have to connect.", least=1, affects_result=False),
}


def check(config: ConfigDict, keys: Keys) -> None:
    """Refuses what no training can be.

    Args:
      config: config of a training.
      keys: keys of that task.

    Raises:
      UserError: names the key.
    """
    config_keys.check(config, keys)
    if (config.steps > 0) == (config.epochs > 0):
        raise UserError(f"config.steps={config.steps}, config.epochs={config.epochs:g}: give one of them, the other 0")


def is_resident(config: ConfigDict, samples: Transform) -> bool:
    """True if the crops stay in the devices' memory.

    Raises:
      UserError: resident crops are asked for, but rows can be made on the host only.
    """
    if config.resident and not samples.can_stay_on_devices:
        raise UserError("config.resident=True: what this config does to its crops is done on the host; leave it out")
    wanted = jax.default_backend() != "cpu" if config.resident is None else config.resident
    return wanted and samples.can_stay_on_devices


def steps_per_call(config: ConfigDict) -> int:
    """Number of steps in one call of the devices."""
    return config.steps_per_call or (1 if jax.default_backend() == "cpu" else config.log_steps)


def from_residents(
    step: Step, constants: dict[str, Any], samples: Any, source: RecordSource, positions: Integer[np.ndarray, " n"]
) -> tuple[Step, dict[str, Any]]:
    """A step that takes its images from crops among its constants, and the constants with them.

    Args:
      step: step of one device, that takes images.
      constants: constants of that step.
      samples: see `Transform`.
      source: the prepared set.
      positions: the records to learn from.
    """

    def taking(state: TrainState, constants: Any, batch: dict[str, jax.Array]) -> tuple[TrainState, Any]:
        residents = constants[_RESIDENT]
        rows = samples.rows_on_device(residents, batch) | {"label": residents["label"][batch["row"]]}
        return step(state, {name: each for name, each in constants.items() if name != _RESIDENT}, rows)

    crops, labels = source.crops(np.unique(positions))
    return taking, constants | {_RESIDENT: samples.resident(crops) | {"label": labels.astype(np.int32)}}


def fed(
    config: ConfigDict,
    source: RecordSource,
    positions: Integer[np.ndarray, " n"],
    samples: Any,
    step: Step,
    constants: dict[str, Any],
    done: int = 0,
    finished: Callable[[Any], Any] | None = None,
) -> tuple[Step, dict[str, Any], Iterator[dict[str, np.ndarray]]]:
    """A step in the config's precision, its constants, and this process's batches for it.

    Args:
      config: config of the training.
      source: the prepared set.
      positions: the records to learn from.
      samples: see `Transform`.
      step: step of one device, that takes images.
      constants: constants of that step.
      done: number of the first batch.
      finished: function that the host applies to a batch of rows; None: none.
    """
    resident = is_resident(config, samples)
    batches = pipeline.batches(
        source,
        config.batch_size,
        seed=config.seed,
        transform=samples,
        positions=positions,
        start=done,
        process=jax.process_index(),
        processes=jax.process_count(),
        threads=config.threads,
        choices=samples.choices if resident else None,
    )
    if resident:
        step, constants = from_residents(step, constants, samples, source, positions)
    return precision.at(config.matmul_precision, step), constants, map(finished, batches) if finished else batches


def _make_up(
    like: TrainState, plan: loop.Plan, checkpoints: Checkpoints, progress: Progress, evaluate: Evaluate
) -> None:
    """Makes the evaluations that are due and were cut off, or were not asked for then, of what is kept."""
    for step in checkpoints.steps:
        if plan.is_due(step) and not progress.is_evaluated(step):
            # Of several processes none may end by itself: the loop agrees on a stop.
            with contextlib.suppress(*([signals.Interrupted] if jax.process_count() > 1 else [])):
                evaluate(checkpoints.restore(like, step))


def _say_how_to_go_on(workdir: Path, checkpoints: Checkpoints, steps: int) -> None:
    """After a stop: what is kept, and the command that resumes."""
    if devices.is_lead_process():
        command = shlex.join(["python", "-m", "lowres_jax.main", *sys.argv[1:]])
        kept = f"step {checkpoints.latest or 0:,} of {steps:,} is saved"
        print(f"{workdir}: {kept}; to resume: {command}", flush=True)


def run(
    config: ConfigDict,
    keys: Keys,
    workdir: Path,
    *,
    origin: dict[str, Any],
    source: RecordSource,
    positions: Integer[np.ndarray, " n"],
    samples: Transform,
    state: TrainState,
    constants: dict[str, Any],
    step: Step,
    steps: int,
    introduce: Evaluate,
    evaluate_start: bool = False,
    finished: Callable[[Any], Any] | None = None,
    evaluation: Callable[[Progress], Evaluate],
) -> None:
    """Trains from where the workdir's last checkpoint left off, or from the start.

    Args:
      config: config of the training; what it says of data, checkpoints, figures and processes is read here.
      keys: keys of that task.
      workdir: workdir of this training alone.
      origin: origin of the result beside config and data, see `origins`.
      source: the prepared set.
      positions: the records to learn from.
      samples: crop -> row of a batch.
      state: before the first step, as host arrays.
      constants: arrays that the step reads and does not change.
      step: step of one device, see `devices.data_parallel`.
      steps: total number of training steps.
      evaluate_start: true if what the training starts from is evaluated too.
      introduce: function that prints the training; process 0 calls it with the first state.
      finished: see `fed`.
      evaluation: progress -> what evaluates a state.

    Raises:
      UserError: the workdir is another training's, a figure is not finite, or the disk is full.
    """
    with files.locked(workdir) if devices.is_lead_process() else contextlib.nullcontext():
        checkpoints = Checkpoints(workdir, config.checkpoints_kept, together=config.shared_workdir)
        checkpoints.claim(config.to_dict() | {"data": source.digest()} | origin, config_keys.without_effect(keys))
        plan = loop.Plan(
            steps, config.checkpoint_seconds, config.evaluate_steps, config.grace_seconds, steps_per_call(config)
        )
        like, newest = state, checkpoints.newest(state)
        if newest is not None:
            if int(newest.step) > steps:
                raise UserError(f"{workdir}: has {int(newest.step):,} steps already, config.steps asks for {steps:,}")
            state = newest
        if devices.is_lead_process():
            introduce(state)
            print(
                f"curves after each evaluation: {workdir / 'curves.png'}\n"
                f"curves: python -m tensorboard.main --logdir {shlex.quote(str(workdir / 'tensorboard'))}",
                flush=True,
            )
        schedule = make_schedule(config.optimizer, steps)
        progress = Progress(
            workdir,
            steps,
            config.batch_size,
            config.log_steps,
            int(state.step),
            lambda number: schedule(number // config.optimizer.accumulate),
        )
        evaluate = evaluation(progress)
        with signals.at_forced_end(lambda: _say_how_to_go_on(workdir, checkpoints, steps)):
            try:
                if evaluate_start and not int(state.step) and devices.is_lead_process():
                    evaluate(state)
                _make_up(like, plan, checkpoints, progress, evaluate)
                step, constants, batches = fed(
                    config, source, positions, samples, step, constants, int(state.step), finished
                )
                if int(state.step) < steps:
                    loop.fit(state, constants, step, batches, plan, checkpoints, progress, evaluate)
            except signals.Interrupted:
                _say_how_to_go_on(workdir, checkpoints, steps)
                distributed.leave()
                raise
        progress.close()
        checkpoints.close()
        distributed.leave()
        if devices.is_lead_process():
            print(
                f"{workdir}: {steps:,} steps done; to use the result by a name: python -m lowres_jax.main "
                f"export_weights {shlex.quote(str(workdir))} NAME 'LICENSE, as that of the training data allows'"
            )
