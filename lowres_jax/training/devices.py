"""The one file that names devices: a step is written for one device and extended to all of them here.

A step for one device averages gradients, metrics and batch statistics over the axis `AXIS` by `jax.lax.pmean`.
`data_parallel` runs it on every device of every process by `jit(shard_map(...))`, which is what `jax.pmap` has become:
the state is on all devices, the batch is divided between them.

Two traps, both held by tests/training/test_devices.py. With shard_map's default `check_vma=True` the gradient of a
replicated parameter is summed over the devices already, and a `pmean` after it leaves it too large by their number,
which Adam hides; so it is off, as it was in pmap: differentiate the local loss, then `pmean` the gradient. And
`jax.make_mesh` makes Explicit axes unless asked for Auto.
"""

import functools
import hashlib
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from lowres_jax.errors import UserError

AXIS = "data"


def is_lead_process() -> bool:
    """True if this process writes the workdir and speaks."""
    return jax.process_index() == 0


def described() -> str:
    """As "2 CPU devices in 1 process"."""
    count, processes = mesh().size, jax.process_count()
    kind = jax.devices()[0].device_kind
    return f"{count} {kind} device{'s' * (count != 1)} in {processes} process{'es' * (processes != 1)}"


@functools.cache
def mesh() -> Mesh:
    """All devices of all processes in a row."""
    return jax.make_mesh((jax.device_count(),), (AXIS,), axis_types=(AxisType.Auto,))


def check_batch_size(batch_size: int) -> None:
    """Refuses a batch that cannot be divided evenly.

    Raises:
      UserError: over all devices.
    """
    devices, processes = mesh().size, jax.process_count()
    if batch_size < 1 or batch_size % devices:
        over = f"{devices} devices" + (f" in {processes} processes" if processes > 1 else "")
        raise UserError(
            f"config.batch_size={batch_size}: cannot be divided evenly over {over}; "
            f"choose a multiple of {devices}, as {max(1, round(batch_size / devices)) * devices}"
        )


def placement(tree: Any) -> Any:
    """Layout of a state on the devices, a PartitionSpec for each array: replicated or sharded.

    Divided is what has a key that begins with "sharded", by its last axis; so is what an optimizer keeps for it, whose
    trees have the same keys. The axis must be a multiple of the devices.
    """

    def spec(path: tuple[Any, ...], array: Any) -> PartitionSpec:
        divided = any(str(getattr(part, "key", "")).startswith("sharded") for part in path) and np.ndim(array)
        return PartitionSpec(*[None] * (np.ndim(array) - 1), AXIS) if divided else PartitionSpec()

    return jax.tree_util.tree_map_with_path(spec, tree)


def replicate(tree: Any) -> Any:
    """Host arrays, the same on every process -> arrays on every device, or divided between them (`placement`).

    What lies so already stays.
    """

    def put(array: Any, spec: PartitionSpec) -> jax.Array:
        if isinstance(array, jax.Array) and array.sharding.is_equivalent_to(NamedSharding(mesh(), spec), array.ndim):
            return array
        array = np.asarray(array)
        return jax.make_array_from_callback(array.shape, NamedSharding(mesh(), spec), lambda index: array[index])

    return jax.tree.map(put, tree, placement(tree))


def described_placement(tree: Any) -> Any:
    """Shapes, dtypes and shardings that `replicate` would give to host arrays, without the arrays."""

    def describe(array: Any, spec: PartitionSpec) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct(np.shape(array), np.asarray(array).dtype, sharding=NamedSharding(mesh(), spec))

    return jax.tree.map(describe, tree, placement(tree))


def divide(batch: dict[str, np.ndarray], stacked: bool = False) -> dict[str, jax.Array]:
    """This process's rows of a batch -> the whole batch, divided over all devices.

    Args:
      batch: name -> (b, ...); or of several steps (steps, b, ...).
      stacked: true if it is of several steps.
    """
    sharding = NamedSharding(mesh(), _batch_spec(stacked))
    return {name: jax.make_array_from_process_local_data(sharding, rows) for name, rows in batch.items()}


def _batch_spec(stacked: bool) -> PartitionSpec:
    return PartitionSpec(None, AXIS) if stacked else PartitionSpec(AXIS)


def fetch(tree: Any) -> Any:
    """Arrays on devices, divided or the same on each -> host arrays of their own (not views that a step may reuse).

    Of divided arrays every process has to ask at the same time.
    """

    def copy(array: Any) -> np.ndarray:
        if not isinstance(array, jax.Array):
            return np.array(array)
        if array.is_fully_replicated:
            return np.array(array.addressable_data(0))
        if array.is_fully_addressable:
            return np.array(array)
        return np.asarray(multihost_utils.process_allgather(array, tiled=True))

    return jax.tree.map(copy, tree)


def data_parallel(step: Callable[..., Any], state: Any = None, stacked: bool = False) -> Callable[..., Any]:
    """A step of one device, (state, constants, batch) -> (state, metrics), as a step of all devices.

    The state's memory is reused for the result: the state that was handed in must not be used again.

    Args:
      step: step of one device, which sees its own part of what is divided.
      state: an example, of which parts may be divided (`placement`); None: all of it is the same on every device.
      stacked: makes several steps in one call, for devices that are quicker than the host is at starting steps: batches
        and metrics have an axis of steps in front.
    """
    specs = PartitionSpec() if state is None else placement(state)

    def several(state: Any, constants: Any, batches: Any) -> Any:
        return jax.lax.scan(lambda state, batch: step(state, constants, batch), state, batches)

    return jax.jit(
        jax.shard_map(
            several if stacked else step,
            mesh=mesh(),
            in_specs=(specs, PartitionSpec(), _batch_spec(stacked)),
            out_specs=(specs, PartitionSpec()),
            check_vma=False,
        ),
        donate_argnums=0,
    )


def from_first(value: Any, like: Any) -> Any:
    """A tree of host arrays that process 0 has, or None where it has none, on every process.

    Args:
      value: tree, or None, on process 0; not read on the others.
      like: a tree of the same arrays, on every process.
    """
    if jax.process_count() == 1:
        return value
    if not multihost_utils.broadcast_one_to_all(np.asarray(value is not None)):
        return None
    sent = value if is_lead_process() else like
    return jax.tree.map(np.asarray, multihost_utils.broadcast_one_to_all(jax.tree.map(np.asarray, sent)))


def wait_for_all(name: str) -> None:
    """Goes on when every process has come to the place of this name."""
    multihost_utils.sync_global_devices(name)


def agree_on_text(text: str, what: str) -> None:
    """Makes sure that all processes were given the same.

    Args:
      text: compared by its digest.
      what: subject of the message.

    Raises:
      UserError: a text differs; raised on every process.
    """
    if jax.process_count() == 1:
        return
    digest = np.frombuffer(hashlib.sha256(text.encode()).digest(), np.uint8)
    everybody = np.asarray(multihost_utils.process_allgather(digest)).reshape(-1, len(digest))
    different = np.flatnonzero((everybody != everybody[0]).any(axis=1)).tolist()
    if different:
        raise UserError(f"{what} differs between processes (process 0 and {', '.join(map(str, different))})")
