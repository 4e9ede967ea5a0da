"""Config errors in one line: an unknown key is answered with the nearest valid ones."""

import contextlib
import difflib
import re
from collections.abc import Iterator

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


def nearest(name: str, valid: list[str]) -> str:
    """A clause that names the nearest valid names: `did you mean 'srgan'? (valid: ...)`."""
    close = difflib.get_close_matches(name, valid, n=1, cutoff=0.4)
    return (f"did you mean {close[0]!r}? " if close else "") + f"(valid: {', '.join(valid)})"


@contextlib.contextmanager
def one_line_errors() -> Iterator[None]:
    """Turns what absl and ml_collections raise while flags are parsed into a `UserError`.

    Raises:
      UserError: an unknown flag or config key, a value of the wrong type, a config file that is missing or broken.
    """
    try:
        yield
    except flags.UnrecognizedFlagError as error:
        name = error.flagname
        if name.startswith("config."):
            key = name.removeprefix("config.")
            config = flags.FLAGS["config"].value if flags.FLAGS["config"].present else None
            valid = keys_of(config) if config is not None else []
            raise UserError(f"unknown config key {key!r}: {nearest(key, valid)}") from error
        raise UserError(f"unknown flag --{name}: settings are --config.key=value, --config and --workdir") from error
    except flags.Error as error:
        raise UserError(str(error).replace("\n", " ")) from error
    except FileNotFoundError as error:
        raise UserError(f"{error.filename or error}: no such config file; the experiments are in configs/") from error
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        text = re.sub(r"\s+", " ", str(error.args[0] if error.args else error))
        raise UserError(f"config: {text}") from error
