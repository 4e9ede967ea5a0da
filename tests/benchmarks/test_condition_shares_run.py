"""The shares of conditions, from prepared sets to cards, with a judge whose templates have much in common."""

import json
from pathlib import Path

import condition_shares
import numpy as np
import pytest
from made_records import write_set

from lowres_jax.data.degradations import low_resolution
from lowres_jax.data.records import open_records
from lowres_jax.data.splits import split_identities
from lowres_jax.errors import UserError
from lowres_jax.pretrained import cards, conditions
from lowres_jax.super_resolution.upscaler import enlarge_to, upscaler_of

PEOPLE, IMAGES = 24, 3


class Judge:
    """Mean colors of 16 fields, from which nothing is taken: all templates point the same way."""

    name, input_size, dimension = "sface", 112, 48

    def templates(self, images: np.ndarray) -> np.ndarray:
        fields = images.reshape(-1, 4, 32, 4, 32, 3).mean(axis=(2, 4)).reshape(len(images), -1)
        return (fields / np.linalg.norm(fields, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cache") / "datasets"
    generator = np.random.default_rng(0)
    for name, people, images in (("known/made", PEOPLE, IMAGES), ("crowd/made", 12, 1)):
        faces = generator.uniform(90, 150, size=(people, 4, 4, 3)).repeat(images, axis=0)
        noisy = (faces + generator.normal(0, 14, size=faces.shape)).clip(0, 255)
        crops = noisy.repeat(32, axis=1).repeat(32, axis=2).astype(np.uint8)
        write_set(folder / name, crops, labels=np.arange(people).repeat(images).tolist())
    return folder


def test_from_sets_to_cards(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shipped = {name: (cards.shipped_folder() / f"{name}.toml").read_text() for name in ("bicubic", "sface")}
    for name, text in shipped.items():
        (tmp_path / f"{name}.toml").write_text(text.partition("\n[centering.")[0] + "\n")
    monkeypatch.setattr(condition_shares, "load_recognizer", lambda name: Judge())
    monkeypatch.setattr(
        condition_shares.cards, "load_card", lambda name, room: cards.read_card(tmp_path / f"{name}.toml")
    )
    monkeypatch.setenv("LOWRES_JAX_CACHE", str(data.parent))
    flags = "--dataset known/made --strangers crowd/made --held_out .5 --images 20 --write"
    flags += " --upscalers bicubic --lr_sizes 8 16 --shares .5 1"
    condition_shares.main([*flags.split(), "--output", str(tmp_path / "work")])

    (judge,) = json.loads((tmp_path / "work" / "centering.json").read_text())["judges"].values()
    assert [(row["upscaler"], row["lr_size"]) for row in judge] == [("none", 128), ("bicubic", 8), ("bicubic", 16)]
    # Where all point the same way, what they have in common is in the way.
    originals, eight, _ = judge
    rates = {(each["share"], each["enrolled"]): each["dir_at_far_1e-2"] for each in eight["rates"]}
    assert set(rates) == {(share, enrolled) for share in (0.0, 0.5, 1.0) for enrolled in (12, 24)}
    assert originals["share"] > 0
    assert sum(rates[eight["share"], each] for each in (12, 24)) > sum(rates[0.0, each] for each in (12, 24))
    # The mean is that of people who are not held out, enlarged from that size.
    source = open_records(data / "known" / "made")
    split = split_identities(source.labels, 0.5, 0)
    others = split.training[np.unique(np.linspace(0, len(split.training) - 1, 20).round().astype(int))]
    crops = source.crops(others)[0].astype(np.float32) / np.float32(255)
    enlarged = enlarge_to(upscaler_of(cards.read_card(tmp_path / "bicubic.toml")), low_resolution(crops, 8), 128)
    found = conditions.read(cards.read_card(tmp_path / "bicubic.toml"), "sface", 48)
    assert list(found) == [8, 16]
    np.testing.assert_allclose(found[8].mean, Judge().templates(enlarged).mean(axis=0), atol=1e-3)
    assert found[8].share == eight["share"]
    own = conditions.read(cards.read_card(tmp_path / "sface.toml"), "sface", 48)
    np.testing.assert_allclose(own[0].mean, Judge().templates(crops).mean(axis=0), atol=1e-3)
    printed = capsys.readouterr().out
    assert "DIR at FAR 1 %" in printed
    assert "24 enrolled" in printed
    assert f"{tmp_path / 'bicubic.toml'}: written" in printed
    for name, text in shipped.items():
        assert (cards.shipped_folder() / f"{name}.toml").read_text() == text


def test_what_cannot_be(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOWRES_JAX_CACHE", str(data.parent))
    with pytest.raises(UserError, match="known/absent"):
        condition_shares.main(["--dataset", "known/absent", "--output", str(tmp_path)])
    with pytest.raises(UserError, match=r"20 is not among config\.lr_sizes"):
        condition_shares.main(["--upscalers", "bicubic@20", "--output", str(tmp_path)])
