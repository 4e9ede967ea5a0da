"""Networks by their names, and those that are none."""

import dataclasses

import numpy as np
import pytest

from lowres_jax.errors import UserError
from lowres_jax.interchange.networks import portable
from lowres_jax.localization.mtcnn import networks, weights
from lowres_jax.pretrained import cards
from lowres_jax.recognition.recognizer import load_recognizer
from lowres_jax.super_resolution.upscaler import load_upscaler

CARDS = cards.load_card


def test_an_upscaler() -> None:
    network = portable("identity_x8")
    assert [(each.name, each.shape) for each in network.inputs] == [("images", ("b", "h", "w", 3))]
    assert network.facts["scale"] == "8"
    assert network.facts["made_for"] == "16"
    assert network.facts["license"].startswith("research only")
    assert len(network.facts["weights_sha256"]) == 64
    images = np.random.default_rng(0).random((1, 9, 8, 3), np.float32)
    np.testing.assert_allclose(network.function(images), load_upscaler("identity_x8")(images), atol=1e-5)


def test_the_proposal_network_looks_at_whole_pictures() -> None:
    images = np.random.default_rng(0).uniform(-1, 1, (1, 30, 41, 3)).astype(np.float32)
    scores, offsets = portable("mtcnn_proposal").function(images)
    whole = networks.ProposalNetwork().apply(
        weights.proposal_network(), images, np.asarray(images.shape[1:3], np.int32)
    )
    np.testing.assert_allclose(scores, whole[0], atol=1e-6)
    np.testing.assert_allclose(offsets, whole[1], atol=1e-6)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("identiy", r"config\.models: 'identiy': no such network; .*identity"),
        ("bicubic", "bicubic: is no network"),
        ("bicubic+sface", "bicubic: is no network"),
        ("dlib", "recognizer dlib: has no gradient"),
        ("identity+nobody", "recognizer 'nobody': no such model"),
        ("srresnet+sface+x", "recognizer 'sface\\+x': no such model"),
    ],
)
def test_what_is_no_network(name: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        portable(name)


@pytest.mark.whole
@pytest.mark.slow
def test_small_face_to_template() -> None:
    network = portable("identity+sface")
    assert network.facts["input_size"] == "32"
    assert network.facts["license"].endswith("; Apache-2.0")
    faces = np.random.default_rng(1).random((2, 32, 32, 3), np.float32)
    # Reduced to 112 px by matrices there and by OpenCV here.
    expected = load_recognizer("sface").templates(load_upscaler("identity")(faces))
    np.testing.assert_allclose(network.function(faces), expected, atol=1e-4)


def test_a_chain_that_does_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    card = cards.load_card("identity", "super_resolution")
    smaller = dataclasses.replace(card, training={"lr_size": 16})
    monkeypatch.setattr(cards, "load_card", lambda name, room: smaller if name == "identity" else CARDS(name, room))
    with pytest.raises(UserError, match="identity makes 64 px of 16 px, not the 128 px that recognizers take"):
        portable("identity+sface")
