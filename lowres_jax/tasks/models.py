"""Prints the models: name, what each is made for, license, size of its weights, and what it was measured to do."""

from pathlib import Path

from ml_collections import ConfigDict

from lowres_jax import config_keys
from lowres_jax.config_keys import Keys
from lowres_jax.errors import UserError
from lowres_jax.pretrained import cards
from lowres_jax.pretrained.cards import Card

KEYS: Keys = {}
_ROOMS = {"super_resolution": "Upscalers", "recognition": "Recognizers"}


def run(config: ConfigDict, workdir: Path) -> None:
    """Prints a table for each kind of model, with the user's own among them; `workdir` is not used."""
    config_keys.check(config, KEYS)
    print("Measured of upscalers: DIR at FAR 1 % on LFW, difference to bicubic in points with its 95 % interval.")
    for room, heading in _ROOMS.items():
        print(f"\n{heading}")
        rows = [("name", "made for", "license", "size", "measured")]
        for name in cards.names(room):
            try:
                rows.append(_row(cards.load_card(name, room)))
            except UserError as error:  # a card of the user's own
                print(error)
        widths = [max(len(row[column]) for row in rows) for column in range(4)]
        for row in rows:
            print("  ".join((*(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=False)), row[4])).rstrip())


def _row(card: Card) -> tuple[str, str, str, str, str]:
    size = card.training.get("lr_size", 0)
    most = card.largest_face
    made_for = f"faces of {size} px" if size else f"faces of up to {most} px" if most else "any"
    if card.training.get("degraded"):
        made_for += ", degraded"
    # What stands behind the comma or the parenthesis is the reason.
    license = card.license.partition(",")[0].partition(" (")[0]
    return card.name, made_for, license, _size(card), card.measured or "not measured"


def _size(card: Card) -> str:
    if not card.weights:
        return "no weights"
    try:
        return f"{cards.weight_path(card).stat().st_size / 1e6:.1f} MB"
    except UserError:
        return "not here"
