"""Networks as StableHLO, for JAX without this package: `jax.export.deserialize(content).call(images)`."""

import contextlib
import json
from pathlib import Path

import jax
import jax.numpy as jnp
from jax import export

from lowres_jax.interchange.networks import Portable
from lowres_jax.nn import convolution
from lowres_jax.utils.files import write_atomically

PLATFORMS = ("cpu", "cuda", "tpu")


def write(path: Path, network: Portable) -> None:
    """Writes a network for any batch, and any sides where it takes any; what is to be known of it lies beside it.

    Args:
      path: a .stablehlo file; beside it comes one with the ending .json.
      network: the network.

    Raises:
      UserError: the file cannot be written.
    """
    scope = export.SymbolicScope()
    specs = [
        jax.ShapeDtypeStruct(export.symbolic_shape(",".join(map(str, each.shape)), scope=scope), jnp.float32)
        for each in network.inputs
    ]
    any_size = any(isinstance(side, str) for each in network.inputs for side in each.shape[1:])
    # The forms that are quick on a CPU are slices, whose place has to be known.
    with convolution.plain() if any_size else contextlib.nullcontext():
        exported = export.export(jax.jit(network.function), platforms=PLATFORMS)(*specs)
    facts = {
        **network.facts,
        "inputs": {each.name: [*each.shape] for each in network.inputs},
        "outputs": list(network.outputs),
        "platforms": list(PLATFORMS),
        "jax": jax.__version__,
    }
    with write_atomically(path) as file:
        file.write(exported.serialize())
    with write_atomically(path.with_suffix(".json")) as file:
        file.write(json.dumps(facts, indent=1).encode() + b"\n")
