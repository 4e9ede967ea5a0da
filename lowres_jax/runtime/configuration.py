"""Config errors in one line: an unknown key is answered with the nearest valid ones."""

import difflib
import os
import runpy
from collections.abc import Callable, Sequence
from pathlib import Path

from absl import flags
from ml_collections import ConfigDict

from lowres_jax.errors import UserError


def keys_of(config: ConfigDict, prefix: str = "") -> list[str]:
    """All dotted keys of a config, in file order."""
    found = []
    for key, value in config.items():
        if isinstance(value, ConfigDict):
            found += keys_of(value, f"{prefix}{key}.")
        else:
            found.append(f"{prefix}{key}")
    return found


def nearest(name: str, valid: Sequence[str]) -> str:
    """A clause that names the nearest valid names: `did you mean 'srgan'? (valid: ...)`."""
    close = difflib.get_close_matches(name, valid, n=1, cutoff=0.4)
    return (f"did you mean {close[0]!r}? " if close else "") + f"(valid: {', '.join(valid)})"


def variant(config: ConfigDict, names: str, **changes: Callable[[ConfigDict], ConfigDict]) -> ConfigDict:
    """The config, changed by the variants that were asked for, one after the other.

    Args:
      config: config without variants.
      names: names of the variants, separated by commas; "" for none.
      **changes: functions that change a config, by the names of their variants.

    Raises:
      ValueError: no such variant.
    """
    for name in filter(None, names.split(",")):
        if name not in changes:
            raise ValueError(f"variant {name!r}: {nearest(name, list(changes))}")
        config = changes[name](config)
    return config


def names(value: str | Sequence[str]) -> list[str]:
    """Names from a config value: a tuple, or one string with commas as the command line gives it."""
    parts = [value] if isinstance(value, str) else value
    return [name.strip() for part in parts for name in part.split(",") if name.strip()]


def expand_paths(config: ConfigDict) -> None:
    """Replaces "~" at the beginning of a value by the home folder, as a shell does where it stands by itself.

    A shell leaves the one in --config.input=~/photographs as it is.
    """
    for key, value in config.items():
        if isinstance(value, ConfigDict):
            expand_paths(value)
        elif isinstance(value, str) and value.startswith("~"):
            config[key] = os.path.expanduser(value)


def parse_flags(argv: Sequence[str]) -> list[str]:
    """Parses the command line as absl does, with every error as one line.

    Args:
      argv: program name and arguments.

    Returns:
      What is left beside the flags, program name first.

    Raises:
      UserError: an unknown flag or config key, a value of the wrong type, a config file that is missing or broken.
    """
    arguments = _with_located_config(argv[1:])
    _check_config(arguments)
    try:
        return flags.FLAGS([argv[0], *arguments])
    except flags.UnrecognizedFlagError as error:
        raise UserError(
            f"unknown flag --{error.flagname}: {nearest(error.flagname, ['config', 'config.KEY', 'workdir'])}"
        ) from error
    except flags.Error as error:
        raise UserError(_one_line(error)) from error


def shipped_folder() -> Path:
    """The folder of the configs that come with the program: beside the package in a checkout, in it where installed."""
    package = Path(__file__).parents[1]
    return next(folder for folder in (package / "configs", package.parent / "configs") if folder.is_dir())


def located(path: str) -> str:
    """The file that --config means, with its variant: "identify" or "configs/identify.py" of those that come along too.

    Args:
      path: a file, or the name of a config that comes along; a variant may follow after a colon.

    Raises:
      UserError: there is no such file.
    """
    name, colon, variant = path.partition(":")
    shipped = sorted(found.stem for found in shipped_folder().glob("*.py"))
    if Path(name).is_file():
        return path
    own = Path(name).with_suffix("")
    if own.stem in shipped and own.parent in (Path(), Path("configs")):
        return f"{shipped_folder() / own.name}.py{colon}{variant}"
    raise UserError(f"--config={path}: no such file or config; {nearest(own.name, shipped)}")


def load(path: str) -> ConfigDict:
    """The config of a file, as "configs/canny.py" or, of a variant, "canny:smoke"; see `located`.

    Raises:
      UserError: the file is missing or broken, or has no such variant.
    """
    file, *variant = located(path).split(":", 1)
    try:
        return runpy.run_path(file)["get_config"](*variant)
    except (SyntaxError, ImportError, NameError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise UserError(f"--config={path}: the file cannot be loaded: {_one_line(error)}") from error


def _with_located_config(arguments: Sequence[str]) -> list[str]:
    """The arguments with the config's file in place of its name: what parses them knows files only."""
    found = list(arguments)
    for position, argument in enumerate(found):
        if argument in ("--config", "-config") and position + 1 < len(found):
            found[position + 1] = located(found[position + 1])
        elif argument.lstrip("-").startswith("config=") and argument.startswith("-"):
            found[position] = f"--config={located(argument.partition('=')[2])}"
    return found


def _check_config(arguments: Sequence[str]) -> None:
    """Checks the config file and the keys of its overrides before absl sees them: its own messages name neither."""
    path = value_of("config", arguments)
    if path is None:
        return
    file = Path(path.split(":", 1)[0])
    valid = keys_of(load(path))
    for argument in arguments:
        name = argument.lstrip("-").split("=", 1)[0]
        if argument.startswith("-") and name.startswith("config."):
            key = name.removeprefix("config.")
            if key.split("[")[0] not in valid:
                raise UserError(f"unknown config key {key!r} in {file}: {nearest(key, valid)}")


def value_of(flag: str, arguments: Sequence[str]) -> str | None:
    """The value of a flag among arguments, as "--config=FILE" or "--config FILE"; None without it."""
    for position, argument in enumerate(arguments):
        name, equals, value = argument.lstrip("-").partition("=")
        if argument.startswith("-") and name == flag:
            return value if equals else (arguments[position + 1] if position + 1 < len(arguments) else None)
    return None


def _one_line(error: Exception) -> str:
    """The last line of an error's text: ml_collections puts whole tracebacks into messages."""
    return str(error).strip().splitlines()[-1].strip() if str(error).strip() else type(error).__name__
