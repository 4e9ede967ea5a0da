"""The pages agree with the code: links lead somewhere, commands, their keys and what examples import exist.

Covers `main.py` too.
"""

import ast
import importlib
import importlib.util
import re
import shlex
from pathlib import Path

import pytest

from lowres_jax.main import spelled_out
from lowres_jax.runtime import configuration

ROOT = Path(__file__).parents[1]
# What a user reads, and has to find an answer in within a minute; results are generated, the notebook is a record.
GUIDE = [
    *sorted(ROOT.glob("*.md")),
    *(page for page in sorted((ROOT / "docs").glob("*.md")) if page.name != "results.md"),
]
NOTEBOOK = sorted((ROOT / "docs" / "notebook").glob("*.md"))
PAGES = [*GUIDE, ROOT / "docs" / "results.md", *NOTEBOOK]
_BLOCK = re.compile(r"```(\w*)\n(.*?)```", re.DOTALL)


def anchors(page: Path) -> set[str]:
    """Anchors of a page's headings, as GitHub makes them."""
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
                    # A module of a package is there once it was imported, by whatever test.
                    rest = [each.name for each in node.names if not hasattr(module, each.name)]
                    assert [each for each in rest if not importlib.util.find_spec(f"{node.module}.{each}")] == []


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


def sentences(page: str) -> list[str]:
    """The sentences of a page's text: without code; a line of a list, a heading and a cell of a table end one."""
    text = re.sub(r"<!--.*?-->", "", _BLOCK.sub("\n\n", page), flags=re.DOTALL)
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", text)
    text = re.sub(r"`[^`]*`", "code", text)
    text = re.sub(r"^(\||#|[-*] |\d+\. |>)", r"\n\n\1", text, flags=re.MULTILINE).replace("|", "\n\n")
    parts = [each for block in re.split(r"\n\s*\n", text) for each in re.split(r"[.!?](?:\*\*)?\s+", block)]
    return [" ".join(each.split()) for each in parts if each.strip(" -*#>")]


def test_sentences_end_where_a_reader_pauses() -> None:
    page = "# Title\n\nOne is `a. b` here. Two,\n[three](x.md)!\n\n- four\n- five: six\n\n| a | b. c |\n|---|---|\n"
    assert sentences(page) == ["# Title", "One is code here", "Two, three!", "- four", "- five: six", "a", "b", "c"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_sentences_are_short(page: Path) -> None:
    assert [each for each in sentences(page.read_text()) if len(each.split()) > 25] == []


@pytest.mark.parametrize("page", GUIDE, ids=lambda page: page.name)
def test_the_guide_is_short(page: Path) -> None:
    text = page.read_text()
    assert len(text.split()) <= 900
    # A row of a table cannot be wrapped.
    assert [line for line in text.splitlines() if len(line) > 120 and not line.startswith("|")] == []


def test_the_guide_is_short_as_a_whole() -> None:
    assert sum(len(page.read_text().split()) for page in GUIDE) <= 12_000


@pytest.mark.parametrize("page", NOTEBOOK, ids=lambda page: page.name)
def test_a_page_of_the_notebook_begins_with_its_question_conclusion_and_date(page: Path) -> None:
    title, conclusion = page.read_text().split("\n\n")[:2]
    if page.name != "index.md":
        assert title.endswith("?")
        assert re.fullmatch(r"\*\*.+\*\* 2026-\d\d-\d\d.*", " ".join(conclusion.split()))
        assert f"({page.name})" in (page.parent / "index.md").read_text()
