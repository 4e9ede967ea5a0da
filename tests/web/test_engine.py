"""Answers to the page by the real models: faces, names, pairs, refusals, and uploads that are damaged.

Covers `web/answers.py`, `web/archive.py` too.
"""

import base64
import io
import re
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from made_scenes import orl, png
from PIL import Image

from lowres_jax import config_keys
from lowres_jax.data import resize
from lowres_jax.errors import UserError
from lowres_jax.settings.kept_gallery import KEYS as KEPT_KEYS
from lowres_jax.settings.serve import KEYS
from lowres_jax.tasks import keep_gallery
from lowres_jax.web.answers import Upload
from lowres_jax.web.engine import Engine

pytestmark = pytest.mark.slow


def upload(path: Path, name: str | None = None) -> Upload:
    return Upload(name or path.name, path.read_bytes())


def shown(data: str) -> np.ndarray:
    kind, _, content = data.partition(",")
    assert kind == "data:image/png;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(content))))


def test_small_faces_are_enlarged_and_large_ones_are_not(engine: Engine, pictures: Path) -> None:
    found = engine.enhance(upload(pictures / "scene.png"))
    assert (found["width"], found["height"]) == (640, 360)
    small, large = found["faces"]
    assert small["box"][0] < 120 < 300 < large["box"][0]
    assert 40 <= small["size"] < 64 <= large["size"]
    assert (small["model"], large["model"]) == ("identity", None)
    assert shown(small["pixels"]).shape[:2] == (small["size"], small["size"])
    assert shown(small["bicubic"]).shape == shown(small["enlarged"]).shape
    assert not small["another"]
    assert 0.0 <= small["quality"] <= 1.0
    assert "invented" in found["caution"]
    assert found["license"] == "Enlarged faces are for research only: so are the data of these models."
    both = engine.enhance(upload(pictures / "scene.png"), large=True)
    assert [face["model"] for face in both["faces"]] == ["identity", "identity"]


def test_work_is_bounded_before_it_begins(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A face of 408 px took 88 s, one of 824 px over 250 s."""
    large = resize.resize(orl(1, 9), 672, 552)  # its aligned crop has some 500 px
    for each in engine._enlargers.members:
        monkeypatch.setattr(each, "_enlarge", lambda *_: pytest.fail("a network was asked"))
    found = engine.enhance(Upload("large.png", png(large)), large=True)
    (face,) = found["faces"]
    assert face["size"] >= 256
    assert (face["model"], face["can_be_enlarged"]) == (None, False)
    assert face["remark"] == "Large enough: faces of 256 px and more are never enlarged."
    assert Image.open(io.BytesIO(engine.pasted_back(Upload("large.png", png(large))))).size == (4 * 552, 4 * 672)


def test_a_model_of_one_s_own_choice_and_that_for_noisy_photographs(engine: Engine, pictures: Path) -> None:
    assert engine.models == ["identity", "identity_x8", "identity_footage"]
    found = engine.enhance(upload(pictures / "scene.png"), model="identity_x8")
    assert found["faces"][0]["model"] == "identity_x8"
    with pytest.raises(UserError, match="no model 'srgn'; there are identity, identity_x8, identity_footage"):
        engine.enhance(upload(pictures / "scene.png"), model="srgn")
    file = io.BytesIO()
    Image.open(pictures / "scene.png").convert("RGB").resize((448, 252)).save(file, "JPEG", quality=40)
    small = engine.enhance(Upload("scene.jpg", file.getvalue()))["faces"][0]
    assert (small["model"], small["remark"]) == ("identity_footage", "JPEG quality 40.")


def test_the_example_shows_a_small_face(engine: Engine) -> None:
    (face,) = engine.enhance(Upload("example.jpg", engine.example()))["faces"]
    assert face["model"] == "identity"
    assert len(engine.example()) < 30_000


def test_faces_of_several_photographs_in_one_archive(engine: Engine, pictures: Path) -> None:
    scene, text = upload(pictures / "scene.png"), upload(pictures / "text.png")
    with zipfile.ZipFile(io.BytesIO(engine.enlarged_faces([scene, text, scene]))) as archive:
        assert archive.namelist() == ["scene_face1.png", "scene_2_face1.png", "read_me.txt"]
        picture = np.asarray(Image.open(io.BytesIO(archive.read("scene_face1.png"))))
        said = archive.read("read_me.txt").decode()
    assert picture.shape[0] == 4 * engine.enhance(scene)["faces"][0]["size"]
    assert "invented" in said
    assert "research only" in said
    assert "text.png: not a picture" in said
    with pytest.raises(UserError, match=r"text\.png: not a picture"):
        engine.enlarged_faces([text])


def test_the_smallest_faces_first_as_far_as_one_request_may_ask() -> None:
    # 3 x 256 x 256 pixels: 200 x 200 four times, and small ones before them.
    assert Engine._chosen([200, 60, 200, 300, 200, 200, 200], below=256) == [True, True, True, False, True, True, False]
    assert Engine._chosen([100, 63, 64], below=64) == [False, True, False]
    assert Engine._chosen([], below=64) == []


def test_the_whole_photograph(engine: Engine, pictures: Path) -> None:
    whole = np.asarray(Image.open(io.BytesIO(engine.pasted_back(upload(pictures / "scene.png")))))
    assert whole.shape == (4 * 360, 4 * 640, 3)
    plain = np.asarray(Image.open(pictures / "scene.png").resize((2560, 1440), Image.Resampling.BICUBIC))
    # The wall is as it was, the small face is another picture than bicubic's.
    assert np.abs(whole[:300].astype(int) - plain[:300]).max() <= 2
    assert np.abs(whole[400:640, 240:440].astype(int) - plain[400:640, 240:440]).mean() > 0.5


def test_who_is_it(engine: Engine, pictures: Path) -> None:
    known = [upload(path, f"{path.parent.name}/{path.name}") for path in sorted((pictures / "known").rglob("*.png"))]
    known.append(Upload("dora/text.png", b"no picture"))
    found = engine.identify(upload(pictures / "scene.png"), known)
    assert found["known"] == 3
    assert found["pair"] is False
    assert len(found["unreadable"]) == 1
    assert found["unreadable"][0].startswith("dora/text.png")
    small, large = found["faces"]
    assert (small["answer"], small["said"]) == ("match", "anna")
    assert small["nearest"][0]["name"] == "anna"
    assert small["nearest"][0]["similarity"] > small["threshold"] > large["nearest"][0]["similarity"]
    assert large["answer"] == "unknown"
    assert "one in" in found["caution"]
    assert (small["words"], large["words"]) == ("likely the same person", "likely nobody of the known people")
    assert shown(small["enrolled"]).shape == (128, 128, 3)
    # Words that say nothing on a page.
    assert not [word for word in ("lfw/mtcnn", "--config") if word in str(found)]
    # Nothing of this machine is told.
    assert tempfile.gettempdir() not in str(found)


def test_names_are_the_first_folders(engine: Engine, pictures: Path) -> None:
    """As the documentation says; once both of "anna/1.jpg, bert/1.jpg" were one person, "1"."""
    one, other = (pictures / "known" / name / "1.png" for name in ("anna", "bert"))
    known = [upload(one, "anna/2019/1.png"), upload(other, "bert/2019/1.png")]
    found = engine.identify(upload(pictures / "scene.png"), known)
    assert found["known"] == 2
    assert {each["name"] for each in found["faces"][0]["nearest"]} == {"anna", "bert"}
    with pytest.raises(UserError, match="cannot be told apart"):
        engine.identify(upload(pictures / "scene.png"), [upload(one, "a b/1.png"), upload(other, "a  b/1.png")])


def test_the_same_person(engine: Engine, pictures: Path) -> None:
    one, other = pictures / "known" / "anna" / "1.png", pictures / "known" / "bert" / "1.png"
    same = engine.identify(upload(pictures / "scene.png"), [upload(one)])
    assert (same["pair"], same["faces"][0]["answer"]) == (True, "likely the same person")
    apart = engine.identify(upload(other), [upload(one)])
    assert apart["faces"][0]["answer"] in ("likely different people", "cannot tell")


@pytest.mark.parametrize(
    ("name", "known", "said"),
    [
        ("text.png", ("scene.png",), r"text\.png: not a picture of a known format"),
        ("wall.png", ("known/anna/1.png",), r"wall\.png: no face found"),
        ("scene.png", ("wall.png", "wall.png"), "no face found in any picture of the known people"),
        ("scene.png", ("text.png",), r"text\.png: not a picture of a known format"),
        ("scene.png", (), "nobody is known"),
    ],
)
def test_refusals(engine: Engine, pictures: Path, name: str, known: tuple[str, ...], said: str) -> None:
    with pytest.raises(UserError, match=said) as refusal:
        engine.identify(upload(pictures / name), [upload(pictures / each) for each in known])
    assert tempfile.gettempdir() not in str(refusal.value)
    if name == "wall.png":
        assert engine.enhance(upload(pictures / name))["faces"] == []


def test_pixels_are_counted_before_they_are_decoded(engine: Engine) -> None:
    file = io.BytesIO()
    Image.new("1", (9000, 9000)).save(file, "PNG")
    with pytest.raises(UserError, match=r"bomb\.png: has 81 megapixels, over the 40 that are taken"):
        engine.enhance(Upload("bomb.png", file.getvalue()))


def test_damaged_uploads_are_one_line(engine: Engine, pictures: Path) -> None:
    """The thorough one, ten thousand of them over HTTP, is benchmarks/abuse.py."""
    generator = np.random.default_rng(0)
    file = io.BytesIO()
    Image.open(pictures / "wall.png").resize((64, 48)).save(file, "JPEG")
    content = np.frombuffer(file.getvalue(), np.uint8)
    refused = []
    for _ in range(60):
        damaged = content.copy()
        damaged[generator.integers(0, len(damaged), 8)] = generator.integers(0, 256, 8)
        damaged = damaged[: generator.integers(1, len(damaged) + 1)]
        try:
            assert engine.enhance(Upload("\x1b]0;x\x07\udcff/../../x.jpg", damaged.tobytes()))["faces"] == []
        except UserError as error:
            refused.append(str(error))
    assert len(refused) > 20
    # One line each, without what would move a terminal's cursor.
    assert [line for line in refused if re.search(r"[\x00-\x1f]", line)] == []


def test_a_gallery_of_the_server(pictures: Path, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(pictures / "known", tmp_path / "known")
    config = config_keys.new(KEYS, "serve")
    config.gallery = str(tmp_path / "known")
    served = Engine(config)
    assert served.known == 3
    # So is one that is kept in files.
    keep = config_keys.new(KEPT_KEYS, "keep_gallery")
    keep.update({"gallery": str(tmp_path / "people.gallery"), "source": str(tmp_path / "known")})
    keep_gallery.run(keep, tmp_path)
    config.gallery = keep.gallery
    kept = Engine(config)
    assert kept.known == 3
    assert kept.identify(upload(pictures / "scene.png"), [])["faces"][0]["said"] == "anna"
    keep.update({"source": None, "remove": "anna,bert,cora"})
    keep_gallery.run(keep, tmp_path)
    with pytest.raises(UserError, match=r"people\.gallery: nobody is enrolled"):
        Engine(config)
    # It vanishes while it is used: who was enrolled stays known.
    shutil.rmtree(tmp_path / "known")
    assert served.identify(upload(pictures / "scene.png"), [])["faces"][0]["said"] == "anna"
