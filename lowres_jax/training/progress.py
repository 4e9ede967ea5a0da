"""Output of a training while it runs: a line, and scalars and pictures for TensorBoard."""

import contextlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from tensorboardX import SummaryWriter

from lowres_jax.training import devices
from lowres_jax.utils.files import write_atomically

# Between lines: from then on there is one after the first step too.
_MANY_STEPS = 10
EVALUATIONS = "evaluations.json"  # in the workdir: a list of step, figures, reference
BEST = "best.safetensors"  # beside it, where the best evaluation's weights are kept, with step and figures in them


class Progress:
    """Gathers the figures of the steps and tells of their means; only process 0 speaks.

    Attributes:
      steps: total number of training steps.
    """

    def __init__(
        self,
        workdir: Path,
        steps: int,
        batch_size: int,
        log_steps: int,
        done: int = 0,
        rate: Callable[[int], Any] | None = None,
    ):
        """Begins, or resumes.

        Args:
          workdir: workdir of the training.
          steps: see the attribute.
          batch_size: size of the batch of all devices together.
          log_steps: between lines.
          done: steps that are done already. Figures of later ones are of a run that was killed, or of another one.
          rate: step, counted from 0 -> learning rate.
        """
        self.steps = steps
        self._batch_size, self._log_steps = batch_size, log_steps
        self._rate = rate
        self._evaluations = workdir / EVALUATIONS
        self._writer = None
        if devices.is_lead_process():
            if not done:
                for name in (EVALUATIONS, BEST):
                    (workdir / name).unlink(missing_ok=True)
            self._writer = SummaryWriter(str(workdir / "tensorboard"), purge_step=done + 1)
        self._sums: dict[str, float] = {}
        self._count = 0
        self._since = self._begin = time.monotonic()
        self._paused = 0.0
        self._first_step: int | None = None

    def add(self, step: int, metrics: Sequence[Mapping[str, float]]) -> None:
        """Takes the figures of the steps of one call; every so many steps tells of their means.

        Args:
          step: number of the last of them, counted from 1.
          metrics: metrics of each step, name -> value.
        """
        if self._first_step is None:
            # The first call compiles: speed counts from its end.
            self._first_step, self._begin, self._paused = step, time.monotonic(), 0.0
            if self._writer is not None and self._log_steps >= _MANY_STEPS:
                # A sign of life: the next line may be minutes away.
                figures = "  ".join(f"{name} {value:.4g}" for name, value in metrics[-1].items())
                print(f"step {step:,}/{self.steps:,}  {figures}  compiled, continues", flush=True)
        for number, each in enumerate(metrics, start=step - len(metrics) + 1):
            for name, value in each.items():
                self._sums[name] = self._sums.get(name, 0.0) + value
            self._count += 1
            if number % self._log_steps == 0 or number == self.steps:
                self._tell(number)

    def _tell(self, step: int) -> None:
        means = {name: total / self._count for name, total in self._sums.items()}
        self._sums, self._count = {}, 0
        if self._writer is None:
            return
        assert self._first_step is not None
        seconds = time.monotonic() - self._begin - self._paused
        done = max(0, step - self._first_step)
        speed = done / seconds if done and seconds > 0 else 0.0
        figures = "  ".join(f"{name} {value:.4g}" for name, value in means.items())
        left = (
            f"{speed * self._batch_size:.1f} images/s, {_duration((self.steps - step) / speed)} left" if speed else ""
        )
        print(f"step {step:,}/{self.steps:,}  {figures}  {left}".rstrip(), flush=True)
        self.scalars(step, {f"train/{name}": value for name, value in means.items()})
        if self._rate is not None:
            self.scalars(step, {"train/learning_rate": float(self._rate(step - 1))})
        if speed:
            self.scalars(step, {"train/images_per_second": speed * self._batch_size})

    @contextlib.contextmanager
    def paused(self) -> Any:
        """Takes the time of the block out of the speed: evaluation is no training."""
        begin = time.monotonic()
        try:
            yield
        finally:
            self._paused += time.monotonic() - begin

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Writes figures for TensorBoard."""
        if self._writer is not None:
            for name, value in values.items():
                self._writer.add_scalar(name, value, step)
            self._writer.flush()

    def evaluated(
        self, step: int, figures: Mapping[str, float], reference: Mapping[str, float], name: str = "bicubic"
    ) -> None:
        """Writes the figures of an evaluation, beside those of its start and of a reference.

        Args:
          step: number of the step.
          figures: figures of the evaluation.
          reference: figures that the reference reaches; may be empty.
          name: name of the reference.
        """
        entry = {"step": step, "figures": dict(figures), "reference": dict(reference)}
        # A run that was killed repeats what it did after its last checkpoint.
        others = [each for each in self.evaluations() if each["step"] != step]
        with write_atomically(self._evaluations) as file:
            file.write(json.dumps(sorted([*others, entry], key=lambda each: each["step"]), indent=1).encode())
        start: dict[str, float] = next((each["figures"] for each in others if each["step"] == 0), {})
        beside = {"start": start, name: reference}
        parts = []
        for figure, value in figures.items():
            known_figures = ", ".join(
                f"{what} {known[figure]:.4g}" for what, known in beside.items() if figure in known
            )
            parts.append(f"{figure} {value:.4g}" + (f" ({known_figures})" if known_figures else ""))
        if parts:
            print(f"step {step:,}  validation: {', '.join(parts)}", flush=True)
        self.scalars(step, {f"validation/{figure}": value for figure, value in figures.items()})
        self.scalars(step, {f"validation_{name}/{figure}": value for figure, value in reference.items()})

    def is_evaluated(self, step: int) -> bool:
        """True if there are figures of a step."""
        return any(each["step"] == step for each in self.evaluations())

    def evaluations(self) -> list[dict[str, Any]]:
        """All evaluations so far: step, figures, reference."""
        return json.loads(self._evaluations.read_text()) if self._evaluations.is_file() else []

    def picture(self, step: int, name: str, image: UInt8[np.ndarray, "H W 3"]) -> None:
        """Writes a picture, (H, W, 3) uint8, for TensorBoard."""
        if self._writer is not None:
            self._writer.add_image(name, image, step, dataformats="HWC")
            self._writer.flush()

    def close(self) -> None:
        """Ends the writer's thread."""
        if self._writer is not None:
            self._writer.close()


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}"
