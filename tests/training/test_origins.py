"""Recognizers that judged a model while it learned, through every start and teacher."""

import json
from pathlib import Path

import pytest

from lowres_jax.errors import UserError
from lowres_jax.pretrained import cards
from lowres_jax.training import origins
from lowres_jax.training.checkpoints import RUN


def test_judges_are_inherited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert origins.origin([], "")["judges"] == []
    assert origins.origin([], "srresnet")["judges"] == []
    # The shipped model had SFace in its loss, so that SFace is no outside judge of what goes on from it.
    assert origins.origin([], "identity")["judges"] == ["sface"]
    (tmp_path / RUN).write_text(json.dumps({"judges": ["sface", "ours"]}))
    assert origins.origin([], str(tmp_path))["judges"] == ["sface", "ours"]
    found = origins.origin(["sface"], str(tmp_path))
    assert found["judges"] == ["sface", "ours"]
    assert found["networks"] == {"sface": cards.load_card("sface", "recognition").weights["sha256"]}
    # A teacher that was taught.
    folder = tmp_path / "cache" / "cards"
    folder.mkdir(parents=True)
    text = 'summary = "s"\nmodule = "recognition.sface"\nlicense = "l"\nsource = "s"\n'
    (folder / "pupil.toml").write_text(f'{text}[weights]\nsha256 = "abc"\n[training]\njudges = "sface"\n')
    monkeypatch.setenv("LOWRES_JAX_CACHE", str(tmp_path / "cache"))
    found = origins.origin(["pupil"], "")
    assert found == {"judges": ["pupil", "sface"], "networks": {"pupil": "abc"}}
    (tmp_path / "vgg.h5").write_bytes(b"abc")
    content = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert origins.origin([], "", [str(tmp_path / "vgg.h5")])["networks"] == {str(tmp_path / "vgg.h5"): content}


def test_a_name_is_a_folder_only_where_no_model_has_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert not origins.is_workdir("srresnet")
    for name in ("mine", "srresnet"):
        (tmp_path / name).mkdir()
    assert origins.is_workdir("mine")
    assert origins.is_workdir("./srresnet")
    with pytest.raises(UserError, match=r"config\.start=srresnet: is the name of a model and of a folder"):
        origins.is_workdir("srresnet")
