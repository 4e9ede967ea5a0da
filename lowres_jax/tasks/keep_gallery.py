"""Enrolls people into a gallery that is kept in files, or removes some; `identify` searches it."""

from pathlib import Path

from ml_collections import ConfigDict

from lowres_jax import config_keys
from lowres_jax.data.picture_files import find_pictures
from lowres_jax.errors import UserError
from lowres_jax.faces.loading import comparable, load_reader
from lowres_jax.matching.enrolment import KeptTemplates, enrol
from lowres_jax.matching.gallery import people_in
from lowres_jax.matching.kept_gallery import ENDING, KeptGallery, is_kept
from lowres_jax.runtime import configuration
from lowres_jax.settings.kept_gallery import KEYS


def run(config: ConfigDict, workdir: Path) -> None:
    """Changes `config.gallery`; `workdir` is not used.

    Raises:
      UserError: there is nothing to do, nobody can be enrolled, or the gallery is another's or damaged.
    """
    config_keys.check(config, KEYS)
    folder, removed = Path(config.gallery), configuration.names(config.remove or "")
    if not is_kept(folder):
        raise UserError(f"config.gallery={folder}: the name of a kept gallery ends with {ENDING}")
    if not config.source and not removed:
        raise UserError("nothing to do: give --config.source=DIR with people to enroll, or --config.remove=NAMES")
    reader = load_reader(config)
    made_by = comparable(reader, config.weights)
    if not folder.exists() and not config.source:
        raise UserError(f"{folder}: there is no such gallery")
    gallery = KeptGallery.open(folder, made_by) if folder.exists() else None
    if removed:
        assert gallery is not None
        print(f"{gallery.remove(removed)} of {len(removed)} people removed")
    if config.source:
        source = Path(config.source)
        files = find_pictures(source)
        for line in files.remarks(source):
            print(line)
        nothing_kept = KeptTemplates(None, "", reader.recognizer.dimension)
        enrolment = enrol(reader, people_in(source, files.paths), config.enrol, nothing_kept)
        for line in enrolment.skipped.lines():
            print(line)
        if not enrolment.faces:
            raise UserError(f"{source}: nobody could be enrolled ({enrolment.skipped})")
        if gallery is None:
            words = f"{reader.recognizer.name}, {reader.upscalers.names}"
            gallery = KeptGallery.create(folder, made_by, words, reader.recognizer.dimension)
        gallery.add({name: [view for _, view in own] for name, own in enrolment.faces.items()})
        print(f"{enrolment.people} people enrolled from {source}; {enrolment.skipped}")
    print(f"{folder}: {KeptGallery.open(folder, made_by).people:,} people")
