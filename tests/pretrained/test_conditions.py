"""Conditions on model cards: written, read again, and refused where they are of another judge or damaged."""

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest

from lowres_jax.errors import UserError
from lowres_jax.pretrained import cards, conditions
from lowres_jax.pretrained.cards import Card
from lowres_jax.pretrained.conditions import Condition


@pytest.fixture
def card(tmp_path: Path) -> Card:
    """A card of an upscaler that nobody has measured."""
    path = tmp_path / "mine.toml"
    text = (cards.shipped_folder() / "bicubic.toml").read_text().partition("\n[centering.")[0]
    path.write_text(text + "\n")
    return cards.read_card(path)


def test_what_is_written_is_read(card: Card) -> None:
    mean = np.asarray([0.5, -0.25, 0.125], np.float32)
    own = {32: Condition(0.5, mean), 8: Condition(1.0, -mean)}
    conditions.write(card, {"sface": own})
    conditions.write(cards.read_card(card.folder / "mine.toml"), {"dlib": {16: Condition(0.25, mean[:2])}})
    # Measured again: nothing of the first is left, and the other judge's stay.
    conditions.write(cards.read_card(card.folder / "mine.toml"), {"sface": {24: Condition(0.75, mean)}})

    again = cards.read_card(card.folder / "mine.toml")
    found = conditions.read(again, "sface", 3)
    assert list(found) == [24]
    assert found[24].share == 0.75
    np.testing.assert_array_equal(found[24].mean, mean)
    np.testing.assert_array_equal(conditions.read(again, "dlib", 2)[16].mean, mean[:2])
    assert conditions.read(again, "own", 3) == {}
    # The rest of the card is as it was.
    assert dataclasses.replace(again, centering={}) == dataclasses.replace(card, centering={})
    assert conditions.read(card, "sface", 3) == {}


def test_a_mean_of_another_judge(card: Card) -> None:
    conditions.write(card, {"sface": {16: Condition(1.0, np.zeros(5, np.float32))}})
    with pytest.raises(UserError, match=r"mine\.toml: centering\.sface\.16: a mean of 5 numbers, of another judge"):
        conditions.read(cards.read_card(card.folder / "mine.toml"), "sface", 128)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ('[centering.sface.16]\nshare = 1.0\nmean = "no base64!"', "cannot be read"),
        ('[centering.sface.16]\nmean = "AAAA"', "cannot be read"),
        ('[centering.sface.small]\nshare = 1.0\nmean = "AAA="', "cannot be read"),
        ('[centering.sface.16]\nshare = 1.5\nmean = "AAA="', "share that is not from 0 to 1"),
        ('[centering.sface.16]\nshare = 1.0\nmean = "AHw="', "not finite"),
    ],
)
def test_a_damaged_table(card: Card, entry: str, said: str) -> None:
    path = card.folder / "mine.toml"
    path.write_text(path.read_text() + "\n" + entry + "\n")
    with pytest.raises(UserError, match=f"centering.sface.*{said}"):
        conditions.read(cards.read_card(path), "sface", 1)


def test_shipped_cards_are_whole(tmp_path: Path) -> None:
    """Conditions on the shipped cards are of the judges that they name, and written back unchanged."""
    seen = 0
    for room, dimension in (("super_resolution", 128), ("recognition", 128)):
        for name in cards.names(room):
            if not cards.is_shipped(name):
                continue
            card = cards.load_card(name, room)
            shutil.copy(card.folder / f"{name}.toml", tmp_path)
            copy = cards.read_card(tmp_path / f"{name}.toml")
            found = {judge: conditions.read(copy, judge, dimension) for judge in copy.centering}
            conditions.write(copy, found)
            assert cards.read_card(tmp_path / f"{name}.toml").centering == card.centering
            seen += sum(map(len, found.values()))
            for own in found.values():
                for condition in own.values():
                    assert 0 < np.linalg.norm(condition.mean) < 1
    assert seen
