"""The mean of a judge's templates under a condition, as model cards keep it.

A card of an upscaler has a table `centering.JUDGE.SIZE` for each size that its enlarged faces were measured at, the
judge's own card one for size 0, the faces that are as they were. `share` of the mean is taken from a template
(`evaluation.centering`); `mean` is float16, base64.
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lowres_jax.errors import UserError
from lowres_jax.pretrained.cards import Card
from lowres_jax.utils.files import write_atomically

# The size of faces that nothing was done to.
ORIGINAL = 0
_TABLE = "[centering."


@dataclass(frozen=True)
class Condition:
    """A condition of one judge: faces of one size, enlarged by one upscaler.

    Attributes:
      share: share of the mean that is taken from a template; 0 where that does not help.
      mean: (dimension,) float32, mean of the unit templates of people whom nobody searches for.
    """

    share: float
    mean: np.ndarray


def read(card: Card, judge: str, dimension: int) -> dict[int, Condition]:
    """The conditions of a card: size in pixels -> condition; empty where the card has none for that judge.

    Args:
      card: card of an upscaler, or of the judge itself.
      judge: name of the judge's card.
      dimension: length of its templates.

    Raises:
      UserError: a table is damaged, or holds a mean of another judge.
    """
    found = {}
    for size, entry in card.centering.get(judge, {}).items():
        what = f"{card.folder / card.name}.toml: centering.{judge}.{size}"
        try:
            mean = np.frombuffer(base64.b64decode(entry["mean"], validate=True), "<f2").astype(np.float32)
            condition = Condition(float(entry["share"]), mean)
            place = int(size)
        except (KeyError, TypeError, ValueError, binascii.Error) as error:
            raise UserError(f"{what}: cannot be read ({error}); measure it again, or remove the table") from error
        if len(mean) != dimension:
            raise UserError(
                f"{what}: a mean of {len(mean)} numbers, of another judge: {judge}'s templates have {dimension}"
            )
        if not (0 <= condition.share <= 1 and np.isfinite(mean).all()):
            raise UserError(f"{what}: a share that is not from 0 to 1, or a mean that is not finite; measure it again")
        found[place] = condition
    return dict(sorted(found.items()))


def write(card: Card, measured: Mapping[str, Mapping[int, Condition]]) -> Path:
    """Writes conditions into a card's file; of judges that were not measured again they stay.

    Args:
      card: path of the model card.
      measured: judge -> size in pixels -> condition.

    Returns:
      The card's file.
    """
    path = card.folder / f"{card.name}.toml"
    lines = path.read_text().partition(f"\n{_TABLE}")[0].rstrip().splitlines()
    for judge in sorted({*card.centering, *measured}):
        if judge in measured:
            entries = {
                str(size): {
                    "share": condition.share,
                    "mean": base64.b64encode(condition.mean.astype("<f2").tobytes()).decode(),
                }
                for size, condition in sorted(measured[judge].items())
            }
        else:
            entries = card.centering[judge]
        for size, entry in entries.items():
            lines += ["", f"{_TABLE}{judge}.{size}]", f"share = {entry['share']}", f'mean = "{entry["mean"]}"']
    with write_atomically(path) as file:
        file.write("\n".join([*lines, ""]).encode())
    return path
