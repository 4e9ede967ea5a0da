"""What every training does around its steps, whatever it trains: workdir, batches, loop, last evaluation."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
from ml_collections import ConfigDict

from lowres_jax import configuration
from lowres_jax.data import pipeline
from lowres_jax.data.records import RecordSource
from lowres_jax.errors import UserError
from lowres_jax.training import devices, loop
from lowres_jax.training.checkpoints import Checkpoints
from lowres_jax.training.progress import Progress
from lowres_jax.training.state import TrainState

Evaluate = Callable[[TrainState], None]


def default_config() -> ConfigDict:
    """The keys that every training has, with their defaults."""
    config = ConfigDict()
    config.platform = ""  # "cpu", "gpu" or "tpu" to insist on one

    config.data_dir = ""  # folder of prepared sets; empty: the cache folder
    config.dataset = "casia_webface/mtcnn_jpeg"  # builder/variant below data_dir
    config.held_out = 0.05  # share of the people that are kept for validation

    config.batch_size = 16  # of all devices together
    config.steps = 0  # either this
    config.epochs = 0.0  # or this, of the chosen crops
    config.seed = 0

    config.evaluate_steps = 1000
    config.view1 = "lfw/mtcnn"  # prepared LFW, used where it is there
    config.view1_pairs = 200  # of each of View 1's two lists; 0: none

    config.log_steps = 20
    config.checkpoint_seconds = 300.0
    config.checkpoints_kept = 2
    config.grace_seconds = 30.0  # for the checkpoint when asked to stop
    config.threads = 2  # that decode

    config.cpu_devices = 0  # on a CPU: devices that share a batch; 0: one for each core, at most 8
    config.coordinator = ""  # HOST:PORT of process 0, or "auto"; see docs/training.md
    config.processes = 0
    config.process = -1
    config.connect_seconds = 120
    return config


def variant(config: ConfigDict, names: str, **changes: Callable[[ConfigDict], ConfigDict]) -> ConfigDict:
    """The config, changed by the variants that were asked for, one after the other.

    Args:
      config: of the training itself.
      names: of the variants, separated by commas; "" for none.
      **changes: what each variant makes of a config.

    Raises:
      ValueError: no such variant.
    """
    for name in filter(None, names.split(",")):
        if name not in changes:
            raise ValueError(f"variant {name!r}: {configuration.nearest(name, list(changes))}")
        config = changes[name](config)
    return config


def check(config: ConfigDict) -> None:
    """Refuses what no training can be.

    Raises:
      UserError: names the key.
    """
    if (config.steps > 0) == (config.epochs > 0):
        raise UserError(f"config.steps={config.steps}, config.epochs={config.epochs:g}: give one of them, the other 0")
    if not 0 <= config.ema < 1:
        raise UserError(f"config.ema={config.ema}: must be 0 (none) or a decay below 1")


def run(
    config: ConfigDict,
    workdir: Path,
    source: RecordSource,
    positions: np.ndarray,
    samples: pipeline.Transform,
    state: TrainState,
    constants: dict[str, Any],
    step: Callable[..., Any],
    steps: int,
    introduce: Evaluate,
    evaluation: Callable[[Progress], Evaluate],
) -> None:
    """Trains from where the workdir's last checkpoint left off, or from the start.

    Args:
      config: of the training; what it says of data, checkpoints, figures and processes is read here.
      workdir: of this training alone.
      source: the prepared set.
      positions: the records to learn from.
      samples: crop -> row of a batch.
      state: before the first step, as host arrays.
      constants: what the step reads and does not change.
      step: of one device, see `devices.lift`.
      steps: of the whole training.
      introduce: says what is trained on what; called by process 0 with the state it goes on from.
      evaluation: progress -> what evaluates a state.

    Raises:
      UserError: the workdir is another training's, a figure is not finite, or the disk is full.
    """
    checkpoints = Checkpoints(workdir, config.checkpoints_kept)
    checkpoints.claim(config.to_dict() | {"data": source.digest()})
    if checkpoints.latest is not None:
        state = checkpoints.restore(state)
    if devices.is_first():
        introduce(state)
    progress = Progress(workdir, steps, config.batch_size, config.log_steps)
    batches = pipeline.batches(
        source,
        config.batch_size,
        config.seed,
        samples,
        positions,
        int(state.step),
        jax.process_index(),
        jax.process_count(),
        config.threads,
    )
    plan = loop.Plan(steps, config.checkpoint_seconds, config.evaluate_steps, config.grace_seconds)
    evaluate = evaluation(progress)
    if int(state.step) < steps:
        loop.fit(state, constants, step, batches, plan, checkpoints, progress, evaluate)
    elif devices.is_first() and not progress.is_evaluated(steps):
        # Stopped within its last evaluation.
        evaluate(state)
    progress.close()
    checkpoints.close()
    if devices.is_first():
        print(
            f"{workdir}: {steps:,} steps done; to use the result by a name: python -m lowres_jax.main "
            f"--config=configs/export_weights.py --config.training={workdir} --config.name=NAME"
        )
