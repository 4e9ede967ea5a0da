"""Checkpoints of a training, by Orbax: written in the background, whole or not at all; only this file knows Orbax."""

import contextlib
import json
import re
import shlex
from collections.abc import Container
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp
from absl import logging
from flax import traverse_util

from lowres_jax.errors import UserError
from lowres_jax.training import devices
from lowres_jax.training.state import TrainState
from lowres_jax.utils.files import write_atomically

RUN = "run.json"


class _Manager(ocp.CheckpointManager):
    """Orbax asks JAX's preemption service before each save, though it is off: `runtime.signals` does its work."""

    def reached_preemption(self, step: int) -> bool:
        return False


class Checkpoints:
    """The checkpoints of one workdir.

    Every process of a run makes one and calls the same methods at the same steps. Process 0 alone reads and writes, and
    tells the others: machines need no disk that they share. Or they do, and each writes and reads its own part of what
    is divided between devices, so that no machine has to hold all of it.

    Attributes:
      folder: WORKDIR/checkpoints, with a folder for each step kept.
      together: true if all processes write and read.
    """

    def __init__(self, workdir: Path, kept: int = 2, read_only: bool = False, together: bool = False):
        """Opens the checkpoints; what a killed run left half-written is cleared away by who trains.

        Args:
          workdir: workdir of the training.
          kept: number of the newest that are kept.
          read_only: true for readers of a folder in which a training may be saving at this moment.
          together: true if all processes write and read, in a workdir that all of them see.
        """
        self.together = together and not read_only
        self.folder = Path(workdir).absolute() / "checkpoints"
        self._workdir = Path(workdir)
        # Orbax tells of each save in ten lines.
        logging.set_verbosity(logging.ERROR)
        self._manager: ocp.CheckpointManager | None = None
        if not (read_only or self.together or devices.is_lead_process()):
            return
        own = jax.process_index()
        # Orbax would have the others take part.
        who = (
            ocp.options.MultiprocessingOptions()
            if self.together
            else ocp.options.MultiprocessingOptions(primary_host=own, active_processes={own})
        )
        with self._errors():
            if not read_only:
                self.folder.mkdir(parents=True, exist_ok=True)
            self._manager = _Manager(
                self.folder,
                item_handlers=ocp.StandardCheckpointHandler(multiprocessing_options=who),
                options=ocp.CheckpointManagerOptions(read_only=True, create=False, multiprocessing_options=who)
                if read_only
                else ocp.CheckpointManagerOptions(
                    max_to_keep=kept, cleanup_tmp_directories=True, create=False, multiprocessing_options=who
                ),
            )
        if self.together:
            self._check_that_all_see_it()

    @property
    def steps(self) -> list[int]:
        """All steps that are kept, ascending; known to process 0."""
        return sorted(self._manager.all_steps()) if self._manager and devices.is_lead_process() else []

    @property
    def latest(self) -> int | None:
        """The newest step that is kept, known to process 0; None without any."""
        return self._manager.latest_step() if self._manager else None

    def claim(self, description: dict[str, Any], aside: Container[str] = ()) -> None:
        """Makes sure that the workdir belongs to this run, and writes down whose it is.

        Args:
          description: the config and what else the result depends on, as JSON; all processes have the same.
          aside: dotted names in it that the result does not depend on: these may differ.

        Raises:
          UserError: the workdir holds a training of another description, or the processes differ.
        """
        described = json.loads(json.dumps(description))
        fixed = {name: value for name, value in flat(described).items() if name not in aside}
        devices.agree_on_text(json.dumps(fixed, sort_keys=True), "the config")
        if not devices.is_lead_process():
            return
        path = self._workdir / RUN
        if path.is_file() and self.latest is not None:
            try:
                before = flat(json.loads(path.read_text()))
            except ValueError as error:
                raise UserError(f"{path}: damaged ({error}); choose another --workdir") from error
            names = sorted(set(fixed) | {name for name in before if name not in aside})
            different = [name for name in names if fixed.get(name) != before.get(name)]
            if different:
                shown = "; ".join(
                    f"{name}: {json.dumps(before.get(name))} there, {json.dumps(fixed.get(name))} now"
                    for name in different
                )
                raise UserError(
                    f"{self._workdir}: holds a training of another config ({shown}); choose another --workdir, there "
                    f"--config.start={shlex.quote(str(self._workdir))} continues from this one's result"
                )
        with write_atomically(path) as file:
            file.write(json.dumps(described, indent=1).encode())

    def save(self, state: TrainState) -> None:
        """Begins to save a state under its step, in the background.

        Args:
          state: host arrays, which nobody changes any more; of `together` as it lies on the devices.

        Raises:
          UserError: this or the save before could not be written; older checkpoints stay.
        """
        step = int(state.step)
        if self._manager is None or step == self.latest:
            return
        with self._errors():
            self._manager.check_for_errors()
            self._manager.save(step, args=ocp.args.StandardSave(nested(state)), force=True)

    def wait(self) -> None:
        """Waits until what was begun is on disk.

        Raises:
          UserError: a checkpoint could not be written.
        """
        if self._manager is not None:
            with self._errors():
                self._manager.wait_until_finished()

    def newest(self, like: TrainState) -> TrainState | None:
        """Process 0's part of the newest step, on every process; None without any.

        Args:
          like: a state of the same networks, as host arrays.

        Returns:
          The state as host arrays; of `together` as it lies on the devices.

        Raises:
          UserError: see `restore`; on process 0.
        """
        if self.together:
            return self._read(like, self.latest, devices.described_placement(like)) if self.latest is not None else None
        found = self.restore(like) if self.latest is not None else None
        return devices.from_first(found, like)

    def restore(self, like: TrainState, step: int | None = None) -> TrainState:
        """Reads a checkpoint; on process 0.

        Args:
          like: a state of the same networks, as host arrays.
          step: step of the checkpoint; None: the newest.

        Returns:
          The state as host arrays, for any number of devices.

        Raises:
          UserError: there is none, it is damaged, or of another model.
        """
        step = self.latest if step is None else step
        if self.together:
            # Only those ask that make up for an evaluation: one process, for itself.
            alone = Checkpoints(self._workdir, read_only=True)
            found = alone.restore(like, step)
            alone.close()
            return found
        return jax.tree.map(np.asarray, self._read(like, step, like))

    def _read(self, like: TrainState, step: int | None, wanted: TrainState) -> TrainState:
        """A checkpoint of a state like one, as the arrays that are wanted."""
        if step is None or self._manager is None:
            raise UserError(f"{self.folder}: no checkpoint")
        place = self.folder / str(step)
        expected = {name: tuple(np.shape(leaf)) for name, leaf in flat_leaves(like).items()}
        try:
            metadata = self._manager.item_metadata(step)
            if metadata is None:
                raise FileNotFoundError("no such step, or damaged")
            found = {name: tuple(leaf.shape) for name, leaf in flat_leaves(metadata).items()}
            wrong = sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))
            if wrong:
                raise UserError(
                    f"{place}: checkpoint of another model: {wrong[0]} has shape {found.get(wrong[0], 'none')} there, "
                    f"{expected.get(wrong[0], 'none')} here ({len(wrong)} such)"
                )
            restored = flat_leaves(self._manager.restore(step, args=ocp.args.StandardRestore(nested(wanted))))
        except (OSError, ValueError, KeyError, AttributeError) as error:
            raise UserError(
                f"{place}: checkpoint cannot be read ({_first_line(error)}); remove this folder to resume from "
                "an older one"
            ) from error
        return jax.tree.unflatten(jax.tree.structure(like), [restored[name] for name in expected])

    def _check_that_all_see_it(self) -> None:
        """Makes sure that the workdir is one and the same for all processes.

        Raises:
          UserError: not all processes see the folder; raised on every process.
        """
        mark = self.folder / ".seen-by-all"
        try:
            if devices.is_lead_process():
                mark.write_text("")
            devices.wait_for_all("marked")
            seen = mark.is_file()
            devices.agree_on_text(str(seen), f"{self.folder}: what is there")
        except UserError as error:
            raise UserError(
                f"{error}; with config.shared_workdir=true all processes need a workdir that they share"
            ) from error
        finally:
            if devices.is_lead_process():
                mark.unlink(missing_ok=True)

    def read(self) -> dict[str, Any]:
        """The newest checkpoint as nested dictionaries of host arrays, for who does not know the training's state.

        Raises:
          UserError: there is none, or it is damaged.
        """
        if self._manager is None or self.latest is None:
            raise UserError(f"{self.folder}: no checkpoint")
        try:
            # Where several processes wrote it, Orbax has to be told that all of it is wanted here.
            described = flat_leaves(self._manager.item_metadata(self.latest))
            wanted = {name: np.empty(leaf.shape, leaf.dtype) for name, leaf in described.items()}
            target = traverse_util.unflatten_dict(wanted, sep="/")
            return jax.tree.map(np.asarray, self._manager.restore(self.latest, args=ocp.args.StandardRestore(target)))
        except (OSError, ValueError, KeyError, AttributeError) as error:
            raise UserError(
                f"{self.folder / str(self.latest)}: checkpoint cannot be read ({_first_line(error)})"
            ) from error

    def close(self) -> None:
        """Waits for what was begun and ends Orbax's threads."""
        if self._manager is not None:
            with self._errors():
                self._manager.close()

    @contextlib.contextmanager
    def _errors(self) -> Any:
        try:
            yield
        except UserError:
            raise
        except Exception as error:  # Orbax passes on whatever its threads raised, disk errors as its own kinds
            last = self._last_whole()
            raise UserError(
                f"{self.folder}: a checkpoint cannot be written ({_first_line(error)}); "
                + (f"the last good one, of step {last:,}, stays" if last is not None else "there is none before it")
            ) from error

    def _last_whole(self) -> int | None:
        steps = [int(each.name) for each in self.folder.glob("[0-9]*") if each.name.isdigit()]
        return max(steps, default=None)


def flat(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested dictionaries as one with dotted names."""
    found: dict[str, Any] = {}
    for name, value in tree.items():
        found |= flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return found


def flat_leaves(tree: Any) -> dict[str, Any]:
    """Leaves by their path, as "networks/generator/params/conv_first/kernel"."""
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {"/".join(re.findall(r"\w+", jax.tree_util.keystr(path))): leaf for path, leaf in leaves}


def nested(tree: Any) -> dict[str, Any]:
    """A tree of any kinds of nodes as dictionaries."""
    return traverse_util.unflatten_dict(flat_leaves(tree), sep="/")


def _first_line(error: BaseException) -> str:
    text = str(error).strip()
    return f"{type(error).__name__}: {text.splitlines()[0][:200]}" if text else type(error).__name__
