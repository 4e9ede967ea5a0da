"""Names in any script, of any length, and in no encoding at all.

Covers `report/drawn_text.py` too.
"""

import os
from pathlib import Path

import matplotlib
import pytest
from ml_collections import ConfigDict
from PIL import ImageFont

from lowres_jax.errors import UserError
from lowres_jax.report.drawn_text import drawable
from lowres_jax.runtime import configuration
from lowres_jax.utils import filenames
from lowres_jax.utils.files import RefusedFileError, try_folder, write_atomically


def test_bytes_that_are_no_text_can_be_printed() -> None:
    name = os.fsdecode(b"M\xfcller \xc3\xa9")
    assert filenames.printable(name) == "M\\xfcller é"
    assert filenames.printable("张三") == "张三"


def test_a_person_has_one_name_in_all_unicode_forms() -> None:
    assert filenames.of_person("Andre\N{COMBINING ACUTE ACCENT}") == filenames.of_person("André") == "André"


def test_long_names_are_cut_and_stay_apart(tmp_path: Path) -> None:
    long = ["é" * 120 + ending for ending in ("1", "2")]
    found = [filenames.fitting(tmp_path / name, reserve=20) for name in long]
    assert found[0] != found[1]
    for path in found:
        assert path.parent == tmp_path
        assert len(os.fsencode(path.name)) <= 235
        assert path.name.startswith("é" * 100)
        (tmp_path / (path.name + "_" * 20)).touch()
    assert filenames.fitting(tmp_path / "new" / "short", 20) == tmp_path / "new" / "short"
    assert filenames.fitting(tmp_path / ("x" * 300) / "a", 20).parent.name.startswith("x" * 240)


def test_a_name_that_is_refused_is_an_error_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(RefusedFileError, match="cannot be written"), write_atomically(tmp_path / ("x" * 300)):
        pass
    # As long as a name may be: the temporary file's is not longer.
    with write_atomically(tmp_path / ("x" * 255)) as file:
        file.write(b"there")
    assert (tmp_path / ("x" * 255)).read_bytes() == b"there"


def test_a_folder_that_cannot_be_written_is_found_out_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"file/results: cannot be written"):
        try_folder(tmp_path / "file" / "results")
    try_folder(tmp_path / "new" / "results")
    assert not (tmp_path / "new").exists()
    try_folder(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_names_are_drawn_in_letters_that_the_font_has() -> None:
    font = ImageFont.truetype(f"{matplotlib.get_data_path()}/fonts/ttf/DejaVuSans.ttf", 13)
    assert drawable("Zoë Ωmega Пётр", font) == "Zoë Ωmega Пётр"
    assert drawable("张三", font) == "ZhangSan"
    assert drawable(os.fsdecode(b"M\xfcller"), font) == "M\\xfcller"


def test_the_home_folder_is_expanded_in_every_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/anna")
    config = ConfigDict({"input": "~/photographs", "sub": {"start": "~"}, "name": "a~b", "steps": 3})
    configuration.expand_paths(config)
    assert config.to_dict() == {
        "input": "/home/anna/photographs",
        "sub": {"start": "/home/anna"},
        "name": "a~b",
        "steps": 3,
    }
