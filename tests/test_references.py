"""Files that documentation, docstrings and comments refer to exist."""

import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
_REFERENCE = re.compile(
    r"(?<![\w./-])(?:benchmarks|configs|docs|launch|lowres_jax|tests)/[\w/.-]*\.(?:json|md|png|py|sh|txt)\b"
)
_LINK = re.compile(r"\]\((?!https?://|#|mailto:)([^)#\s]+)")
# Names that stand for any file.
_ANY = ("configs/NAME.py", "configs/absent.py")
_TEXTS = sorted(
    path
    for pattern in (
        "*.md",
        "docs/**/*.md",
        "Makefile",
        "*.toml",
        "configs/*.py",
        "launch/*",
        "benchmarks/*.py",
        "lowres_jax/**/*.py",
    )
    for path in ROOT.glob(pattern)
    if path.is_file()
)


def dead(text: str, folder: Path) -> list[str]:
    """References to files of the project that are not there, and links that lead nowhere."""
    named = [match for match in _REFERENCE.findall(text) if match not in _ANY and not (ROOT / match).is_file()]
    return named + [link for link in _LINK.findall(text) if not (folder / link).exists()]


@pytest.mark.parametrize("path", _TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_that_are_referred_to_exist(path: Path) -> None:
    text = path.read_text()
    assert dead(text if path.suffix == ".md" else re.sub(r"\]\(.*", "", text), path.parent) == []


def test_a_dead_reference_is_found() -> None:
    assert dead("see benchmarks/absent_speed.py, and docs/identify.md", ROOT) == ["benchmarks/absent_speed.py"]
    assert dead("[a](docs/absent.md) [b](docs/data.md) [c](https://x.org/y)", ROOT) == ["docs/absent.md"] * 2
