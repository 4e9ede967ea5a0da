"""A key is described once, and checked, printed and documented from there.

Covers `errors.py`, `settings/check_accelerator.py`, `settings/compare.py`, `settings/enhance.py`,
`settings/exports.py`, `settings/identify.py`, `settings/interchange.py`, `settings/kept_gallery.py`,
`settings/prepare.py`, `settings/serve.py` too.
"""

import ast
import importlib
import math
import pkgutil
from pathlib import Path
from typing import Any

import pytest
from ml_collections import ConfigDict

from lowres_jax import config_keys, tasks
from lowres_jax.config_keys import Free, Key
from lowres_jax.errors import UserError
from lowres_jax.runtime import configuration

ROOT = Path(__file__).parents[1]
KEYS: dict[str, Any] = {
    "steps": Key(3, "Steps.", least=1, most=5_000),
    "rate": Key(0.5, "Rate.", above=0, below=1),
    "kind": Key("l1", "Kind.", choices=("l1", "mse")),
    "sizes": Key((32, 16), "Sizes.", least=4, filled=True),
    "folds": Key((), "Folds.", kind=int, least=1),
    "bounds": Key((0.0, 1.0), "Bounds.", least=0, length=2),
    "names": Key(("a",), "Names."),
    "flag": Key(False, "Flag."),
    "call": Key(None, "Call.", kind=int, least=1),
    "part": {"inner": Key("", "Inner.")},
    "fields": Free({"scale": 4}, "Field."),
    "rare": Key("", "Rare.", optional=True),
}


def made(**changes: Any) -> ConfigDict:
    config = config_keys.new(KEYS, "made")
    with config.unlocked():
        for name, value in changes.items():
            # As the command line does it, or a file: the type is whatever somebody wrote.
            object.__getattribute__(config, "_fields")[name] = value
    return config


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"steps": 0}, "config.steps=0: must be a whole number, from 1 to 5,000"),
        ({"steps": True}, "config.steps=true: must be a whole number, from 1 to 5,000"),
        ({"steps": None}, "config.steps=None: must be a whole number, from 1 to 5,000"),
        ({"steps": 2.5}, "config.steps=2.5: must be a whole number, from 1 to 5,000"),
        ({"rate": 0.0}, "config.rate=0: must be a number, above 0, below 1"),
        ({"rate": 1.0}, "config.rate=1: must be a number, above 0, below 1"),
        ({"rate": math.nan}, "config.rate=nan: must be a number, above 0, below 1"),
        ({"kind": "l2"}, "config.kind=l2: did you mean 'l1'? (valid: l1, mse)"),
        ({"kind": None}, "config.kind=None: must be one of 'l1', 'mse'"),
        ({"sizes": ("",)}, "config.sizes=: must be one or more of: a whole number, 4 or more"),
        ({"sizes": ()}, "config.sizes=(): must be one or more of: a whole number, 4 or more"),
        ({"sizes": (32, 3)}, "config.sizes=32,3 (3): must be one or more of: a whole number, 4 or more"),
        ({"sizes": (None,)}, "config.sizes=None: must be one or more of: a whole number, 4 or more"),
        ({"sizes": ("a,b",)}, "config.sizes=a,b: must be"),
        ({"folds": ("x",)}, "config.folds=x: must be any number of: a whole number, 1 or more"),
        ({"bounds": (1.0,)}, "config.bounds=1.0: must be 2 of: a number, 0 or more"),
        ({"names": None}, "config.names=None: must be any number of: text"),
        ({"names": (1,)}, "config.names=1: must be any number of: text"),
        ({"flag": 1}, "config.flag=1: must be true or false"),
        ({"call": 0}, "config.call=0: must be a whole number, 1 or more, or None"),
        ({"part": 1}, "config.part=1: has keys of its own: inner"),
        ({"stepz": 1}, "unknown config key 'stepz': did you mean 'steps'?"),
    ],
)
def test_what_cannot_be_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError) as caught:
        config_keys.check(made(**changes), KEYS)
    assert said in str(caught.value)


def test_a_key_too_few_is_named() -> None:
    config = made()
    del config.part["inner"]
    with pytest.raises(UserError, match=r"config\.part\.inner is missing: begin a config of your own from one in"):
        config_keys.check(config, KEYS)


def test_what_can_be_passes_and_lists_become_tuples() -> None:
    changes = {"sizes": 8, "folds": ("",), "names": ("a,b", "c"), "rate": 0.25, "call": 4, "bounds": [0, 2]}
    config = made(**changes)
    config_keys.check(config, KEYS)
    assert (config.sizes, config.folds, config.names, config.bounds) == ((8,), (), ("a", "b", "c"), (0, 2))
    assert config.fields.scale == 4
    config_keys.check(made(), KEYS)
    assert "rare" not in made()
    with pytest.raises(UserError, match=r"config\.rare=1: must be text"):
        config_keys.check(made(rare=1), KEYS)


def test_the_table_of_keys() -> None:
    config = made(steps=7, names=("a", "b"))
    lines = config_keys.described(config, KEYS).splitlines()
    assert lines[0] == "  --config.steps=7".ljust(44) + "Steps. [a whole number, from 1 to 5,000]"
    assert lines[6] == "  --config.names=a,b".ljust(44) + "Names. [any number of: text]"
    assert lines[7] == "  --config.flag=false".ljust(44) + "Flag."
    assert lines[9] == "  --config.part.inner=''".ljust(44) + "Inner."
    assert lines[10] == "  --config.fields.scale=4".ljust(44) + "Field."


@pytest.mark.parametrize("file", sorted((ROOT / "configs").glob("*.py")), ids=lambda path: path.stem)
def test_every_config_that_comes_along_is_what_its_task_describes(file: Path) -> None:
    config = configuration.load(str(file))
    task = importlib.import_module(f"lowres_jax.tasks.{config.task}")
    for name in [name for name, key in task.KEYS.items() if isinstance(key, Key) and key.needed]:
        with pytest.raises(UserError, match=rf"config\.{name} is empty: give --config\.{name}=[A-Z|]+$"):
            config_keys.check(config, task.KEYS)
        config[name] = "given"
    config_keys.check(config, task.KEYS)
    table = config_keys.described(config, task.KEYS)
    for key in configuration.keys_of(config):
        assert key == "task" or f"--config.{key}=" in table


@pytest.mark.parametrize("file", sorted((ROOT / "configs").glob("*.py")), ids=lambda path: path.stem)
def test_a_config_shows_what_a_user_would_change(file: Path) -> None:
    """And what it shows of a task that has one config is what the task's keys have: there is one default."""
    tree = ast.parse(file.read_text())
    shown = {
        ast.unparse(target).removeprefix("config.")
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        for target in (node.targets[0].elts if isinstance(node.targets[0], ast.Tuple) else node.targets)
        if ast.unparse(target).startswith("config.")
    }
    config = configuration.load(str(file))
    keys = importlib.import_module(f"lowres_jax.tasks.{config.task}").KEYS
    # Trainings change a recipe that several share; the list of models has no keys.
    assert len(shown) >= min(2, len(keys)) or config.task == "train"
    if file.stem == config.task or file.stem == "prepare_orl_faces":
        assert {name: config[name] for name in shown} == {name: keys[name].default for name in shown}


@pytest.mark.parametrize("task", [each.name for each in pkgutil.iter_modules(tasks.__path__)])
def test_every_task_looks_at_its_keys_first(task: str, tmp_path: Path) -> None:
    module = importlib.import_module(f"lowres_jax.tasks.{task}")
    config = config_keys.new(module.KEYS, task)
    with config.unlocked():
        config.surplus = 1
    with pytest.raises(UserError, match="unknown config key 'surplus'"):
        module.run(config, tmp_path)


def test_a_key_says_whether_results_depend_on_it() -> None:
    keys = {
        "rate": Key(0.5, "Rate."),
        "threads": Key(2, "Threads.", affects_result=False),
        "part": {"inner": Key(1, "Inner.", affects_result=False), "other": Key(1, "Other.")},
        "fields": Free({"scale": 4}, "Field."),
    }
    assert config_keys.without_effect(keys) == {"task", "threads", "part.inner"}
    enhance = importlib.import_module("lowres_jax.tasks.enhance").KEYS
    assert config_keys.without_effect(enhance) == {
        *("task", "platform", "input", "output", "batch_size", "sheet_faces", "overwrite")
    }
    for task in ("train", "train_recognizer"):
        found = config_keys.without_effect(importlib.import_module(f"lowres_jax.tasks.{task}").KEYS)
        assert {"steps", "epochs", "log_steps", "cpu_devices", "processes", "resident", "data_dir"} <= found
        assert not found & {"dataset", "batch_size", "seed", "held_out", "view1", "matmul_precision", "ema"}


def test_a_text_that_is_not_given_is_none() -> None:
    """The command line can give nothing but an empty text in its place."""
    keys = {"path": Key(None, "Path.", kind=str), "count": Key(None, "Count.", kind=int, least=1)}
    config = config_keys.new(keys)
    assert (config.path, config.count) == (None, None)
    config.path = ""
    config_keys.check(config, keys)
    assert config.path is None
    config.path = "there"
    config_keys.check(config, keys)
    assert config.path == "there"
    with pytest.raises(UserError, match=r"config\.count=0: must be a whole number, 1 or more, or None"):
        keys["count"].check("count", 0)
    with pytest.raises(UserError, match=r"config\.path is empty: give --config\.path=DIR$"):
        config_keys.check(config_keys.new(keys), keys | {"path": Key(None, "Path.", kind=str, needed="DIR")})
