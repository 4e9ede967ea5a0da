"""Trains a generator for so many seconds: measures its step, chooses the steps that fit, ends its schedule, exports."""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
from ml_collections import ConfigDict

from lowres_jax import config_keys
from lowres_jax.data.records import open_records
from lowres_jax.errors import UserError
from lowres_jax.runtime import configuration, environment
from lowres_jax.settings.visits import TRAINING_KEYS as KEYS
from lowres_jax.super_resolution.training import initial_weights, train_config
from lowres_jax.super_resolution.training.transform import Transform
from lowres_jax.tasks import export_weights, train
from lowres_jax.training import devices, loop, session
from lowres_jax.training.checkpoints import RUN
from lowres_jax.training.progress import EVALUATIONS
from lowres_jax.utils.files import write_atomically
from lowres_jax.visit import results

_MEASURED_SECONDS = 2.0
# Of the time left when the step is measured: compiling again (from the cache), evaluations and exports take the rest.
_SHARE_OF_STEPS = 0.65
_EVALUATIONS = 4  # at equal distances
_LEAST_STEPS = 20
_SMALLEST_BATCH = 8


def run(config: ConfigDict, workdir: Path) -> None:
    """Trains `config.training` in the workdir and exports after each evaluation that is the best so far.

    Raises:
      UserError: see the tasks train and export_weights; or the time is too short for any training.
    """
    config_keys.check(config, KEYS)
    settings = _settings(config)
    speed, batch_size = _measured(settings)
    left = max(0.0, config.until - time.time())
    calls = int(_SHARE_OF_STEPS * left * speed / batch_size / session.steps_per_call(settings))
    steps = calls * session.steps_per_call(settings)
    if steps < _LEAST_STEPS:
        raise UserError(
            f"{config.name}: {left:.0f} s are left at {speed:.0f} images/s: {steps} steps fit, "
            f"and {_LEAST_STEPS} are the least"
        )
    # Whole calls between evaluations, so that no single steps have to be compiled.
    every = max(1, calls // _EVALUATIONS) * session.steps_per_call(settings)
    settings.batch_size, settings.evaluate_steps = batch_size, every
    settings.steps = steps // every * every
    settings.optimizer.warmup_steps = min(settings.optimizer.warmup_steps, settings.steps // 10)
    print(f"{config.name}: {speed:.0f} images/s measured; {settings.steps:,} steps of {batch_size} fit", flush=True)
    train.run(settings, workdir, _Export(config, settings, workdir, speed))


def _settings(config: ConfigDict) -> ConfigDict:
    """The config of the training, with what the visit changes."""
    settings = configuration.load(config.training)
    if settings.get("task") != "train":
        raise UserError(f"config.training={config.training}: trains no generator; a visit trains these only")
    settings.update(config.changes.to_dict() | {"batch_size": config.batch_size, "epochs": 0.0, "steps": 1})
    settings.checkpoint_seconds, settings.checkpoints_kept = 30.0, 1
    train_config.check(settings)
    return settings


def _measured(settings: ConfigDict) -> tuple[float, int]:
    """Images/s of the training's own step, and its batch: halved as often as it does not fit into the memory."""
    batch_size = settings.batch_size
    while True:
        settings.batch_size = batch_size
        devices.check_batch_size(batch_size)
        try:
            return _speed(settings), batch_size
        except jax.errors.JaxRuntimeError as error:
            if "RESOURCE_EXHAUSTED" not in str(error) or batch_size // 2 < _SMALLEST_BATCH:
                raise UserError(f"a step of {batch_size} images: {str(error).splitlines()[0][:200]}") from error
        batch_size //= 2
        print(f"out of memory with {settings.batch_size} images: goes on with {batch_size}", flush=True)


def _speed(settings: ConfigDict) -> float:
    """Images/s, compilation not counted."""
    source = open_records(environment.datasets_folder(settings.data_dir) / settings.dataset)
    samples, chosen = Transform(settings), train.chosen_records(settings, source)
    training = train.build_trainer(settings, settings.steps, source, chosen.training)
    state = training.init(initial_weights.variables(settings, training.generator))
    step, constants, batches = session.fed(
        settings, source, chosen.training, samples, training.step, training.constants
    )
    count = session.steps_per_call(settings)
    lifted = devices.data_parallel(step, state, stacked=count > 1)
    placed, fixed = devices.replicate(state), devices.replicate(constants)

    def call(placed: Any) -> Any:
        placed, metrics = lifted(placed, fixed, devices.divide(loop.of_steps(batches, count), count > 1))
        jax.block_until_ready(metrics)
        return placed

    placed, calls = call(placed), 0
    begin = time.monotonic()
    while calls < 1 or time.monotonic() - begin < _MEASURED_SECONDS:
        placed, calls = call(placed), calls + 1
    return calls * count * settings.batch_size / (time.monotonic() - begin)


class _Export:
    """Writes card, weights and grid of the best evaluation so far, and the figures of all, the moment they are there.

    The best is that of the highest identity cosine on people held out; without any the last.
    """

    def __init__(self, config: ConfigDict, settings: ConfigDict, workdir: Path, speed: float):
        self._config, self._settings, self._workdir, self._speed = config, settings, workdir, speed
        self._best, self._best_step = -1.0, 0
        self._evaluations: list[dict[str, Any]] = []

    def __call__(self, step: int, variables: Any, figures: Mapping[str, float]) -> None:
        """See `train.AfterEvaluation`."""
        output = Path(self._config.output)
        self._evaluations.append({"step": step, "figures": dict(figures)})
        cosine = figures.get("identity_cosine", 0.0)
        if cosine >= self._best:
            self._best, self._best_step = cosine, step
            models = output / results.MODELS
            told = json.loads((self._workdir / RUN).read_text())
            export_weights.write_model(
                models, self._config, export_weights.Trained(told, step, figures, step), variables
            )
            grid = self._workdir / "grids" / train.grid_name(step)
            if grid.is_file():
                with write_atomically(models / f"{self._config.name}.png") as file:
                    file.write(grid.read_bytes())
        found = {
            "images_per_second": round(self._speed, 1),
            "batch_size": self._settings.batch_size,
            "steps": self._settings.steps,
            "best_step": self._best_step,
            "reference": json.loads((self._workdir / EVALUATIONS).read_text())[-1]["reference"],
            "evaluations": self._evaluations,
        }
        trainings = results.read(output).get("trainings", {})
        results.add(output, trainings=trainings | {self._config.name: found})
