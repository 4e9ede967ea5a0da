"""Searches the faces of photographs among known people, or compares two photographs."""

import copy
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ml_collections import ConfigDict
from tqdm import tqdm

from lowres_jax import config_keys
from lowres_jax.clips.probes import Probes, find_probes
from lowres_jax.clips.search import TrackAnswer, search_clips
from lowres_jax.clips.seen_frames import SeenFrames
from lowres_jax.data.picture_files import PictureFiles, find_pictures
from lowres_jax.errors import UserError
from lowres_jax.evaluation.measurement import fingerprint
from lowres_jax.faces.loading import kept_identity, load_reader, reading
from lowres_jax.faces.reader import CUT_SIZES, FaceReader, unknown_face
from lowres_jax.matching import calibration_sets
from lowres_jax.matching.calibration import Calibration
from lowres_jax.matching.enrollment import Enrolled, Enrollment, KeptTemplates, Skipped, enroll
from lowres_jax.matching.gallery import people_in, people_of_several_folders
from lowres_jax.matching.grouping import group_unknown
from lowres_jax.matching.kept_files import is_kept
from lowres_jax.matching.kept_gallery import KeptGallery
from lowres_jax.matching.search import Answer, search
from lowres_jax.matching.shipped_thresholds import ShippedThresholds, Thresholds, described
from lowres_jax.report import search_wording as wording
from lowres_jax.report.annotated_clip import write_annotated
from lowres_jax.report.contact_sheet import Candidate, Row, write_sheet
from lowres_jax.report.people_page import write_people
from lowres_jax.report.photograph_page import write_pages
from lowres_jax.report.search_files import Found, remove_pages, write_csv, write_json
from lowres_jax.report.track_files import write_tracks
from lowres_jax.runtime import environment
from lowres_jax.settings.identify import KEYS
from lowres_jax.utils.files import try_folder

# Grouping compares all faces with all others: of more of them only where it is asked for.
_MOST_GROUPED = 1000


@dataclass(frozen=True)
class _Known:
    """People enrolled, and the thresholds for a name.

    Attributes:
      enrollment: the people.
      thresholds: give a threshold for each size of a searched face.
      alike: similarity from which on two faces may be one person's.
      remarks: lines about gallery and thresholds.
    """

    enrollment: Enrolled
    thresholds: Thresholds
    alike: float
    remarks: Sequence[str]


def run(config: ConfigDict, workdir: Path) -> None:
    """Identifies the faces of `config.probe`; writes identify.html and files for programs into the workdir.

    Args:
      config: config of configs/identify.py.
      workdir: folder for the results.

    Raises:
      UserError: a setting is wrong, nobody could be enrolled, or not one face could be searched for.
    """
    config_keys.check(config, KEYS)
    config, remarks = _with_measured_rate(config)
    source = Path(config.gallery)
    files, probes = PictureFiles([]) if is_kept(source) else find_pictures(source), find_probes(config)
    try_folder(workdir)
    for line in [*files.remarks(source), *probes.remarks, *remarks]:
        print(line)
    reader = load_reader(config)
    if probes.clips and reader.small is not None:
        # Of five frames of a video the usual recognizer finds more (docs/clips.md).
        print(f"With clips among the probes {reader.recognizer.name} reads all faces, also small ones.")
        reader = reader.for_enrollment()
    if license := reader.upscalers.license_remark():
        print(license)
    known = _known(config, source, files, reader)
    for line in known.remarks:
        print(line)
    skipped = Skipped()
    answers = _answers(config, workdir, probes, reader, known, skipped)
    groups = _groups(config, answers, known.thresholds)
    found, notes = _found(config, reader, known, answers, groups, skipped)
    written = _write(found, notes, reader, workdir)
    for text in (*notes[:-1], *written, notes[-1]):
        print(text)


def _with_measured_rate(config: ConfigDict) -> tuple[ConfigDict, list[str]]:
    """The config with the rate to search at, and a line where that is another one.

    Thresholds hold for small faces that are enlarged. Searched as they are, strangers are more alike: of them 1.3 to
    1.6 % reach the threshold for 1 %. Fewer than 1 % reach the one for .1 %.
    """
    if config.small_face >= CUT_SIZES[-1]:
        return config, []
    strict = copy.deepcopy(config)
    strict.far = config.far / 10
    return strict, [
        f"config.small_face={config.small_face}: smaller faces than {CUT_SIZES[-1]} px are searched without being "
        f"enlarged, for which no rate was measured: thresholds are those for {strict.far:g}, stricter than "
        f"config.far={config.far:g}."
    ]


def _known(config: ConfigDict, source: Path, files: PictureFiles, reader: FaceReader) -> _Known:
    """Enrolls the gallery, or opens a kept one, and finds thresholds for it."""
    people = people_in(source, files.paths) if files.paths else {}
    # A set that has to be prepared first is asked for before minutes of enrollment.
    own = config.calibration or config.weights
    made_for = described(reader.recognizer, reader.upscalers, reader.centering, config.detector, reader.small)
    shipped = None if own else ShippedThresholds.load(made_for)
    shipped = shipped if shipped and shipped.covers(config.far) else None
    sets = [] if shipped else calibration_sets.folders(config.calibration, config.detector)
    enrollment: Enrolled
    if is_kept(source):
        enrollment = KeptGallery.open(source, kept_identity(config, reader)[0])
        if not enrollment.people:
            raise UserError(f"{source}: nobody is enrolled; keep_gallery enrolls people")
        print(f"{enrollment.people:,} people enrolled in {source}")
    else:
        enrolls = reader.for_enrollment()
        enrollment = enroll(enrolls, people, config.enroll, _kept_templates(config, source, enrolls))
        _report_enrollment(enrollment, config)
    thresholds, remarks = _thresholds(config, shipped, sets, reader, enrollment)
    alike = thresholds.threshold(max(config.far, 0.01), ((0,),), 0).similarity
    if isinstance(enrollment, Enrollment):
        remarks += wording.gallery_remarks(enrollment, people_of_several_folders(source, people), source, alike)
    if reader.small is not None:
        remarks.append(
            f"Searched faces of up to {reader.small.largest} px are read by {reader.small.recognizer.name}, all others "
            f"by {reader.recognizer.name}."
        )
    return _Known(enrollment, thresholds, alike, [*remarks, *reader.centering.remarks])


def _answers(
    config: ConfigDict, workdir: Path, probes: Probes, reader: FaceReader, known: _Known, skipped: Skipped
) -> list[Answer]:
    """Searches every face and every track, and prints a line for each.

    Raises:
      UserError: there was not one face.
    """
    pair, answers = Path(config.gallery).is_file(), list[Answer]()
    # A clip's own rotation is applied; another look at every frame that shows nobody would take most of the time.
    upright = copy.copy(reader)
    upright.look_again = False
    kept = workdir / "seen.sqlite" if probes.clips and config.keep_templates else None
    enrollment, thresholds = known.enrollment, known.thresholds
    with SeenFrames(kept, reading(config, upright), reader.recognizer.dimension) as seen:
        everything = itertools.chain(
            search(reader, probes.pictures, enrollment, thresholds, config.far, config.ranks, skipped),
            search_clips(probes.clips, upright, enrollment, thresholds, config, skipped, known.alike, seen),
        )
        for answer in everything:
            tqdm.write(wording.line(answer, config.ranks, reader.upscalers, pair, config.least_found))
            # A folder may hold many faces: pictures are kept of those only that are shown.
            shown = len(answers) < config.sheet_rows
            answers.append(answer if shown else replace(answer, view=answer.view.without_pictures()))
    for line in skipped.lines():
        print(line)
    if not answers:
        raise UserError(f"{config.probe}: no face to search for in {probes} ({skipped})")
    matched = sum(bool(answer.accepted) for answer in answers)
    tracks = sum(isinstance(answer, TrackAnswer) for answer in answers)
    counts = {"faces": len(answers) - tracks, "tracks": tracks}
    print(f"{' and '.join(f'{count} {what}' for what, count in counts.items() if count)}, {matched} matched; {skipped}")
    return answers


def _groups(config: ConfigDict, answers: Sequence[Answer], thresholds: Thresholds) -> list[int]:
    """For each answer the number of its group of unknown people, 0 for none; printed where it is asked for."""
    if not config.group and len(answers) > _MOST_GROUPED:
        return [0] * len(answers)
    # As if each were searched for among the others: the more there are, the more alike two strangers may be.
    others = max(sum(not answer.accepted for answer in answers) - 1, 1)
    limit = thresholds.threshold(max(config.far, 0.01), ((0,),) * others, 0).similarity
    groups = group_unknown(answers, limit)
    for line in wording.groups(answers, groups, limit) if config.group else ():
        print(line)
    return groups


def _found(
    config: ConfigDict,
    reader: FaceReader,
    known: _Known,
    answers: Sequence[Answer],
    groups: Sequence[int],
    skipped: Skipped,
) -> tuple[Found, list[str]]:
    """All of the search, and what is said of it: notes, the last of them what a match is worth."""
    enrollment, thresholds, upscalers = known.enrollment, known.thresholds, reader.upscalers
    sizes = {size: list(pictures) for size, pictures in enrollment.sizes.items()}
    for answer in answers:
        sizes.setdefault(answer.view.cut_size, []).append(answer.path.name)
    sizes.pop(0, None)  # faces that were not enlarged
    notes = [
        wording.thresholds(wording.distinct_thresholds(answers), thresholds, upscalers),
        *(f"{remark}." for remark in upscalers.remarks(sizes)),
        *reader.centering.nearest_sizes(upscalers, sizes),
        *wording.itself(answers),
        *wording.warnings(answers, enrollment, thresholds),
        wording.caution(answers, enrollment, thresholds, Path(config.gallery).is_file()),
    ]
    said = [*known.remarks, *notes]
    return Found(config, enrollment, answers, groups, skipped, thresholds, upscalers, said), notes


def _write(found: Found, notes: Sequence[str], reader: FaceReader, workdir: Path) -> list[Path]:
    """Writes files for programs, pages, clips and the contact sheet; returns what was written."""
    config, answers = found.config, found.answers
    written = [workdir / "identify.json", workdir / "identify.csv"]
    remove_pages(written[0])
    pages = write_pages(workdir / "pages", found)
    write_json(written[0], found, pages)
    write_csv(written[1], found)
    tracks = [answer for answer in answers if isinstance(answer, TrackAnswer)]
    if tracks:
        own = [group for answer, group in zip(answers, found.groups, strict=True) if isinstance(answer, TrackAnswer)]
        written += write_tracks(workdir, tracks, own, found.upscalers, config.least_found)
        written += write_annotated(workdir / "clips", tracks, config) if config.annotate else []
    rows = [_row(answer, found.enrollment, reader, config, found.pair) for answer in answers[: config.sheet_rows]]
    if rows:
        more = [f"{len(answers) - len(rows)} more faces are in identify.json."] if len(answers) > len(rows) else []
        title = "Do these photographs show one person?" if found.pair else "Who is on these pictures?"
        written.append(workdir / "identify.png")
        remarks = found.notes[: len(found.notes) - len(notes)]
        write_sheet(written[-1], title, rows, [*more, *remarks, *notes])
    if not found.pair:
        written.append(workdir / "identify.html")
        write_people(written[-1], found, rows, notes[-1])
    return [*written, workdir / "pages"] if pages else written


def _thresholds(
    config: ConfigDict,
    shipped: ShippedThresholds | None,
    sets: Sequence[Path],
    reader: FaceReader,
    enrollment: Enrolled,
) -> tuple[Thresholds, list[str]]:
    """Thresholds: the shipped ones where these models have them, else measured on a set."""
    if shipped:
        return shipped, shipped.remarks(config.far, enrollment.recipe)
    upscalers, recognizer, centering = reader.upscalers, reader.recognizer, reader.centering
    pictures = [len(own) for own in enrollment.recipe]
    print(
        "Thresholds are measured now, once for these models and each size of face: faces of a prepared set are made as "
        "small, enlarged and searched for, as yours will be."
    )
    return calibration_sets.choose(
        sets,
        lambda folder: Calibration(
            folder,
            recognizer,
            upscalers,
            config.calibration_images,
            config.seed,
            pictures,
            config.weights,
            centering,
            reader.small,
        ),
        config.far,
        len(pictures),
    )


def _kept_templates(config: ConfigDict, source: Path, reader: FaceReader) -> KeptTemplates:
    """Templates that earlier searches read from this gallery's pictures."""
    made_by = fingerprint(reading(config, reader), config.enroll)
    place = environment.cache_folder() / "galleries" / f"{fingerprint(str(source.resolve()), made_by)}.npz"
    return KeptTemplates(place if config.keep_templates else None, made_by, reader.recognizer.dimension)


def _report_enrollment(enrollment: Enrollment, config: ConfigDict) -> None:
    """Prints who is enrolled.

    Raises:
      UserError: nobody is.
    """
    skipped = enrollment.skipped
    for line in skipped.lines():
        print(line)
    for path, count in enrollment.crowded:
        print(f"{path}: {count} faces; enrolled is the one by config.enroll={config.enroll}")
    if not enrollment.faces:
        raise UserError(f"{config.gallery}: nobody could be enrolled ({skipped}; config.detector={config.detector})")
    if enrollment.missing:
        print(f"not enrolled: {', '.join(enrollment.missing)}")
    faces = sum(map(len, enrollment.faces.values()))
    print(f"{len(enrollment.faces)} people enrolled from {faces} pictures; {skipped}")


def _row(answer: Answer, enrollment: Enrolled, reader: FaceReader, config: ConfigDict, pair: bool) -> Row:
    matches = answer.matches[: config.ranks]
    nearest = [enrollment.nearest_picture(match.name, answer.view.template) for match in matches]
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
