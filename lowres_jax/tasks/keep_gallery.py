"""Enrolls people into a gallery that is kept in files, or removes some; `identify` searches it."""

import re
from pathlib import Path

from ml_collections import ConfigDict

from lowres_jax import config_keys
from lowres_jax.data.picture_files import find_pictures
from lowres_jax.errors import UserError
from lowres_jax.faces.loading import kept_identity, load_reader
from lowres_jax.faces.reader import FaceReader
from lowres_jax.matching.enrollment import Enrollment, KeptTemplates, enroll
from lowres_jax.matching.gallery import people_in
from lowres_jax.matching.kept_files import ENDING, changing, is_begun, is_kept
from lowres_jax.matching.kept_gallery import KeptGallery
from lowres_jax.settings.kept_gallery import KEYS


def run(config: ConfigDict, workdir: Path) -> None:
    """Changes `config.gallery`; `workdir` is not used.

    Raises:
      UserError: there is nothing to do, nobody can be enrolled, or the gallery is another's or damaged.
    """
    config_keys.check(config, KEYS)
    folder = Path(config.gallery)
    if not is_kept(folder):
        raise UserError(f"config.gallery={folder}: the name of a kept gallery ends with {ENDING}")
    if not config.source and not config.remove:
        raise UserError("nothing to do: give --config.source=DIR with people to enroll, or --config.remove=NAMES")
    if not config.source and not folder.exists():
        raise UserError(f"{folder}: there is no such gallery")
    # Another process that changes it is told of before the models are loaded and the pictures are read.
    with changing(folder):
        reader = load_reader(config)
        made_by, words = kept_identity(config, reader)
        gallery = KeptGallery.open(folder, made_by) if is_begun(folder) else None
        if config.remove:
            if gallery is None:
                raise UserError(f"{folder}: nobody is enrolled")
            names = names_to_remove(config.remove, gallery)
            gallery.remove(names)
            print(f"removed: {', '.join(names)}")
        if config.source:
            enrollment = _enrolled(config, reader)
            gallery = gallery or KeptGallery.create(folder, made_by, words, reader.recognizer.dimension)
            gallery.add({name: [view for _, view in own] for name, own in enrollment.faces.items()})
            print(f"{enrollment.people} people enrolled from {config.source}; {enrollment.skipped}")
        assert gallery is not None
        print(f"{folder}: {gallery.people:,} people")


def names_to_remove(given: str, gallery: KeptGallery) -> list[str]:
    r"""Names separated by commas; a comma within a name is written "\,", or the text is one name as a whole."""
    whole = given.replace("\\,", ",").strip()
    if gallery.has(whole):
        return [whole]
    parts = re.split(r"(?<!\\),", given)
    return [name for part in parts if (name := part.replace("\\,", ",").strip())]


def _enrolled(config: ConfigDict, reader: FaceReader) -> Enrollment:
    """The people of `config.source`.

    Raises:
      UserError: nobody can be enrolled.
    """
    source = Path(config.source)
    files = find_pictures(source)
    for line in files.remarks(source):
        print(line)
    nothing_kept = KeptTemplates(None, "", reader.recognizer.dimension)
    enrollment = enroll(reader.for_enrollment(), people_in(source, files.paths), config.enroll, nothing_kept)
    for line in enrollment.skipped.lines():
        print(line)
    if not enrollment.faces:
        raise UserError(f"{source}: nobody could be enrolled ({enrollment.skipped})")
    return enrollment
