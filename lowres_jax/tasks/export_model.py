"""Takes networks away: as ONNX, as StableHLO for JAX without this package, as a folder for a model hub."""

import time
from pathlib import Path

from ml_collections import ConfigDict

from lowres_jax import config_keys
from lowres_jax.errors import UserError
from lowres_jax.interchange import hub, onnx_file, stablehlo
from lowres_jax.interchange.networks import Portable, portable
from lowres_jax.pretrained import cards
from lowres_jax.runtime.signals import interruptible
from lowres_jax.settings.interchange import EXPORT_KEYS as KEYS
from lowres_jax.utils.files import try_folder


def run(config: ConfigDict, workdir: Path) -> None:
    """Writes the files of `config.models` into `config.folder` or the workdir.

    Raises:
      UserError: there is no such model, it cannot be converted, or a file cannot be written.
    """
    config_keys.check(config, KEYS)
    folder = Path(config.folder or workdir)
    files = [each for each in config.formats if each != "hub"]
    # All names are read before the first minute is spent.
    networks = {name: portable(name) for name in config.models} if files else {}
    own = {name: _card(name) for name in config.models} if "hub" in config.formats else {}
    try_folder(folder)
    for name in interruptible(config.models):
        if "onnx" in files:
            _write_onnx(folder / f"{name}.onnx", networks[name], config.precision)
        if "stablehlo" in files:
            path = folder / f"{name}.stablehlo"
            stablehlo.write(path, networks[name])
            size, platforms = path.stat().st_size / 1e6, ", ".join(stablehlo.PLATFORMS)
            print(f"{path}: {size:.1f} MB, for {platforms}; {_shapes(networks[name])}")
        if name in own:
            digest = hub.write(folder / name, own[name])
            files_told = ", ".join((hub.CONFIG, hub.WEIGHTS, hub.README))
            print(f"{folder / name}: {files_told}; SHA-256 of {hub.CONFIG}: {digest}")


def _write_onnx(path: Path, network: Portable, precision: str) -> None:
    start = time.monotonic()
    difference = onnx_file.write(path, network, precision)
    print(
        f"{path}: {path.stat().st_size / 1e6:.2f} MB, weights in {precision}; {_shapes(network)}; differs from JAX by "
        f"{difference:.1e} at most ({time.monotonic() - start:.0f} s)"
    )


def _shapes(network: Portable) -> str:
    taken = ", ".join(f"{each.name} ({', '.join(map(str, each.shape))})" for each in network.inputs)
    return f"{taken} -> {', '.join(network.outputs)}"


def _card(name: str) -> cards.Card:
    """The card of a model for a hub.

    Raises:
      UserError: there is none.
    """
    for room in ("super_resolution", "recognition"):
        if name in cards.names(room):
            return cards.load_card(name, room)
    raise UserError(f"config.models: {name!r}: has no card, so that no hub takes it; leave hub out of config.formats")
