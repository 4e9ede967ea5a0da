"""The order of the rooms: data walk one way, and no file imports from a later stage."""

import ast
import graphlib
from pathlib import Path

import lowres_jax

PACKAGE = Path(lowres_jax.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"), key=lambda file: ".".join(file.relative_to(PACKAGE).with_suffix("").parts))
# Common rooms know no stage; then the stages in the order in which a photograph passes them.
ROOMS = (
    "runtime",
    "config_keys",
    "utils",
    "nn",
    "pretrained",
    "data",
    "training",
    "localization",
    "preparation",
    "super_resolution",
    "recognition",
    "evaluation",
    "interchange",
    "faces",
    "matching",
    "enhancement",
    "clips",
    "report",
    "settings",
    "web",
    "tasks",
)
# Single modules beside the rooms: errors, which all may raise, the keys of configs, and the program itself.
MODULES = {"errors", "config_keys", "main"}
COMMON, LAST = -1, len(ROOMS)


def place(module: str) -> int:
    """Place of a module: "lowres_jax.data.images" -> 1."""
    part = module.split(".")[1] if "." in module else ""
    return ROOMS.index(part) if part in ROOMS else LAST if part == "main" else COMMON


def imported(file: Path) -> list[str]:
    """The package's own modules that a file imports, anywhere in it."""
    found = []
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{file}: imports are absolute"
            # `from lowres_jax import tasks` imports a room, `from lowres_jax.data import images` a module of one.
            found += [f"{node.module}.{alias.name}" for alias in node.names]
    return [name for name in found if name.split(".")[0] == "lowres_jax"]


def test_every_room_is_in_the_order() -> None:
    assert {path.parent.name for path in PACKAGE.glob("*/__init__.py")} == set(ROOMS) - MODULES
    assert {path.stem for path in PACKAGE.glob("*.py")} == MODULES | {"__init__"}


def test_no_file_imports_from_a_later_room() -> None:
    wrong = []
    for file in sorted(PACKAGE.rglob("*.py")):
        own = ".".join(("lowres_jax", *file.relative_to(PACKAGE).with_suffix("").parts))
        wrong += [f"{own} imports {name}" for name in imported(file) if place(name) > place(own)]
    assert wrong == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    modules = {".".join(("lowres_jax", *file.relative_to(PACKAGE).with_suffix("").parts)) for file in FILES}
    graph = {
        module: {name if name in modules else name.rpartition(".")[0] for name in imported(file)} & modules - {module}
        for module, file in zip(sorted(modules), FILES, strict=True)
    }
    # Raises graphlib.CycleError, which names the circle.
    assert len(list(graphlib.TopologicalSorter(graph).static_order())) == len(modules)


def test_tasks_do_not_import_tasks() -> None:
    for file in sorted((PACKAGE / "tasks").glob("*.py")):
        assert [name for name in imported(file) if name.startswith("lowres_jax.tasks")] == []


def test_the_order_sees_a_wrong_import(tmp_path: Path) -> None:
    file = tmp_path / "images.py"
    file.write_text("def f():\n    from lowres_jax.evaluation import results\nimport lowres_jax.tasks.compare\n")
    places = [place(name) for name in imported(file)]
    assert sorted(places) == [ROOMS.index("evaluation"), ROOMS.index("tasks")]
    assert place("lowres_jax.utils.files") < place("lowres_jax.pretrained.cards") < place("lowres_jax.data.images")
    assert place("lowres_jax.tasks.compare") < place("lowres_jax.main")


def test_tests_mirror_the_rooms() -> None:
    tests = Path(__file__).parent
    folders = {path.name for path in tests.iterdir() if path.is_dir() and any(path.glob("test_*.py"))}
    assert folders <= {*ROOMS, "cli", "benchmarks"}


def test_every_module_has_its_tests() -> None:
    # A file of its name, or one that names it.
    tests = Path(__file__).parent
    named = "\n".join(ast.get_docstring(ast.parse(path.read_text())) or "" for path in tests.rglob("test_*.py"))
    without = []
    for file in FILES:
        module = file.relative_to(PACKAGE)
        folder = tests / ("cli" if module.parts[0] == "tasks" else module.parent)
        own = (folder / f"test_{file.name}").exists() or f"`{module}`" in named
        if file.name != "__init__.py" and not own:
            without.append(str(module))
    assert without == []
