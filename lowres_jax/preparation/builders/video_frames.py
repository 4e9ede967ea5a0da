"""Frames of videos of known people, cut around the face: PERSON/VIDEO/FRAME.jpg. For evaluation only."""

from pathlib import PurePosixPath

from lowres_jax.errors import UserError
from lowres_jax.preparation.builders.aligned_faces import AlignedFaces
from lowres_jax.preparation.photographs import Photographs
from lowres_jax.preparation.sources import open_photographs


class Builder(AlignedFaces):
    """Frames of videos, aligned; a record's source says of which video it is."""

    name = "video_frames"
    DESCRIPTION = "Frames of videos of known people, aligned. For evaluation, never for training."


def photographs(source: str | None) -> Photographs:
    """The frames: a folder or archive of one folder a person, with a folder for each of the person's videos.

    Raises:
      UserError: no source given, it is not there, or a picture does not lie in PERSON/VIDEO.
    """
    if not source:
        raise UserError("config.source is empty: where are the frames? --config.source=DIR (PERSON/VIDEO/FRAME.jpg)")
    found = open_photographs(source)
    for each in found.sources:
        if len(PurePosixPath(each).parts) < 3:
            raise UserError(f"{source}: {each} lies in no video's folder; frames are PERSON/VIDEO/FRAME.jpg")
    return found


def video_of(source: str) -> str:
    """Video of a record: the folder of its source."""
    return str(PurePosixPath(source).parent)
