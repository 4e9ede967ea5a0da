"""The command line: flags -> config -> task.

    lowres-jax --config=compare --config.upscalers=bilinear,srgan --workdir=workdirs/compare

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

from lowres_jax import config_keys, tasks
from lowres_jax.errors import UserError
from lowres_jax.runtime import cli, configuration, environment, signals

_CONFIG = config_flags.DEFINE_config_file("config", None, "The experiment to run: a file in configs/.")
_WORKDIR = flags.DEFINE_string("workdir", None, "Folder for results; by default workdirs/<name of the config file>.")

USAGE = """Low-resolution face recognition in JAX.

  lowres-jax --config=NAME [--config.key=value ...] [--workdir=DIR]

NAME is one of those below, a variant of it (canny:smoke), or a file of your own. --config=NAME --help prints what it
does, and every key that there is to set. Flags of JAX, as --jax_debug_nans, are understood too.
python -m lowres_jax.main is the same command.
"""

# Heading -> tasks; the configs of a task stand under its heading.
_GROUPS = {
    "Photographs": ("serve", "enhance", "identify", "keep_gallery"),
    "Comparisons": ("compare", "compare_detectors"),
    "Data sets": ("prepare",),
    "Trainings of generators": ("train",),
    "Trainings of recognizers": ("train_recognizer",),
    "Models": ("export_weights", "export_model", "import_model"),
    "Accelerators": ("check_accelerator",),
}


def _help(arguments: Sequence[str]) -> str:
    """The help: of the config that is named, or the usage with one line for each config that comes along.

    Raises:
      UserError: the config cannot be loaded.
    """
    path = configuration.value_of("config", arguments)
    if path:
        config = configuration.load(path)
        table = config_keys.described(config, _task(config).KEYS)
        header = _header(configuration.located(path).partition(":")[0])
        return f"{header}\n\nKeys, with the values of this config:\n\n{table}"
    shipped = sorted(configuration.shipped_folder().glob("*.py"))
    task_of = {file: configuration.load(str(file)).task for file in shipped}
    lines = []
    for heading, own in _GROUPS.items():
        lines.append(f"\n{heading}")
        for file in sorted(shipped, key=lambda file: (len(task_of[file]), file)):
            if task_of[file] in own:
                lines.append(f"  {file.stem:24}{_header(file).partition(chr(10))[0]}")
    return USAGE + "\n".join(lines)


def _header(file: str | Path) -> str:
    return ast.get_docstring(ast.parse(Path(file).read_text())) or ""


def main(argv: list[str]) -> None:
    """Runs the task that the config names."""
    if len(argv) > 1:
        raise UserError(f"unexpected argument {argv[1]!r}: settings are flags, as in --config.key=value")
    if _CONFIG.value is None:
        raise UserError("no --config given; try --config=compare, or --help")
    config_file = Path(config_flags.get_config_filename(flags.FLAGS["config"]))
    workdir = Path(_WORKDIR.value or Path("workdirs") / config_file.stem).expanduser()
    configuration.expand_paths(_CONFIG.value)
    environment.initialize(_CONFIG.value)
    task = _task(_CONFIG.value)
    signals.check()
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
    """Entry point; see `cli.run`."""
    if {"--help", "-h", "-help"} & set(sys.argv[1:]):
        cli.run(lambda: print(_help(sys.argv[1:])))
        return
    if any(argument.startswith("--jax") for argument in sys.argv[1:]):
        import jax

        jax.config.parse_flags_with_absl()
    cli.run(lambda: app.run(main, flags_parser=configuration.parse_flags))


if __name__ == "__main__":
    run()
