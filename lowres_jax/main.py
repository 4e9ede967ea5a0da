"""The command line: flags -> config -> task.

    lowres-jax --config=compare --config.upscalers=bilinear,srgan --workdir=workdirs/compare

A config file names its task (`config.task = "compare"`), and the task is the module of that name in
`lowres_jax.tasks`, with `run(config, workdir)`.
"""

import ast
import importlib
import itertools
import pkgutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from absl import app, flags
from ml_collections import ConfigDict, config_flags

from lowres_jax import __version__, config_keys, tasks
from lowres_jax.errors import UserError
from lowres_jax.runtime import cli, configuration, environment, signals

_CONFIG = config_flags.DEFINE_config_file("config", None, "The experiment to run: a file in configs/.")
_WORKDIR = flags.DEFINE_string("workdir", None, "Folder for results; by default workdirs/<name of the config file>.")

USAGE = """Low-resolution face recognition in JAX.

  {command} NAME [VALUE ...] [--config.key=value ...] [--workdir=DIR]
  {command} --config=NAME [--config.key=value ...] [--workdir=DIR]

NAME is one of those below, a variant of it (canny:smoke), or a file of your own. The values of the short form are those
of the keys that have to be given, in order. NAME --help prints every key. Flags of JAX, as --jax_debug_nans, work too.
"""

BEGINNING = """Low-resolution face recognition in JAX.

  {command} serve                         a page in the browser
  {command} enhance PHOTOGRAPHS OUTPUT    enlarge the faces of photographs and clips
  {command} identify KNOWN PROBE          search faces among known people, or compare two photographs
  {command} compare                       measure whether enlarging helps recognition

{command} --help lists all commands.
"""

# Heading -> tasks; the configs of a task stand under its heading.
_GROUPS = {
    "Photographs": ("serve", "enhance", "identify", "keep_gallery"),
    "Comparisons": ("compare", "compare_detectors"),
    "Data sets": ("prepare",),
    "Trainings of generators": ("train",),
    "Trainings of recognizers": ("train_recognizer",),
    "Models": ("models", "export_weights", "export_model", "import_model"),
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
        keys = _task(config).KEYS
        header = _header(configuration.located(path).partition(":")[0])
        values = "".join(f" {keys[name].needed}" for name in _needed(keys))
        table = config_keys.described(config, keys)
        return f"{_command()} {path}{values}\n\n{header}\n\nKeys, with the values of this config:\n\n{table}"
    shipped = sorted(configuration.shipped_folder().glob("*.py"))
    task_of = {file: configuration.load(str(file)).task for file in shipped}
    lines = []
    for heading, own in _GROUPS.items():
        lines.append(f"\n{heading}")
        for file in sorted(shipped, key=lambda file: (len(task_of[file]), file)):
            if task_of[file] in own:
                lines.append(f"  {file.stem:24}{_header(file).partition(chr(10))[0]}")
    return USAGE.format(command=_command()) + "\n".join(lines)


def _command() -> str:
    """The program as it was called."""
    name = Path(sys.argv[0]).name
    return "python -m lowres_jax.main" if name == "main.py" else name


def _needed(keys: Mapping[str, Any]) -> list[str]:
    """Names of the keys that have to be given, in order."""
    return [name for name, key in keys.items() if isinstance(key, config_keys.Key) and key.needed]


def spelled_out(arguments: Sequence[str]) -> list[str]:
    """Flags for the short form: "enhance IN OUT" -> --config=enhance --config.input=IN --config.output=OUT.

    Args:
      arguments: command line without the program; where it begins with a flag it stays as it is.

    Raises:
      UserError: there is no such config, or it takes fewer values.
    """
    if not arguments or arguments[0].startswith("-"):
        return list(arguments)
    name = arguments[0]
    keys = _task(configuration.load(name)).KEYS
    values: list[str] = []
    flags_given: list[str] = []
    for before, each in itertools.pairwise(arguments):
        # "--workdir DIR" is a flag with its value, as "--workdir=DIR".
        belongs = before.startswith(("--workdir", "--config.")) and "=" not in before
        (flags_given if belongs or each.startswith("-") else values).append(each)
    needed = _needed(keys)
    if len(values) > len(needed):
        expected = " ".join(keys[each].needed for each in needed) or "no values"
        raise UserError(
            f"unexpected argument {values[len(needed)]!r}: {name} takes {expected}; settings are flags, as in "
            "--config.key=value"
        )
    given = [f"--config.{key}={value}" for key, value in zip(needed, values, strict=False)]
    return [f"--config={name}", *given, *flags_given]


def _header(file: str | Path) -> str:
    return ast.get_docstring(ast.parse(Path(file).read_text())) or ""


def main(argv: list[str]) -> None:
    """Runs the task that the config names."""
    if len(argv) > 1:
        raise UserError(f"unexpected argument {argv[1]!r}: settings are flags, as in --config.key=value")
    if _CONFIG.value is None:
        raise UserError("no command given; try compare, or --help")
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
    if not sys.argv[1:]:
        print(BEGINNING.format(command=_command()), end="")
        return
    if sys.argv[1:] == ["--version"]:
        print(f"lowres_jax {__version__}")
        return
    cli.run(_run)


def _run() -> None:
    asked = {"--help", "-h", "-help"} & set(sys.argv[1:])
    arguments = spelled_out([each for each in sys.argv[1:] if each not in asked])
    if asked:
        print(_help(arguments))
        return
    sys.argv[1:] = arguments
    if any(argument.startswith("--jax") for argument in sys.argv[1:]):
        import jax

        jax.config.parse_flags_with_absl()
    app.run(main, flags_parser=configuration.parse_flags)


if __name__ == "__main__":
    run()
