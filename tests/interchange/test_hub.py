"""A hub's folder becomes the same model again, here and from an address, and nothing else does.

Covers `tasks/import_model.py` too.
"""

import functools
import hashlib
import http.server
import json
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lowres_jax import config_keys
from lowres_jax.errors import UserError
from lowres_jax.interchange import hub
from lowres_jax.pretrained import cards
from lowres_jax.settings.interchange import IMPORT_KEYS
from lowres_jax.super_resolution.upscaler import load_upscaler
from lowres_jax.tasks import import_model


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder of identity_x8, and the SHA-256 of its config.json."""
    folder = tmp_path_factory.mktemp("hub") / "identity_x8"
    return folder, hub.write(folder, cards.load_card("identity_x8", "super_resolution"))


@pytest.fixture
def own_cards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(cards, "own_folder", lambda: tmp_path / "cards")
    return tmp_path / "cards"


def import_it(source: object, **changes: Any) -> None:
    config = config_keys.new(IMPORT_KEYS, "import_model")
    config.update({"source": str(source), **changes})
    import_model.run(config, Path("unused"))


def test_the_folder(exported: tuple[Path, str]) -> None:
    folder, digest = exported
    assert sorted(path.name for path in folder.iterdir()) == ["README.md", "config.json", "model.safetensors"]
    content = json.loads((folder / "config.json").read_text())
    assert content["module"] == "super_resolution.srresnet"
    assert content["model"]["scale"] == 8
    assert content["weights"]["sha256"] == hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    assert digest == hashlib.sha256((folder / "config.json").read_bytes()).hexdigest()
    page = (folder / "README.md").read_text()
    # An identifier, as hubs want it.
    assert page.startswith("---\nlicense: other\nlicense_name: research-only\nlicense_link: README.md\n")
    assert f"--config.sha256={digest}" in page
    assert "| identity_cosine | 0.6446 |" in page


def test_the_same_model_under_another_name(exported: tuple[Path, str], own_cards: Path) -> None:
    import_it(exported[0], name="theirs", sha256=exported[1])
    assert sorted(path.name for path in own_cards.iterdir()) == ["theirs.safetensors", "theirs.toml"]
    theirs, ours = load_upscaler("theirs"), load_upscaler("identity_x8")
    images = np.random.default_rng(0).random((1, 8, 8, 3), np.float32)
    np.testing.assert_array_equal(theirs(images), ours(images))
    card = cards.load_card("theirs", "super_resolution")
    for field in ("summary", "license", "model", "training", "centering"):
        assert getattr(card, field) == getattr(ours.card, field)
    with pytest.raises(UserError, match=r"theirs\.toml: exists; give another --config\.name"):
        import_it(exported[0], name="theirs")
    import_it(exported[0], name="theirs", overwrite=True)


def test_the_command_of_its_page_works_as_written(
    exported: tuple[Path, str], own_cards: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (line,) = (each for each in (exported[0] / "README.md").read_text().splitlines() if "import_model" in each)
    given = dict(part.removeprefix("--config.").split("=", 1) for part in line.split()[2:])
    monkeypatch.chdir(exported[0])
    import_it(**given)
    assert (own_cards / "identity_x8_hub.toml").exists()
    assert "--config.upscaler=identity_x8_hub " in (exported[0] / "README.md").read_text()


@pytest.fixture
def address(exported: tuple[Path, str]) -> Iterator[str]:
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments: object) -> None: ...

    handler = functools.partial(Quiet, directory=str(exported[0].parent))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/identity_x8/"
        server.shutdown()


def test_from_an_address(exported: tuple[Path, str], address: str, own_cards: Path) -> None:
    import_it(address, name="fetched", sha256=exported[1])
    assert (own_cards / "fetched.safetensors").read_bytes() == (exported[0] / "model.safetensors").read_bytes()
    with pytest.raises(UserError, match=r"needs --config\.sha256=, that of its config\.json"):
        import_it(address, name="unpinned")
    with pytest.raises(UserError, match=r"config\.json has the SHA-256 [0-9a-f]{64}, not 00: it is another model's"):
        import_it(address, name="other", sha256="00")
    with pytest.raises(UserError, match=r"nothing/config\.json: cannot be fetched \(File not found\)"):
        import_it(address + "nothing", name="other", sha256="00")
    assert not (own_cards / "other.toml").exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"module": "tasks.compare"}, "is none of a lowres_jax model"),
        ({"module": "super_resolution.training.losses"}, "is none of a lowres_jax model"),
        ({"module": "super_resolution.tiling"}, "describes no model of this version"),
        ({"model": {"scale": 8, "unknown": 1}}, "describes no model of this version"),
        ({"model": {"scale": 8, "blocks": 2}}, "weights of another network than theirs"),
        ({"format": "another"}, "is none of a lowres_jax model"),
        ({"weights": {"sha256": "00"}}, "model.safetensors is damaged, or another model's"),
        ({"weights": None}, r"is none of a lowres_jax model \(TypeError\)"),
        ({"summary": 7}, "summary is int, not str"),
        ({"license": ["mine"]}, "license is list, not str"),
        ({"model": "scale"}, "model is str, not dict"),
        ({"input_size": "112"}, "input_size is str, not int"),
        ({"training": [1]}, "training is list, not dict"),
        ({"name": {"a": 1}}, "name is dict, not str"),
    ],
)
def test_what_is_no_model(
    exported: tuple[Path, str], tmp_path: Path, own_cards: Path, change: dict[str, Any], said: str
) -> None:
    shutil.copytree(exported[0], tmp_path / "changed")
    config = tmp_path / "changed" / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), **change}))
    with pytest.raises(UserError, match=said):
        import_it(tmp_path / "changed", name="theirs")
    assert not own_cards.exists()


def test_what_is_missing(tmp_path: Path, own_cards: Path) -> None:
    with pytest.raises(UserError, match=r"config\.json: cannot be read \(No such file or directory\)"):
        import_it(tmp_path / "nowhere", name="theirs")
    (tmp_path / "config.json").write_text("no json")
    with pytest.raises(UserError, match=r"is none of a lowres_jax model \(JSONDecodeError\)"):
        import_it(tmp_path, name="theirs")
    for name, said in (("../x", "use small letters"), ("identity", "comes with the program")):
        with pytest.raises(UserError, match=said):
            import_it(exported_name(tmp_path), name=name)


def exported_name(tmp_path: Path) -> Path:
    """A folder of another model, whose name is tried."""
    hub.write(tmp_path / "srgan", cards.load_card("srgan", "super_resolution"))
    return tmp_path / "srgan"


def test_weights_of_another_format_become_safetensors(tmp_path: Path, own_cards: Path) -> None:
    import_it(exported_name(tmp_path), name="theirs")
    images = np.random.default_rng(0).random((1, 8, 8, 3), np.float32)
    # Kernels in half precision: less than a level of 255.
    np.testing.assert_allclose(load_upscaler("theirs")(images), load_upscaler("srgan")(images), atol=1 / 255)


def test_interpolation_is_no_network(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="bicubic: is no network of this program"):
        hub.write(tmp_path, cards.load_card("bicubic", "super_resolution"))
    assert list(tmp_path.iterdir()) == []
