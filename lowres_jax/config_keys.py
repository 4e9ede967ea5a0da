"""Keys of a config, each described once: default, meaning, and what it may be.

From these descriptions configs get their defaults, every value is checked before anything starts, and
`--config=FILE --help` prints what there is to set.
"""

import math
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ml_collections import ConfigDict, config_dict

from lowres_jax.errors import UserError
from lowres_jax.runtime import configuration

TASK = "task"
_NUMBERS = {int: "a whole number", float: "a number"}
_KINDS = {bool: "true or false", str: "text", **_NUMBERS}
# Columns of the help.
_KEY_WIDTH, _WIDTH = 44, 120


@dataclass(frozen=True)
class Key:
    """One key.

    Attributes:
      default: a bool, int, float or str; a tuple of these for several; or None for "not given".
      meaning: one sentence, for people who do not know the code.
      least: smallest value, also of the members of a tuple.
      most: largest value.
      above: every value is larger than this.
      below: every value is smaller than this.
      choices: all texts there are; empty: any.
      kind: type of a value where the default does not show it: None, or an empty tuple.
      filled: true if an empty tuple or text is refused.
      length: number of members of a tuple; None: any.
      optional: true if only some configs of the task have it.
      needed: placeholder, as "DIR", of a value that has to be given; "" where there is a default.
      affects_result: False for where things are, how often something is logged, on what it runs, when it ends:
        a run with another value resumes where one before it ended.
    """

    default: Any
    meaning: str
    least: float | None = None
    most: float | None = None
    above: float | None = None
    below: float | None = None
    choices: tuple[str, ...] = ()
    kind: type | None = None
    filled: bool = False
    length: int | None = None
    optional: bool = False
    needed: str = ""
    affects_result: bool = True

    @property
    def several(self) -> bool:
        """True if its value is a tuple."""
        return isinstance(self.default, tuple)

    @property
    def may_be_missing(self) -> bool:
        """True if it is a text that need not be given: then None, as which an empty one of the command line counts."""
        return self.default is None and self.member is str

    @property
    def member(self) -> type:
        """Type of the value, or of the members of a tuple."""
        if self.kind:
            return self.kind
        return type(self.default[0] if self.several else self.default)

    @property
    def wanted(self) -> str:
        """Description of valid values: "a whole number, 1 or more"."""
        words = "one of " + ", ".join(repr(each) for each in self.choices) if self.choices else _KINDS[self.member]
        limits = []
        if self.least is not None and self.most is not None:
            limits.append(f"from {_shown(self.least)} to {_shown(self.most)}")
        elif self.least is not None:
            limits.append(f"{_shown(self.least)} or more")
        elif self.most is not None:
            limits.append(f"{_shown(self.most)} or less")
        limits += [f"above {_shown(self.above)}"] if self.above is not None else []
        limits += [f"below {_shown(self.below)}"] if self.below is not None else []
        if self.several:
            count = f"{self.length} of" if self.length else "one or more of" if self.filled else "any number of"
            words = f"{count}: {words}"
        return ", ".join([words, *limits]) + (", or None" if self.default is None and not self.needed else "")

    def check(self, name: str, value: Any) -> None:
        """Refuses a value that cannot be.

        Raises:
          UserError: a value is not allowed; the message says which are.
        """
        if value is None or (value == "" and self.may_be_missing):
            if self.needed:
                raise UserError(f"config.{name} is empty: give --config.{name}={self.needed}")
            if self.default is None:
                return
            raise UserError(f"config.{name}=None: must be {self.wanted}")
        members = _members(value, self.member) if self.several else [value]
        for each in members:
            self._check_member(name, value, each, f" ({each!r})" if len(members) > 1 else "")
        if (self.several and self.length not in (None, len(members))) or (self.filled and members in ([], [""])):
            raise UserError(f"config.{name}={_printed(value)}: must be {self.wanted}")

    def _check_member(self, name: str, value: Any, member: Any, of: str) -> None:
        # A bool is an int to Python, and an int is as good as a float.
        kinds = (int, float) if self.member is float else (self.member,)
        fits = isinstance(member, kinds) and (self.member is bool or not isinstance(member, bool))
        if not fits or (self.member in _NUMBERS and not self._is_within(member)):
            raise UserError(f"config.{name}={_printed(value)}{of}: must be {self.wanted}")
        if self.choices and member not in self.choices:
            raise UserError(f"config.{name}={_printed(value)}{of}: {configuration.nearest(member, self.choices)}")

    def _is_within(self, number: float) -> bool:
        return (
            math.isfinite(number)
            and (self.least is None or number >= self.least)
            and (self.most is None or number <= self.most)
            and (self.above is None or number > self.above)
            and (self.below is None or number < self.below)
        )


@dataclass(frozen=True)
class Free:
    """A part of a config whose keys belong to something else, as the fields of a network.

    Attributes:
      default: nested dictionaries.
      meaning: one sentence.
    """

    default: Mapping[str, Any]
    meaning: str


# Values are Key, Free, or Keys of a part of their own.
Keys = Mapping[str, Any]

PLATFORM = Key(
    None,
    "Kind of device to insist on; None: the best there is.",
    choices=("cpu", "gpu", "tpu"),
    kind=str,
    affects_result=False,
)
DATA_DIR = Key(None, "Folder of prepared sets; None: the one in the cache folder.", kind=str, affects_result=False)
SEED = Key(0, "Random seed.", least=0, most=2**32 - 1)


def new(keys: Keys, task: str = "") -> ConfigDict:
    """A config with the defaults of its keys.

    Args:
      keys: keys of the task.
      task: name of it; "" for a part of a config.
    """
    config = ConfigDict({TASK: task} if task else {})
    for name, key in keys.items():
        if isinstance(key, Mapping):
            config[name] = new(key)
        elif isinstance(key, Free):
            config[name] = ConfigDict(dict(key.default), convert_dict=True)
        elif not key.optional:
            config[name] = config_dict.placeholder(key.member) if key.default is None else key.default
    return config


def check(config: ConfigDict, keys: Keys, prefix: str = "") -> None:
    """Refuses a config with a key too few, too many, or a value that cannot be, before anything is begun.

    What stands for several values becomes a tuple of them, however the command line gave it.

    Args:
      config: config of a task, or a part of it.
      keys: keys of that task.
      prefix: prefix of the part's keys, as "optimizer.".

    Raises:
      UserError: names the key and what it may be.
    """
    for name in config:
        if name not in keys and f"{prefix}{name}" != TASK:
            raise UserError(f"unknown config key {prefix + name!r}: {configuration.nearest(name, list(keys))}")
    for name, key in keys.items():
        if name not in config:
            if isinstance(key, Key) and key.optional:
                continue
            raise UserError(f"config.{prefix}{name} is missing: begin a config of your own from one in configs/")
        if isinstance(key, Mapping):
            if not isinstance(config[name], ConfigDict):
                raise UserError(f"config.{prefix}{name}={config[name]!r}: has keys of its own: {', '.join(key)}")
            check(config[name], key, f"{prefix}{name}.")
        elif isinstance(key, Key):
            key.check(f"{prefix}{name}", config[name])
            if key.several:
                _replace(config, name, tuple(_members(config[name], key.member)))
            elif key.may_be_missing and config[name] == "":
                _replace(config, name, config_dict.placeholder(str))


def _replace(config: ConfigDict, name: str, value: Any) -> None:
    if value != config[name]:
        with config.unlocked():
            del config[name]  # of another type, it would be cast back
            config[name] = value


def without_effect(keys: Keys, prefix: str = "") -> frozenset[str]:
    """Dotted names of the keys that do not change a result, and of the task."""
    found = {TASK} if not prefix else set[str]()
    for name, key in keys.items():
        if isinstance(key, Mapping):
            found |= without_effect(key, f"{prefix}{name}.")
        elif isinstance(key, Key) and not key.affects_result:
            found.add(f"{prefix}{name}")
    return frozenset(found)


def described(config: ConfigDict, keys: Keys) -> str:
    """The keys of a config as a table: what it sets, meaning, what may be set."""
    lines = []
    for name, key, value in _flat(config, keys):
        flag = f"  --config.{name}={_printed(value)}"
        told = isinstance(key, Key) and not (key.wanted == _KINDS[key.member] and key.member in (str, bool))
        meaning = f"{key.meaning} [{key.wanted}]" if told and isinstance(key, Key) else key.meaning
        if len(flag) >= _KEY_WIDTH:
            lines.append(flag)
            flag = ""
        text = textwrap.wrap(meaning, _WIDTH - _KEY_WIDTH)
        lines.append(f"{flag:{_KEY_WIDTH}}{text[0]}")
        lines += [" " * _KEY_WIDTH + line for line in text[1:]]
    return "\n".join(lines)


def _flat(config: ConfigDict, keys: Keys, prefix: str = "") -> Iterator[tuple[str, Key | Free, Any]]:
    for name, key in keys.items():
        if isinstance(key, Mapping):
            yield from _flat(config[name], key, f"{prefix}{name}.")
        elif isinstance(key, Free):
            flat = configuration.keys_of(config[name], f"{prefix}{name}.")
            for position, each in enumerate(flat):
                value: Any = config
                for part in each.removeprefix(prefix).split("."):
                    value = value[part]
                yield each, Free({}, key.meaning if not position else "The same."), value
        elif name in config:
            yield f"{prefix}{name}", key, config[name]


def _members(value: Any, kind: type) -> list[Any]:
    """Members of what stands for several: a tuple, one of them alone, or names separated by commas.

    The command line gives "--config.folds=" as one empty text, and "--config.upscalers=srgan,edsr" as one with a comma.
    """
    members = list(value) if isinstance(value, Sequence) and not isinstance(value, str) else [value]
    if all(isinstance(each, str) for each in members) and (kind is str or members == [""]):
        return list(configuration.names(members))
    return members


def _printed(value: Any) -> str:
    if isinstance(value, str):
        return value if value and not set(value) & set(" ,'\"") else repr(value)
    if isinstance(value, (tuple, list)):
        return ",".join(map(str, value)) if value else "()"
    return str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)


def _shown(number: float) -> str:
    return f"{number:,}" if isinstance(number, int) else f"{number:g}"
