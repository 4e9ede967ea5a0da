"""Compares upscalers: every one, at every LR size, under every recognizer, through both protocols, with a report."""

import dataclasses
import functools
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ml_collections import ConfigDict
from tqdm import tqdm

from lowres_jax import config_keys
from lowres_jax.data.degradations import Degradation
from lowres_jax.data.records import RecordSource, open_records
from lowres_jax.errors import UserError
from lowres_jax.evaluation import comparison, results
from lowres_jax.evaluation.centering import condition_mean
from lowres_jax.evaluation.comparison import Judged
from lowres_jax.evaluation.evaluation_set import EvaluationSet
from lowres_jax.evaluation.measurement import NONE, RAW, Method, load_crop
from lowres_jax.evaluation.passes import Measurements, measure_all, planned_methods
from lowres_jax.evaluation.protocols import LabelErrors, Protocols
from lowres_jax.evaluation.validation import evenly
from lowres_jax.localization.align import CROP_SIZE
from lowres_jax.preparation import job as preparation
from lowres_jax.preparation.prepared_set import PreparedOtherwiseError
from lowres_jax.pretrained import cards
from lowres_jax.recognition import onnx_model
from lowres_jax.recognition.recognizer import load_recognizer
from lowres_jax.report.comparison import comparison_report, examples, findings, judges
from lowres_jax.report.comparison.page import write_report
from lowres_jax.report.comparison.report_data import GridFace, ReportData, TurnedPair
from lowres_jax.report.comparison.table import group_rows, print_table
from lowres_jax.runtime import environment
from lowres_jax.settings.compare import KEYS
from lowres_jax.settings.prepare import KEYS as PREPARATION_KEYS
from lowres_jax.super_resolution.upscaler import Upscaler, load_upscaler, size_remark
from lowres_jax.utils.files import try_folder

WITHOUT_LABEL_ERRORS = "without_label_errors"


def run(config: ConfigDict, workdir: Path) -> None:
    """Runs the comparison: measurements (kept in files, so that a stopped run goes on), results.json, report.html.

    Args:
      config: see configs/compare.py.
      workdir: folder for the results.

    Raises:
      UserError: unknown names, LR sizes or folds that cannot be, a set that is not prepared.
    """
    config_keys.check(config, KEYS)
    begin = time.monotonic()
    methods = planned_methods(config.upscalers, config.lr_sizes)
    names = config.recognizers
    for name in names:
        if name != onnx_model.NAME:
            cards.load_card(name, "recognition")
    if config.input:
        dataset, directory = Path(config.input).resolve().name, _prepared(config.input, workdir)
    else:
        dataset, directory = config.dataset, environment.datasets_folder(config.data_dir) / config.dataset
    source = open_records(directory)
    if len(source) and source[0]["image"].shape != (CROP_SIZE, CROP_SIZE, 3):
        raise UserError(
            f"{directory}: crops of {' x '.join(map(str, source[0]['image'].shape[:2]))}; the comparison needs "
            f"{CROP_SIZE} x {CROP_SIZE}: prepare the set with --config.crop_size={CROP_SIZE}"
        )
    everyone = _subjects(source, config)
    subjects = everyone.only(config.folds)
    protocols = Protocols.read(config.protocols, config.protocol_files, source.sources, config.centering.share)
    if (protocols.trials or protocols.open_set) and len(subjects.images) < len(source):
        raise UserError("config.protocols: blufr and open_set need all images of LFW; leave config.folds empty")
    corrected = None
    if config.label_errors:
        corrected = subjects.without(LabelErrors.read(Path(config.label_errors)), source.sources)
    print(f"{dataset}: {comparison_report.described(subjects)}")
    upscalers = {
        name: load_upscaler(name) for name in dict.fromkeys(m.upscaler for m in methods) if name not in (NONE, RAW)
    }
    recognizers = {name: load_recognizer(name, flip_sum=config.flip_sum, onnx=config.onnx) for name in names}
    folder = Path(config.measurements or workdir / "measurements") / dataset.replace("/", "-")
    try_folder(workdir)
    degradation = Degradation.of(config.degradation)
    run_methods = functools.partial(
        measure_all,
        methods=methods,
        upscalers=upscalers,
        recognizers=recognizers,
        degradation=degradation,
        batch_size=config.batch_size,
        flip_sum=config.flip_sum,
        onnx=config.onnx,
    )
    measurements = run_methods(source, subjects.images, folder)
    means = _condition_means(config, run_methods, folder.parent)
    judged, rows = _judged(config, measurements, subjects, protocols, means, list(upscalers))
    against = comparison_report.trained_against(list(upscalers), names)
    against += [
        f"{remark}."
        for name, upscaler in upscalers.items()
        if (remark := size_remark(upscaler, {method.lr_size: () for method in methods if method.upscaler == name}))
    ]
    described = f"{dataset}: {comparison_report.described(subjects)}"
    described += f"; small faces degraded: {degradation.described}" if degradation.described else ""
    found = results.make_results(described, rows)
    results.write_results(workdir / "results.json", found)
    if corrected is not None:
        own = dataclasses.replace(protocols, trials=(), open_set=None)
        rows = _judged(config, measurements, corrected, own, means, list(upscalers))[1]
        without = results.make_results(f"{described}; without known label errors", rows)
        (workdir / WITHOUT_LABEL_ERRORS).mkdir(exist_ok=True)
        results.write_results(workdir / WITHOUT_LABEL_ERRORS / "results.json", without)
    grid, turned = _examples(config, source, methods, upscalers, subjects, judged, degradation)
    gallery, caption = comparison_report.detectors(Path(config.detectors or workdir / "detectors"))
    data = ReportData(
        results=found,
        curves=[each.curve for own in judged.values() for each in own.values()],
        grid=grid,
        turned=turned,
        detector_gallery=gallery,
        detector_caption=caption,
        licences=comparison_report.licences(source.directory, list(upscalers), names),
        notes=comparison_report.notes(subjects, config, made_pairs=not source.has_pairs) + against,
        command=comparison_report.command_line(),
        published=judges.PUBLISHED if source.has_pairs and not subjects.chosen_folds else (),
        duration=time.monotonic() - begin,
        **({"title": config.title} if config.title else {}),
    )
    write_report(workdir / "report.html", data)
    groups = group_rows(found)
    for line in [*against, *judges.disagreements(groups)]:
        print(f"\n{line}")
    print(f"\n{print_table(found)}\n")
    for line in findings.answer([findings.find(group) for group in groups]):
        print(line)
    if corrected is not None:
        left_out = len(subjects.images) - len(corrected.images), len(subjects.pairs) - len(corrected.pairs)
        print(
            f"\nwithout known label errors ({left_out[0]} images and {left_out[1]} pairs less; "
            f"{workdir / WITHOUT_LABEL_ERRORS / 'results.json'}):\n\n{print_table(without)}"
        )
    print(f"\n{workdir / 'results.json'}\n{workdir / 'report.html'}")


def _prepared(photographs: str, workdir: Path) -> Path:
    """Prepares somebody's own photographs below the workdir, unless that was done and they are the same since.

    Raises:
      UserError: there are none, or they cannot be prepared.
    """
    settings = config_keys.new(PREPARATION_KEYS, "prepare")
    settings.update({"builder": "people", "source": photographs, "data_dir": str(workdir / "dataset")})
    try:
        return preparation.prepare(settings)
    except PreparedOtherwiseError:
        settings.overwrite = True
        return preparation.prepare(settings)


def _subjects(source: RecordSource, config: ConfigDict) -> EvaluationSet:
    """The images of the set, with LFW's own pairs or pairs made from the identities."""
    labels, names, detected = source.labels, source.names, source.detected
    if source.has_pairs:
        if config.images_per_person:
            raise UserError(
                "config.images_per_person: the pairs of LFW need all images; set 0, and choose config.folds"
            )
        found = source.pairs("view2")
        pairs = np.stack([found.first, found.second], axis=1)
        return EvaluationSet(np.arange(len(labels)), labels, names, detected, pairs, found.same, found.fold + 1)
    folds = config.made_folds
    if config.input:
        # Each fold has two people or more of whom there are two images.
        several = int(np.sum(np.unique(labels, return_counts=True)[1] > 1))
        fitting = max(min(folds, several // 2), 2)
        if fitting < folds:
            print(f"{several} people with two images or more: pairs in {fitting} folds instead of {folds}")
        folds = fitting
    try:
        return EvaluationSet.paired(
            labels,
            names,
            detected,
            config.images_per_person,
            folds,
            config.made_pairs_per_fold,
            config.seed,
        )
    except ValueError as error:
        raise UserError(
            f"config.made_folds={folds}, config.made_pairs_per_fold={config.made_pairs_per_fold}: {error}"
        ) from error


def _judged(
    config: ConfigDict,
    measurements: Measurements,
    subjects: EvaluationSet,
    protocols: Protocols,
    means: Mapping[Method, Mapping[str, np.ndarray]] | None,
    upscalers: Sequence[str],
) -> tuple[dict[str, dict[Method, Judged]], list[dict[str, Any]]]:
    """Every method through every protocol by every recognizer, and the rows of results.json."""
    judged, rows = {}, []
    for recognizer in next(iter(measurements.values())):
        passes = tqdm(
            [(method, each[recognizer]) for method, each in measurements.items()],
            desc=f"protocols, {recognizer}",
            unit="method",
            dynamic_ncols=True,
        )
        own = None if means is None else {method: each[recognizer] for method, each in means.items()}
        judged[recognizer] = comparison.judge(
            recognizer, passes, subjects, config.resamples, config.seed, protocols, own
        )
        taught = comparison_report.taught(upscalers, recognizer)
        rows += comparison.rows(recognizer, judged[recognizer], subjects, taught)
    return judged, rows


def _condition_means(
    config: ConfigDict, run_methods: Callable[[RecordSource, np.ndarray, Path], Measurements], folder: Path
) -> dict[Method, dict[str, np.ndarray]] | None:
    """The mean of every condition, of people of another set; None where nothing is centered."""
    settings = config.centering
    if not settings.share:
        return None
    if settings.dataset == config.dataset:
        raise UserError(
            f"config.centering.dataset={settings.dataset}: means are to be of other people than are compared"
        )
    source = open_records(environment.datasets_folder(config.data_dir) / settings.dataset)
    images = evenly(len(source), settings.images)
    measurements = run_methods(source, images, folder / settings.dataset.replace("/", "-"))
    return {
        method: {name: condition_mean(each.templates[images]) for name, each in own.items()}
        for method, own in measurements.items()
    }


def _examples(
    config: ConfigDict,
    source: RecordSource,
    methods: Sequence[Method],
    upscalers: Mapping[str, Upscaler],
    subjects: EvaluationSet,
    judged: Mapping[str, Mapping[Method, Judged]],
    degradation: Degradation,
) -> tuple[list[GridFace], list[TurnedPair]]:
    """The report's pictures: the grid, and the pairs that super-resolution turned right and wrong."""
    enlarging = [method for method in methods if method.upscaler in upscalers]
    people = examples.choose_people(subjects.names, config.grid_people, config.seed).tolist()
    reference = next((name for name in comparison.REFERENCES if name in upscalers), "")
    turned = [
        each
        for recognizer, own in judged.items()
        for each in examples.choose_turned(recognizer, own, reference, subjects, config.examples)
    ]
    wanted = examples.wanted(people, enlarging, turned, reference, subjects)
    pictures = examples.Pictures(
        lambda number: load_crop(source, int(subjects.images[number])), upscalers, wanted, subjects.images, degradation
    )
    grid = examples.grid_faces(people, enlarging, subjects.names.tolist(), pictures)
    return grid, [examples.turned_pair(each, judged[each.recognizer], reference, subjects, pictures) for each in turned]
