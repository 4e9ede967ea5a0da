"""Searches the faces of photographs among known people, or compares two photographs."""

import datetime
import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
from ml_collections import ConfigDict
from tqdm import tqdm

from lowres_jax import configuration, runtime
from lowres_jax.data.picture_files import find_pictures
from lowres_jax.data.records import version_directory
from lowres_jax.errors import UserError
from lowres_jax.evaluation import results
from lowres_jax.files import write_atomically
from lowres_jax.localization.detector import Rule, load_detector
from lowres_jax.matching.calibration import Calibration
from lowres_jax.matching.gallery import FaceReader, people_in
from lowres_jax.matching.search import Answer, Enrolment, Skipped, enrol, search
from lowres_jax.recognition.recognizer import load_recognizer
from lowres_jax.report import search_wording as wording
from lowres_jax.report.contact_sheet import Candidate, Row, write_sheet
from lowres_jax.super_resolution.upscaler import load_upscaler


def run(config: ConfigDict, workdir: Path) -> None:
    """Identifies the faces of `config.probe`; writes identify.json and identify.png into the workdir.

    Args:
      config: see configs/identify.py.
      workdir: folder for the results.

    Raises:
      UserError: a setting is wrong, nobody could be enrolled, or not one face could be searched for.
    """
    _check(config)
    source, pair = Path(config.gallery), Path(config.gallery).is_file()
    people, probe_paths = people_in(source, find_pictures(source).paths), find_pictures(config.probe).paths
    upscaler, recognizer = load_upscaler(config.upscaler, config.weights), load_recognizer(config.recognizer)
    calibration = Calibration(
        _calibration_folder(config), recognizer, upscaler, config.calibration_images, config.seed, config.weights
    )
    reader = FaceReader(load_detector(config.detector), upscaler, recognizer, config.small_face)

    enrolment = enrol(reader, people, config.enrol)
    _report_enrolment(enrolment, config)
    skipped = Skipped()
    answers: list[Answer] = []
    for answer in search(reader, probe_paths, enrolment, calibration, config.far, skipped):
        tqdm.write(wording.line(answer, config.ranks, upscaler.name, pair))
        # A folder may hold many faces: pictures are kept of those only that are shown.
        answers.append(answer if len(answers) < config.sheet_rows else _without_pictures(answer))
    for line in skipped.lines():
        print(line)
    if not answers:
        raise UserError(f"{config.probe}: no face to search for in {len(probe_paths)} pictures ({skipped})")
    matched = sum(bool(answer.accepted) for answer in answers)
    print(f"{len(answers)} faces, {matched} matched; {skipped}")

    thresholds = wording.distinct_thresholds(answers)
    notes = [wording.threshold_line(threshold, calibration, upscaler.name) for threshold in thresholds]
    notes += wording.warnings(answers, enrolment, calibration)
    caution = wording.caution(answers, enrolment, calibration, config.far, pair)
    written = [workdir / "identify.json"]
    _write_json(written[0], config, enrolment, answers, skipped, calibration, [*notes, caution])
    rows = [_row(answer, enrolment, config, pair) for answer in answers[: config.sheet_rows]]
    if rows:
        more = [f"{len(answers) - len(rows)} more faces are in identify.json."] if len(answers) > len(rows) else []
        title = "Do these photographs show one person?" if pair else "Who is on these pictures?"
        written.append(workdir / "identify.png")
        write_sheet(written[1], title, rows, [*more, *notes, caution])
    for text in (*notes, *written, caution):
        print(text)


def _check(config: ConfigDict) -> None:
    for key, what in (("gallery", "DIR"), ("probe", "FILE|DIR")):
        if not config[key]:
            raise UserError(f"config.{key} is empty: give --config.{key}={what}")
    if not 0 < config.far < 1:
        raise UserError(f"config.far={config.far}: must lie between 0 and 1, as 0.01 for one in a hundred")
    if config.enrol not in get_args(Rule):
        raise UserError(f"config.enrol={config.enrol}: {configuration.nearest(config.enrol, list(get_args(Rule)))}")
    for key, least in (("small_face", 0), ("calibration_images", 0), ("ranks", 1), ("sheet_rows", 0)):
        if config[key] < least:
            raise UserError(f"config.{key}={config[key]}: must be at least {least}")


def _calibration_folder(config: ConfigDict) -> Path:
    """The prepared set that thresholds are measured on."""
    if config.calibration:
        return Path(config.calibration)
    prepared = runtime.cache_folder() / "datasets"
    folders = [prepared / name / config.detector for name in ("lfw", "orl_faces")]
    found = next((folder for folder in folders if version_directory(folder)), None)
    if found is None:
        option = "" if config.detector == "mtcnn" else f" --config.detector={config.detector}"
        raise UserError(
            f"{folders[-1]}: no prepared set to measure the threshold on; "
            f"run: python -m lowres_jax.main --config=configs/prepare_orl_faces.py{option}"
        )
    return found


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


def _without_pictures(answer: Answer) -> Answer:
    nothing = np.zeros((0, 0, 3), np.uint8)
    return replace(answer, view=replace(answer.view, cut=nothing, crop=nothing))


def _row(answer: Answer, enrolment: Enrolment, config: ConfigDict, pair: bool) -> Row:
    return Row(
        source=wording.source(answer),
        cut=answer.view.cut,
        crop=answer.view.crop,
        how=f"{answer.view.native_size} px" + (f", enlarged by {config.upscaler}" if answer.view.cut_size else ""),
        verdict=wording.verdict(answer, pair),
        threshold=answer.threshold.similarity,
        candidates=[
            Candidate(
                match.name,
                match.similarity,
                enrolment.most_similar(match.name, answer.view).crop,
                match.similarity >= answer.threshold.similarity,
            )
            for match in answer.matches[: config.ranks]
        ],
    )


def _write_json(
    path: Path,
    config: ConfigDict,
    enrolment: Enrolment,
    answers: Sequence[Answer],
    skipped: Skipped,
    calibration: Calibration,
    notes: Sequence[str],
) -> None:
    """Everything that was printed, for programs; rates are fractions, boxes pixels of the picture."""
    thresholds = wording.distinct_thresholds(answers)
    content = {
        "created": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
        "versions": results.versions(),
        "config": config.to_dict(),
        "calibration": {
            "set": calibration.name,
            "people": calibration.people,
            "images": len(calibration.labels),
            "thresholds": [asdict(each) for each in thresholds],
        },
        "gallery": {
            "people": {name: [str(path) for path, _ in own] for name, own in enrolment.faces.items()},
            "not_enrolled": list(enrolment.missing),
            **_skipped(enrolment.skipped),
        },
        "faces": [
            {
                "file": str(answer.path),
                "face": answer.number,
                "box": [round(float(value), 2) for value in answer.view.face.box],
                "score": round(float(answer.view.face.score), 5),
                "native_size": answer.view.native_size,
                "enlarged_from": answer.view.cut_size or None,
                "upscaler": config.upscaler if answer.view.cut_size else None,
                "match": answer.matches[0].name if answer.accepted else None,
                "threshold": thresholds.index(answer.threshold),
                "ranked": [asdict(match) for match in answer.matches[: config.ranks]],
            }
            for answer in answers
        ],
        **_skipped(skipped),
        "notes": list(notes),
    }
    with write_atomically(path) as file:
        file.write(json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False).encode() + b"\n")


def _skipped(skipped: Skipped) -> dict[str, Any]:
    return {"without_face": [str(path) for path in skipped.without_face], "unreadable": skipped.unreadable}
