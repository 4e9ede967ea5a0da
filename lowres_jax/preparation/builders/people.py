"""Somebody's own photographs, in one folder a person: for comparisons (config.input of the task compare)."""

from lowres_jax.errors import UserError
from lowres_jax.preparation.builders.aligned_faces import AlignedFaces
from lowres_jax.preparation.photographs import Photographs
from lowres_jax.preparation.sources import open_photographs


class Builder(AlignedFaces):
    """Photographs of known people, aligned."""

    name = "people"
    DESCRIPTION = "Photographs of known people, aligned."


def photographs(source: str | None) -> Photographs:
    """The photographs: a folder or archive of one folder a person.

    Raises:
      UserError: no source given, or it is not there.
    """
    if not source:
        raise UserError("config.source is empty: where are the photographs? --config.source=DIR (a subfolder a person)")
    return open_photographs(source)
