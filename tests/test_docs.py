"""The pages agree with the code: links lead somewhere, commands, their keys and what examples import exist."""

import ast
import importlib
import re
import shlex
from pathlib import Path

import pytest

from lowres_jax.main import spelled_out
from lowres_jax.runtime import configuration

ROOT = Path(__file__).parents[1]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
_BLOCK = re.compile(r"```(\w*)\n(.*?)```", re.DOTALL)


def anchors(page: Path) -> set[str]:
    """Of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", _BLOCK.sub("", page.read_text())):
        if target.startswith(("http://", "https://")):
            continue
        name, _, anchor = target.partition("#")
        there = (page.parent / name) if name else page
        assert there.exists(), f"{page.name}: {target}"
        assert not anchor or anchor in anchors(there), f"{page.name}: {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_name_configs_and_keys_that_there_are(page: Path) -> None:
    # A command may go on in the next line; inside a paragraph it stands in backticks.
    text = re.sub(r"\\\n\s*", "", page.read_text())
    for config, rest in re.findall(r"--config=([\w/.:,]+)((?: +--?(?:[^\s`|\"]|\"[^\"]*\")+)*)", text):
        if not re.fullmatch(r"(configs/)?[a-z]\w*[a-z0-9](\.py)?(:[\w,]+)?", config):
            continue
        keys = configuration.keys_of(configuration.load(config))
        for argument in shlex.split(rest.replace("\\|", "|")):
            if argument.startswith("--config."):
                key = argument.removeprefix("--config.").split("=")[0]
                assert key in keys, f"{page.name}: --config={config} {argument}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_short_commands_are_understood(page: Path) -> None:
    text = re.sub(r"\\\n\s*", "", page.read_text())
    for command in re.findall(r"(?:^|`)lowres-jax ([a-z][^`\n|#]*)", text, re.MULTILINE):
        flags = spelled_out(shlex.split(command.replace("...", "")))
        keys = configuration.keys_of(configuration.load(flags[0].removeprefix("--config=")))
        given = [each.removeprefix("--config.").split("=")[0] for each in flags[1:] if each.startswith("--config.")]
        assert [key for key in given if key not in keys] == [], f"{page.name}: {command}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_examples_import_what_there_is(page: Path) -> None:
    for language, code in _BLOCK.findall(page.read_text()):
        if language == "python":
            for node in ast.walk(ast.parse(code)):
                if isinstance(node, ast.ImportFrom) and node.module:
                    module = importlib.import_module(node.module)
                    assert [each.name for each in node.names if not hasattr(module, each.name)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_that_are_named_are_there(page: Path) -> None:
    named = re.findall(r"`((?:lowres_jax|tests|benchmarks|launch|configs)/[\w/.]+)`", page.read_text())
    assert [each for each in named if "NAME" not in each and not (ROOT / each).exists()] == []


def test_messages_of_the_troubleshooting_are_the_programs_own() -> None:
    sources = "\n".join(path.read_text() for path in (ROOT / "lowres_jax").rglob("*.py"))
    joined = re.sub(r'"\s*\n\s*f?"', "", sources)
    rows = re.findall(r"^\| `([^`]+)` \|", (ROOT / "docs" / "troubleshooting.md").read_text(), re.MULTILINE)
    assert len(rows) > 8
    for row in rows:
        for part in re.split(r"\.\.\.|\b(?:NAME|SIGTERM|N|1|nan)\b|gradient_norm", row):
            assert part.strip(" ;:()") in joined, row


def test_the_readme_stays_short() -> None:
    assert len((ROOT / "README.md").read_text().split()) <= 900
