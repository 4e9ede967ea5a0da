"""Searches the faces of photographs among known people, or compares two photographs."""

import copy
import itertools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ml_collections import ConfigDict
from tqdm import tqdm

from lowres_jax import config_keys
from lowres_jax.clips.probes import find_probes
from lowres_jax.clips.search import TrackAnswer, search_clips
from lowres_jax.clips.seen_frames import SeenFrames
from lowres_jax.data import images, output_paths
from lowres_jax.data.picture_files import PictureFiles, find_pictures
from lowres_jax.errors import UserError
from lowres_jax.evaluation.measurement import fingerprint
from lowres_jax.faces.loading import comparable, load_reader, reading
from lowres_jax.faces.reader import FaceReader, unknown_face
from lowres_jax.matching import calibration_sets
from lowres_jax.matching.calibration import Calibration
from lowres_jax.matching.enrolment import Enrolled, Enrolment, KeptTemplates, Skipped, enrol
from lowres_jax.matching.gallery import people_in, people_of_several_folders
from lowres_jax.matching.grouping import group_unknown
from lowres_jax.matching.kept_gallery import KeptGallery, is_kept
from lowres_jax.matching.search import Answer, search
from lowres_jax.matching.shipped_thresholds import ShippedThresholds, Thresholds, described
from lowres_jax.report import search_wording as wording
from lowres_jax.report.annotated_clip import write_annotated
from lowres_jax.report.contact_sheet import Candidate, Row, write_sheet
from lowres_jax.report.photograph_page import MarkedFace, write_page
from lowres_jax.report.search_files import Found, remove_pages, write_csv, write_json
from lowres_jax.report.track_files import write_tracks
from lowres_jax.runtime import environment
from lowres_jax.runtime.signals import interruptible
from lowres_jax.settings.identify import KEYS
from lowres_jax.utils.files import try_folder


def run(config: ConfigDict, workdir: Path) -> None:
    """Identifies the faces of `config.probe`; writes identify.json and identify.png into the workdir.

    Args:
      config: see configs/identify.py.
      workdir: folder for the results.

    Raises:
      UserError: a setting is wrong, nobody could be enrolled, or not one face could be searched for.
    """
    config_keys.check(config, KEYS)
    source, pair = Path(config.gallery), Path(config.gallery).is_file()
    files, probes = PictureFiles([]) if is_kept(source) else find_pictures(source), find_probes(config)
    people = people_in(source, files.paths) if files.paths else {}
    try_folder(workdir)
    for line in [*files.remarks(source), *probes.remarks]:
        print(line)
    reader = load_reader(config)
    upscalers, recognizer, centering = reader.upscalers, reader.recognizer, reader.centering
    if licence := upscalers.licence_remark():
        print(licence)
    # A set that has to be prepared first is asked for before minutes of enrolment.
    own = config.calibration or config.weights
    shipped = None if own else ShippedThresholds.load(described(recognizer, upscalers, centering, config.detector))
    sets = [] if shipped else calibration_sets.folders(config.calibration, config.detector)

    enrolment: Enrolled
    if is_kept(source):
        enrolment = KeptGallery.open(source, comparable(reader, config.weights))
        if not enrolment.people:
            raise UserError(f"{source}: nobody is enrolled; keep_gallery enrolls people")
        print(f"{enrolment.people:,} people enrolled in {source}")
    else:
        enrolment = enrol(reader, people, config.enrol, _kept_templates(config, source, reader))
        _report_enrolment(enrolment, config)
    calibration, remarks = _thresholds(config, shipped, sets, reader, enrolment)
    alike = calibration.threshold(max(config.far, 0.01), ((0,),), 0).similarity
    if isinstance(enrolment, Enrolment):
        remarks += wording.gallery_remarks(enrolment, people_of_several_folders(source, people), source, alike)
    remarks += centering.remarks
    for line in remarks:
        print(line)
    skipped = Skipped()
    answers: list[Answer] = []
    # A clip's own rotation is applied; another look at every frame that shows nobody would take most of the time.
    upright = copy.copy(reader)
    upright.look_again = False
    wanted = probes.clips and config.keep_templates
    seen = SeenFrames(workdir / "seen.sqlite" if wanted else None, reading(config, upright), recognizer.dimension)
    everything = itertools.chain(
        search(reader, probes.pictures, enrolment, calibration, config.far, config.ranks, skipped),
        search_clips(probes.clips, upright, enrolment, calibration, config, skipped, alike, seen),
    )
    for answer in everything:
        tqdm.write(wording.line(answer, config.ranks, upscalers, pair, config.least_found))
        # A folder may hold many faces: pictures are kept of those only that are shown.
        shown = len(answers) < config.sheet_rows
        answers.append(answer if shown else replace(answer, view=answer.view.without_pictures()))
    seen.close()
    for line in skipped.lines():
        print(line)
    if not answers:
        raise UserError(f"{config.probe}: no face to search for in {probes} ({skipped})")
    matched = sum(bool(answer.accepted) for answer in answers)
    tracks = [answer for answer in answers if isinstance(answer, TrackAnswer)]
    counts = {"faces": len(answers) - len(tracks), "tracks": len(tracks)}
    print(f"{' and '.join(f'{count} {what}' for what, count in counts.items() if count)}, {matched} matched; {skipped}")

    groups = [0] * len(answers)
    if config.group:
        # As if each were searched for among the others: the more there are, the more alike two strangers may be.
        others = max(sum(not answer.accepted for answer in answers) - 1, 1)
        limit = calibration.threshold(max(config.far, 0.01), ((0,),) * others, 0).similarity
        groups = group_unknown(answers, limit)
        for line in wording.groups(answers, groups, limit):
            print(line)
    notes = [wording.thresholds(wording.distinct_thresholds(answers), calibration, upscalers)]
    sizes = {size: list(pictures) for size, pictures in enrolment.sizes.items()}
    for answer in answers:
        sizes.setdefault(answer.view.cut_size, []).append(answer.path.name)
    sizes.pop(0, None)  # faces that were not enlarged
    notes += [f"{remark}." for remark in upscalers.remarks(sizes)]
    notes += centering.nearest_sizes(upscalers, sizes)
    notes += wording.itself(answers)
    notes += wording.warnings(answers, enrolment, calibration)
    caution = wording.caution(answers, enrolment, calibration, pair)
    found = Found(config, enrolment, answers, groups, skipped, calibration, upscalers, [*remarks, *notes, caution])
    written = [workdir / "identify.json", workdir / "identify.csv"]
    remove_pages(written[0])
    pages = _write_pages(workdir / "pages", found)
    write_json(written[0], found, pages)
    write_csv(written[1], found)
    if tracks:
        own = [group for answer, group in zip(answers, groups, strict=True) if isinstance(answer, TrackAnswer)]
        written += write_tracks(workdir, tracks, own, upscalers, config.least_found)
        written += write_annotated(workdir / "clips", tracks, config) if config.annotate else []
    rows = [_row(answer, enrolment, reader, config, pair) for answer in answers[: config.sheet_rows]]
    if rows:
        more = [f"{len(answers) - len(rows)} more faces are in identify.json."] if len(answers) > len(rows) else []
        title = "Do these photographs show one person?" if pair else "Who is on these pictures?"
        written.append(workdir / "identify.png")
        write_sheet(written[-1], title, rows, [*more, *remarks, *notes, caution])
    written += [workdir / "pages"] if pages else []
    for text in (*notes, *written, caution):
        print(text)


def _thresholds(
    config: ConfigDict,
    shipped: ShippedThresholds | None,
    sets: Sequence[Path],
    reader: FaceReader,
    enrolment: Enrolled,
) -> tuple[Thresholds, list[str]]:
    """Where thresholds come from: from the program itself where it has them for these models, else from a set."""
    if shipped and shipped.covers(config.far, enrolment.recipe):
        return shipped, []
    if shipped and isinstance(enrolment, KeptGallery) and shipped.extends(config.far, enrolment.recipe):
        return shipped, [shipped.extension(config.far, enrolment.people)]
    sets = sets or calibration_sets.folders(config.calibration, config.detector)
    upscalers, recognizer, centering = reader.upscalers, reader.recognizer, reader.centering
    pictures = [len(own) for own in enrolment.recipe]
    print(
        "Thresholds are measured now, once for these models and each size of face: faces of a prepared set are made as "
        "small, enlarged and searched for, as yours will be."
    )
    return calibration_sets.choose(
        sets,
        lambda folder: Calibration(
            folder, recognizer, upscalers, config.calibration_images, config.seed, pictures, config.weights, centering
        ),
        config.far,
        len(pictures),
    )


def _kept_templates(config: ConfigDict, source: Path, reader: FaceReader) -> KeptTemplates:
    """What earlier searches in this gallery read from its pictures."""
    made_by = fingerprint(reading(config, reader), config.enrol)
    place = environment.cache_folder() / "galleries" / f"{fingerprint(str(source.resolve()), made_by)}.npz"
    return KeptTemplates(place if config.keep_templates else None, made_by, reader.recognizer.dimension)


def _report_enrolment(enrolment: Enrolment, config: ConfigDict) -> None:
    """Prints who is enrolled.

    Raises:
      UserError: nobody is.
    """
    skipped = enrolment.skipped
    for line in skipped.lines():
        print(line)
    for path, count in enrolment.crowded:
        print(f"{path}: {count} faces; enrolled is the one by config.enrol={config.enrol}")
    if not enrolment.faces:
        raise UserError(f"{config.gallery}: nobody could be enrolled ({skipped}; config.detector={config.detector})")
    if enrolment.missing:
        print(f"not enrolled: {', '.join(enrolment.missing)}")
    faces = sum(map(len, enrolment.faces.values()))
    print(f"{len(enrolment.faces)} people enrolled from {faces} pictures; {skipped}")


def _row(answer: Answer, enrolment: Enrolled, reader: FaceReader, config: ConfigDict, pair: bool) -> Row:
    matches = answer.matches[: config.ranks]
    nearest = [enrolment.nearest_picture(match.name, answer.view.template) for match in matches]
    assert answer.view.cut is not None
    assert answer.view.crop is not None
    return Row(
        source=wording.source(answer),
        cut=answer.view.cut,
        crop=answer.view.crop,
        how=f"{answer.view.native_size} px"
        + (f", enlarged by {reader.upscalers.of(answer.view.cut_size).name}" if answer.view.cut_size else "")
        + (f", turned by {answer.view.face.turned}°" if answer.view.face.turned else ""),
        verdict=wording.said(answer, pair, config.least_found),
        threshold=answer.threshold.similarity,
        candidates=[
            Candidate(
                match.name,
                match.similarity,
                unknown_face() if found is None else reader.crop(*found),
                match.similarity >= answer.threshold.similarity,
            )
            for match, found in zip(matches, nearest, strict=True)
        ],
    )


def _write_pages(folder: Path, found: Found) -> list[Path]:
    """The searched photographs with boxes and answers."""
    by_picture: dict[Path, list[Answer]] = {}
    for answer in found.answers:
        if isinstance(answer, TrackAnswer):
            continue  # drawn into its clip
        by_picture.setdefault(answer.path, []).append(answer)
    chosen = list(by_picture)[: found.config.pages]
    source = Path(found.config.probe)
    results = output_paths.assign(chosen, source, folder, len(".jpg"))
    written = []
    for path in interruptible(chosen):
        try:
            photograph = images.read_image(path)
        except images.UnreadableImageError:
            continue  # gone since it was searched
        faces = [
            MarkedFace(
                answer.view.face.box,
                f"{wording.said(answer, found.pair, found.config.least_found)}, {answer.view.native_size} px; nearest "
                f"{answer.matches[0].name} {answer.matches[0].similarity:.3f}, threshold "
                f"{answer.threshold.similarity:.3f}",
                bool(answer.accepted),
            )
            for answer in by_picture[path]
        ]
        written.append(output_paths.with_ending(results[path], ".jpg"))
        write_page(written[-1], path.name, photograph, faces)
    return written
