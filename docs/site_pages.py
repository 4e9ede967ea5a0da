"""Adds the pages at the top of the repository to the site (mkdocs.yml), and removes links to files outside of it."""

import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
# File of the repository -> page of the site.
_PAGES = {"BUILD.md": "build.md", "CONTRIBUTING.md": "contributing.md"}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the pages from the top of the repository."""
    for name, page in _PAGES.items():
        files.append(File.generated(config, page, content=(ROOT / name).read_text()))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Turns links between the top of the repository and docs/ into links of the site; others become plain text."""
    if page.file.src_uri in _PAGES.values():
        markdown = re.sub(r"\]\(docs/", "](", markdown)
    for name, there in _PAGES.items():
        markdown = re.sub(rf"\]\((?:\.\./)*{re.escape(name)}", f"]({there}", markdown)
    return re.sub(r"\[([^\]]+)\]\((?:\.\./)+(?:README|CITATION|lowres_jax|configs|benchmarks)[^)]*\)", r"\1", markdown)
