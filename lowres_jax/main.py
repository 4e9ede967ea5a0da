"""The command line: flags -> config -> task.

    python -m lowres_jax.main --config=configs/compare.py --config.upscalers=bilinear,srgan --workdir=workdirs/compare

A config file names its task (`config.task = "compare"`), and the task is the module of that name in
`lowres_jax.tasks`, with `run(config, workdir)`.
"""

import ast
import importlib
import pkgutil
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from absl import app, flags
from ml_collections import ConfigDict, config_flags

from lowres_jax import command, config_keys, configuration, interruption, runtime, tasks
from lowres_jax.errors import UserError

_CONFIG = config_flags.DEFINE_config_file("config", None, "The experiment to run: a file in configs/.")
_WORKDIR = flags.DEFINE_string("workdir", None, "Folder for results; by default workdirs/<name of the config file>.")

USAGE = """Low-resolution face recognition in JAX.

  python -m lowres_jax.main --config=configs/NAME.py [--config.key=value ...] [--workdir=DIR]

Each file in configs/ is one experiment and says in its header what it does and how to run it;
--config=configs/NAME.py --help prints that, and every key that there is to set.

"""


def _help(arguments: Sequence[str]) -> str:
    """The help: of the config that is named, or the usage with one line for each experiment in configs/.

    Raises:
      UserError: the config cannot be loaded.
    """
    path = configuration.value_of("config", arguments)
    if path:
        config = configuration.load(path)
        header = ast.get_docstring(ast.parse(Path(path.split(":", 1)[0]).read_text())) or ""
        return (
            f"{header}\n\nKeys, with the values of this config:\n\n{config_keys.described(config, _task(config).KEYS)}"
        )
    lines = []
    for file in sorted(Path("configs").glob("*.py")):
        header = ast.get_docstring(ast.parse(file.read_text())) or ""
        lines.append(f"  {file!s:36}{header.partition(chr(10))[0]}")
    return USAGE + "\n".join(lines or ["  (none here: run from the project's folder, or give a path of your own)"])


def main(argv: list[str]) -> None:
    """Runs the task that the config names."""
    if len(argv) > 1:
        raise UserError(f"unexpected argument {argv[1]!r}: settings are flags, as in --config.key=value")
    if _CONFIG.value is None:
        raise UserError("no --config given; try --config=configs/compare.py, or --help")
    config_file = Path(config_flags.get_config_filename(flags.FLAGS["config"]))
    workdir = Path(_WORKDIR.value or Path("workdirs") / config_file.stem).expanduser()
    configuration.expand_paths(_CONFIG.value)
    runtime.initialize(_CONFIG.value)
    task = _task(_CONFIG.value)
    interruption.check()
    task.run(_CONFIG.value, workdir)


def _task(config: ConfigDict) -> ModuleType:
    """The module of the config's task.

    Raises:
      UserError: there is none.
    """
    valid = [found.name for found in pkgutil.iter_modules(tasks.__path__)]
    if config.get("task") not in valid:
        raise UserError(
            f"config.task={config.get('task')!r}: no such task; {configuration.nearest(str(config.get('task')), valid)}"
        )
    return importlib.import_module(f"lowres_jax.tasks.{config.task}")


def run() -> None:
    """Entry point; see `command.run`."""
    if {"--help", "-h", "-help"} & set(sys.argv[1:]):
        command.run(lambda: print(_help(sys.argv[1:])))
        return
    command.run(lambda: app.run(main, flags_parser=configuration.parse_flags))


if __name__ == "__main__":
    run()
