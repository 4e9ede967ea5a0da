"""The loop of every training: steps, checkpoints, evaluations, and an end at any moment that loses nothing.

Processes agree on every step without messages of their own: each sends its requests (to stop, to save) along with its
batch, the step passes on the requests of all, and all act on them one step later.
"""

import contextlib
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from jaxtyping import Float

from lowres_jax.errors import UserError
from lowres_jax.runtime import signals
from lowres_jax.training import devices
from lowres_jax.training.checkpoints import Checkpoints
from lowres_jax.training.progress import Progress
from lowres_jax.training.state import TrainState

Step = Callable[[TrainState, Any, dict[str, jax.Array]], tuple[TrainState, dict[str, jax.Array]]]
# (devices, 2) float32 in a batch: to stop (_AS_SAVED: with what is saved already), to save.
REQUESTS = "requests"
_AS_SAVED = 2.0


@dataclass(frozen=True)
class Plan:
    """Schedule of a training: steps, logs, evaluations, checkpoints.

    Attributes:
      steps: total number of training steps.
      checkpoint_seconds: between checkpoints; 0: as often as possible.
      evaluate_steps: between evaluations; there is one at the end too. 0: only there.
      grace_seconds: seconds for the checkpoint, when asked to stop.
      steps_per_call: number of steps that the devices make before the host hears of them. Before evaluations and the
        end, single steps where as many do not fit.
    """

    steps: int
    checkpoint_seconds: float
    evaluate_steps: int
    grace_seconds: float
    steps_per_call: int = 1

    def is_due(self, done: int) -> bool:
        """True if there is an evaluation after so many steps."""
        return done == self.steps or bool(self.evaluate_steps and done % self.evaluate_steps == 0)

    def next_call(self, done: int) -> int:
        """Number of steps that the devices make at once after `done`."""
        left = self.steps - done
        if self.evaluate_steps:
            left = min(left, self.evaluate_steps - done % self.evaluate_steps)
        return self.steps_per_call if self.steps_per_call <= left else 1


def with_control(step: Step) -> Step:
    """A step of one device that also passes on the requests of any process."""

    def wrapped(state: TrainState, constants: Any, batch: dict[str, jax.Array]) -> tuple[TrainState, Any]:
        batch = dict(batch)
        requests = jax.lax.pmax(batch.pop(REQUESTS).max(axis=0), devices.AXIS)
        state, metrics = step(state, constants, batch)
        return state, metrics | {REQUESTS: requests}

    return wrapped


def fit(
    state: TrainState,
    constants: Any,
    step: Step,
    batches: Iterator[dict[str, np.ndarray]],
    plan: Plan,
    checkpoints: Checkpoints,
    progress: Progress,
    evaluate: Callable[[TrainState], None],
) -> TrainState:
    """Trains to the plan's last step.

    Args:
      state: host arrays; `state.step` steps are done already.
      constants: host arrays that the step reads and does not change.
      step: step of one device, see `devices.data_parallel`.
      batches: rows of this process of each batch, from the one that follows `state.step` on.
      plan: see `Plan`.
      checkpoints: checkpoints of the state.
      progress: told of every step.
      evaluate: evaluation of the state, called on process 0.

    Returns:
      The last state, on the devices.

    Raises:
      Interrupted: a stop was requested; the state is saved.
      UserError: a figure is not finite, or a checkpoint cannot be written; the last good checkpoint stays.
    """
    run = _Run(plan, checkpoints, progress)
    parallel = {stacked: devices.data_parallel(with_control(step), state, stacked) for stacked in (False, True)}
    done = int(state.step)
    state, constants = devices.replicate(state), devices.replicate(constants)
    with contextlib.ExitStack() as after_compilation:
        # However the loop ends, what it began to save is to be on disk.
        after_compilation.callback(checkpoints.wait)
        while done < plan.steps:
            count = plan.next_call(done)
            stacked = count > 1
            batch = devices.divide(of_steps(batches, count, {REQUESTS: run.requests()}), stacked)
            state, metrics = parallel[stacked](state, constants, batch)
            done += count
            # The call before is read while this one computes.
            stop, save = run.read_pending()
            if run.pending is None:
                # The first call of this run: before it there was nothing to save.
                after_compilation.enter_context(signals.grace(plan.grace_seconds))
            run.pending = done, metrics
            if jax.process_count() == 1:
                # Nobody to agree with: no need to wait for the next step.
                stop = signals.requested()
            due = plan.is_due(done)
            if not (stop or save or due):
                continue
            # Figures of this very step first: what is not finite is not saved.
            run.read_pending()
            # Before an evaluation too: one that is cut off is made of what was saved, when the run resumes.
            if stop != _AS_SAVED:
                run.save(state)
            if stop:
                signals.check()
                raise signals.Interrupted(signals.BY_ANOTHER_PROCESS)
            if due:
                run.evaluate(state, evaluate)
    return state


def of_steps(
    batches: Iterator[dict[str, np.ndarray]], count: int, more: Mapping[str, np.ndarray] | None = None
) -> dict[str, np.ndarray]:
    """The input of a call of the devices: the next batch; for several steps a stack of batches.

    Args:
      batches: one after the other.
      count: steps of the call.
      more: arrays that go along with each batch.
    """
    if count == 1:
        return next(batches) | dict(more or {})
    several = [next(batches) | dict(more or {}) for _ in range(count)]
    return {name: np.stack([batch[name] for batch in several]) for name in several[0]}


class _Run:
    """Memory of the loop between steps, beside the state."""

    def __init__(self, plan: Plan, checkpoints: Checkpoints, progress: Progress):
        # Number of the newest step and figures of its call, until they are read.
        self.pending: tuple[int, dict[str, jax.Array]] | None = None
        self._plan, self._checkpoints, self._progress = plan, checkpoints, progress
        self._owes_evaluation = False
        self._saved = time.monotonic()

    def requests(self) -> Float[np.ndarray, "rows 2"]:
        """This process's rows of what all wish."""
        due = devices.is_lead_process() and time.monotonic() - self._saved >= self._plan.checkpoint_seconds
        stop = _AS_SAVED if self._owes_evaluation else float(signals.requested())
        row = np.asarray([stop, due], np.float32)
        return np.broadcast_to(row, (jax.local_device_count(), 2))

    def read_pending(self) -> tuple[float, bool]:
        """Takes in the figures of the pending call; returns what anybody requests, see `REQUESTS`.

        Raises:
          UserError: a figure is not finite.
        """
        if self.pending is None:
            return 0.0, False
        (number, metrics), self.pending = self.pending, None
        found = devices.fetch(metrics)
        # The same in every step of a call.
        stop, save = found.pop(REQUESTS).reshape(-1, 2)[-1].tolist()
        columns = {name: np.ravel(values).tolist() for name, values in found.items()}
        figures = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        for step, each in enumerate(figures, start=number - len(figures) + 1):
            self._check_finite(step, each)
        self._progress.add(number, figures)
        return stop, bool(save)

    def _check_finite(self, step: int, figures: dict[str, float]) -> None:
        for name, value in figures.items():
            if not math.isfinite(value):
                last = self._checkpoints.latest
                kept = f"the last good checkpoint is of step {last:,}" if last else "there is no checkpoint yet"
                kept = kept if devices.is_lead_process() else "process 0 says what is kept"
                raise UserError(
                    f"step {step:,}: {name} is {value}; training stopped, {kept} ({self._checkpoints.folder}). "
                    "A lower --config.optimizer.learning_rate or --config.optimizer.clip_norm=1 may help"
                )

    def save(self, state: TrainState) -> None:
        self._checkpoints.save(state if self._checkpoints.together else devices.fetch(state))
        self._saved = time.monotonic()

    def evaluate(self, state: TrainState, evaluate: Callable[[TrainState], None]) -> None:
        """Evaluates on process 0; a stop cuts it off, and several processes agree on that with the next step."""
        # By every process: what is divided between them only all together can put together.
        state = devices.fetch(state)
        if not devices.is_lead_process():
            return
        # What is to be kept is on disk before, so that a stop within seconds costs an evaluation only.
        self._checkpoints.wait()
        alone = jax.process_count() == 1
        with self._progress.paused(), signals.quick() if alone else contextlib.nullcontext():
            try:
                evaluate(state)
            except signals.Interrupted:
                if alone or int(state.step) == self._plan.steps:
                    raise
                self._owes_evaluation = True
