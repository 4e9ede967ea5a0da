"""`keep_gallery` and `identify` with what it keeps: the same answers as from the pictures, and every refusal a line."""

import contextlib
import json
import runpy
import shutil
import sqlite3
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from made_scenes import orl, png, scene

from lowres_jax.errors import UserError
from lowres_jax.faces.reader import FaceView
from lowres_jax.localization.detector import Face
from lowres_jax.matching.kept_files import changing
from lowres_jax.matching.kept_gallery import KeptGallery
from lowres_jax.tasks import identify, keep_gallery

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


def run(task: ModuleType, workdir: Path, **changes: Any) -> None:
    name = task.__name__.rpartition(".")[2]
    config = runpy.run_path(str(ROOT / "configs" / f"{name}.py"))["get_config"]()
    config.update(changes)
    task.run(config, workdir)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Known people, a photograph of one of them and a stranger, and the gallery that is kept of them."""
    folder = tmp_path_factory.mktemp("kept")
    for name, person in (("anna", 1), ("bert", 2), ("cora", 3)):
        (folder / "known" / name).mkdir(parents=True)
        for number in (1, 2):
            (folder / "known" / name / f"{number}.png").write_bytes(png(orl(person, number)))
    (folder / "scene.png").write_bytes(scene((1, 9, 60), (30, 4, 140)))
    run(keep_gallery, folder, gallery=str(folder / "people.gallery"), source=str(folder / "known"))
    return folder


def faces(workdir: Path) -> list[dict[str, Any]]:
    found = json.loads((workdir / "identify.json").read_text())
    return [{key: face[key] for key in ("answer", "match", "box", "ranked")} for face in found["faces"]]


def test_the_answers_are_those_from_the_pictures(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    run(identify, tmp_path / "kept", gallery=str(place / "people.gallery"), probe=str(place / "scene.png"))
    out = capsys.readouterr().out
    assert "3 people enrolled in" in out
    run(identify, tmp_path / "read", gallery=str(place / "known"), probe=str(place / "scene.png"), keep_templates=False)
    kept, read = faces(tmp_path / "kept"), faces(tmp_path / "read")
    assert [face["match"] for face in kept] == ["anna", None]
    for one, other in zip(kept, read, strict=True):
        assert one["box"] == other["box"]
        assert [each["name"] for each in one["ranked"]] == [each["name"] for each in other["ranked"]]
        np.testing.assert_allclose(
            [each["similarity"] for each in one["ranked"]], [each["similarity"] for each in other["ranked"]], atol=1e-5
        )
    said = json.loads((tmp_path / "kept" / "identify.json").read_text())
    assert said["gallery"] == {"kept": str(place / "people.gallery"), "people": 3}
    thresholds = said["calibration"]["thresholds"]
    assert thresholds == json.loads((tmp_path / "read" / "identify.json").read_text())["calibration"]["thresholds"]


def test_people_come_and_go(place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gallery = tmp_path / "people.gallery"
    shutil.copytree(place / "people.gallery", gallery)
    with pytest.raises(UserError, match="nobody of the name 'nobody' is enrolled"):
        run(keep_gallery, tmp_path, gallery=str(gallery), remove="anna,nobody")
    run(keep_gallery, tmp_path, gallery=str(gallery), remove="anna")
    assert "removed: anna\n" in capsys.readouterr().out
    run(identify, tmp_path / "work", gallery=str(gallery), probe=str(place / "scene.png"))
    assert [face["match"] for face in faces(tmp_path / "work")] == [None, None]
    run(keep_gallery, tmp_path, gallery=str(gallery), source=str(place / "known" / "anna"))
    # Two files, each one of its own: their names are the people's.
    assert f"{gallery}: 4 people" in capsys.readouterr().out


def test_names_to_remove() -> None:
    class Enrolled:
        def has(self, name: str) -> bool:
            return name in ("Doe, Jane", "anna")

    def names(given: str) -> list[str]:
        return keep_gallery.names_to_remove(given, Enrolled())  # type: ignore[arg-type]

    assert names("Doe, Jane") == ["Doe, Jane"]
    assert names(r"Doe\, Jane, anna") == ["Doe, Jane", "anna"]
    assert names("anna, bert") == ["anna", "bert"]


def test_another_process_is_told_of_before_pictures_are_read(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keep_gallery, "load_reader", lambda config: pytest.fail("models were loaded"))
    gallery = tmp_path / "people.gallery"
    with changing(gallery), pytest.raises(UserError, match="changes this gallery; wait for it, stop it, or choose"):
        run(keep_gallery, tmp_path, gallery=str(gallery), source=str(place / "known"))


def test_more_people_than_were_measured(place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gallery = tmp_path / "people.gallery"
    shutil.copytree(place / "people.gallery", gallery)
    with contextlib.closing(sqlite3.connect(gallery / "people.sqlite")) as people:
        made_by, dimension = people.execute("SELECT made_by, dimension FROM gallery").fetchone()
    kept, generator = KeptGallery.open(gallery, made_by), np.random.default_rng(0)
    vectors = generator.normal(size=(600, dimension)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    somewhere = Face(np.zeros(4, np.float32), 1.0)
    kept.add({f"stranger {number}": [FaceView(somewhere, 99, 0, each)] for number, each in enumerate(vectors)})
    capsys.readouterr()
    run(identify, tmp_path / "work", gallery=str(gallery), probe=str(place / "scene.png"))
    out = capsys.readouterr().out
    assert "for 603 they are extended along their growth" in out
    assert [face["match"] for face in faces(tmp_path / "work")] == ["anna", None]
    (threshold, _) = json.loads((tmp_path / "work" / "identify.json").read_text())["calibration"]["thresholds"]
    assert threshold["claimed"] is False
    assert threshold["gallery_size"] == 603


def test_refusals(place: Path, tmp_path: Path) -> None:
    gallery = str(place / "people.gallery")
    for changes, said in (
        ({"gallery": "people"}, r"the name of a kept gallery ends with \.gallery"),
        ({"gallery": gallery}, "nothing to do"),
        ({"gallery": str(tmp_path / "none.gallery"), "remove": "anna"}, "there is no such gallery"),
        ({"gallery": gallery, "upscaler": ("srresnet",), "remove": "anna"}, "made by other models or settings"),
        ({"gallery": gallery, "small_face": 16, "remove": "anna"}, r"settings \(sface, .*small_face=64\)"),
        ({"gallery": gallery, "detector": "haar", "remove": "anna"}, "made by other models or settings"),
    ):
        with pytest.raises(UserError, match=said):
            run(keep_gallery, tmp_path, **changes)
    with pytest.raises(UserError, match=r"none\.gallery: is no kept gallery"):
        run(identify, tmp_path, gallery=str(tmp_path / "none.gallery"), probe=str(place / "scene.png"))
    assert not (tmp_path / "none.gallery").exists()
