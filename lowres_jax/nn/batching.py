"""Runs of any number of images through functions that are compiled for one batch shape, over all local devices."""

import functools
import math
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec
from jaxtyping import Shaped

from lowres_jax.nn import precision
from lowres_jax.runtime import signals

_ROWS = "rows"


def default_batch_size() -> int:
    """A CPU is quickest while the activations of a batch stay in its cache; an accelerator wants to be filled."""
    return max(16, 8 * jax.local_device_count()) if jax.default_backend() == "cpu" else 256 * jax.local_device_count()


class BatchedApply:
    """A function of images, compiled once for each batch shape, its rows divided between the local devices.

    A single image is computed by one device, sixteen on two devices by eight each. Products are float32 on every device
    (`precision`): figures are made of what is returned.
    """

    def __init__(
        self, function: Callable[[Any, Any], jax.Array], prepare: Callable[[np.ndarray], np.ndarray] | None = None
    ):
        """Wraps a function.

        Args:
          function: (variables, (b, ...) images) -> (b, ...), rows independent of each other.
          prepare: function that the host applies to each batch before.
        """
        self._function = function
        self._prepare = prepare or np.asarray
        self._compiled: dict[int, Callable[[Any, Any], jax.Array]] = {}
        # Number of devices -> the variables last used, and where they were put.
        self._placed: dict[int, tuple[Any, Any]] = {}

    def __call__(
        self, variables: Any, images: Shaped[np.ndarray, "B ..."], batch_size: int = 0
    ) -> Shaped[np.ndarray, "B ..."]:
        """Applies the function batch by batch, with as few batch shapes as possible.

        The ragged last batch is padded with zeros to the full size; fewer images than one batch are padded to a power
        of two. The next batch is handed to the devices before the last result is fetched.

        Args:
          variables: variables of the function; the same object again is not copied again.
          images: (B, ...), B > 0.
          batch_size: largest number of rows of one call, of all devices together; 0: by the devices.

        Returns:
          (B, ...) results in order.
        """
        count = len(images)
        batch_size = min(batch_size or default_batch_size(), 1 << (count - 1).bit_length())
        devices = math.gcd(batch_size, jax.local_device_count())
        if devices not in self._compiled:
            self._compiled[devices] = _compiled(self._function, devices)
        if devices not in self._placed or self._placed[devices][0] is not variables:
            placed = jax.device_put(variables, NamedSharding(_mesh(devices), PartitionSpec()))
            self._placed[devices] = variables, placed
        function = functools.partial(self._compiled[devices], self._placed[devices][1])
        results: list[np.ndarray] = []
        pending: tuple[jax.Array, int] | None = None
        for start in signals.interruptible(range(0, count, batch_size)):
            batch = images[start : start + batch_size]
            padding = [(0, batch_size - len(batch))] + [(0, 0)] * (images.ndim - 1)
            running = function(self._prepare(np.pad(batch, padding))), len(batch)
            if pending is not None:
                results.append(np.asarray(pending[0])[: pending[1]])
            pending = running
        assert pending is not None
        results.append(np.asarray(pending[0])[: pending[1]])
        return np.concatenate(results)


@functools.cache
def _mesh(count: int) -> Mesh:
    return Mesh(np.asarray(jax.local_devices()[:count]), (_ROWS,), axis_types=(AxisType.Auto,))


def _compiled(function: Callable[[Any, Any], jax.Array], devices: int) -> Callable[[Any, Any], jax.Array]:
    rows = PartitionSpec(_ROWS)
    return jax.jit(
        jax.shard_map(
            precision.full_precision(function),
            mesh=_mesh(devices),
            in_specs=(PartitionSpec(), rows),
            out_specs=rows,
            check_vma=False,
        )
    )
