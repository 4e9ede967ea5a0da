"""Compares upscalers: every one, at every LR size, under every recognizer, through both protocols, with a report."""

import dataclasses
import functools
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
from lowres_jax.evaluation.measurement import NONE, RAW, Method
from lowres_jax.evaluation.passes import Measurements, measure_all, planned_methods
from lowres_jax.evaluation.protocols import LabelErrors, Protocols
from lowres_jax.evaluation.validation import evenly
from lowres_jax.localization.align import CROP_SIZE
from lowres_jax.preparation import job as preparation
from lowres_jax.preparation.prepared_set import PreparedOtherwiseError
from lowres_jax.pretrained import cards
from lowres_jax.recognition import onnx_model
from lowres_jax.recognition.recognizer import Recognizer, enrolling, load_recognizer
from lowres_jax.report.comparison import comparison_report, examples, findings, judges
from lowres_jax.report.comparison.page import write_report
from lowres_jax.report.comparison.report_data import ReportData
from lowres_jax.report.comparison.table import group_rows, print_table
from lowres_jax.runtime import environment
from lowres_jax.settings.compare import KEYS
from lowres_jax.settings.prepare import KEYS as PREPARATION_KEYS
from lowres_jax.super_resolution.upscaler import Upscaler, load_upscaler, size_remark
from lowres_jax.utils.files import try_folder

WITHOUT_LABEL_ERRORS = "without_label_errors"


@dataclass(frozen=True)
class _Inputs:
    """The methods of a comparison and their data.

    Attributes:
      dataset: name of the prepared set.
      source: records of the set.
      subjects: the images, people and pairs of it.
      corrected: the set without known label errors; None where no file of them is given.
      protocols: tests that every method is put to.
      methods: ways to reduce and enlarge the crops.
      upscalers: upscalers by name, all that the methods name.
      recognizers: the judges, by name.
      degradation: degradation of a crop on its way to low resolution.
    """

    dataset: str
    source: RecordSource
    subjects: EvaluationSet
    corrected: EvaluationSet | None
    protocols: Protocols
    methods: Sequence[Method]
    upscalers: Mapping[str, Upscaler]
    recognizers: Mapping[str, Recognizer]
    degradation: Degradation

    @property
    def described(self) -> str:
        """Set and degradation in words."""
        degraded = f"; small faces degraded: {self.degradation.described}" if self.degradation.described else ""
        return f"{self.dataset}: {comparison_report.described(self.subjects)}{degraded}"


@dataclass(frozen=True)
class _Measured:
    """Templates and image quality of every method.

    Attributes:
      measurements: measurements of the images of the set.
      means: method -> recognizer -> mean of its condition, of people of another set; None where nothing is centered.
    """

    measurements: Measurements
    means: Mapping[Method, Mapping[str, np.ndarray]] | None


# Recognizer -> method -> what the protocols say.
_AllJudged = Mapping[str, Mapping[Method, Judged]]


def run(config: ConfigDict, workdir: Path) -> None:
    """Runs the comparison: measurements (kept in files, so that an interrupted run resumes), results.json, report.html.

    Args:
      config: config of configs/compare.py.
      workdir: folder for the results.

    Raises:
      UserError: unknown names, LR sizes or folds that cannot be, a set that is not prepared.
    """
    config_keys.check(config, KEYS)
    begin = time.monotonic()
    inputs = _opened(config, workdir)
    try_folder(workdir)
    measured = _measured(config, inputs, workdir)
    judged, found = _judged(config, inputs, measured, inputs.subjects, inputs.protocols, inputs.described)
    results.write_results(workdir / "results.json", found)
    corrected = _corrected(config, inputs, measured, workdir) if inputs.corrected is not None else ""
    remarks = _remarks(inputs)
    _write_report(config, inputs, judged, found, remarks, workdir, begin)
    groups = group_rows(found)
    for line in [*remarks, *judges.disagreements(groups)]:
        print(f"\n{line}")
    print(f"\n{print_table(found)}\n")
    for group in groups:
        print(findings.sentence(group))
    print(f"{corrected}\n{workdir / 'results.json'}\n{workdir / 'report.html'}")


def _opened(config: ConfigDict, workdir: Path) -> _Inputs:
    """The set, the tests and the models; all that can be wrong is read here."""
    methods = planned_methods(config.upscalers, config.lr_sizes)
    known = {method.upscaler for method in methods}
    for name in config.references:
        if name not in known:
            raise UserError(f"config.references: {name} is not among config.upscalers; add it there")
    for name in config.recognizers:
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
    subjects = EvaluationSet.of_records(source, config).only(config.folds)
    protocols = Protocols.read(config.protocols, config.protocol_files, source.sources, config.centering.share)
    if (protocols.trials or protocols.open_set) and len(subjects.images) < len(source):
        raise UserError("config.protocols: blufr and open_set need all images of LFW; leave config.folds empty")
    corrected = None
    if config.label_errors:
        corrected = subjects.without(LabelErrors.read(Path(config.label_errors)), source.sources)
    print(f"{dataset}: {comparison_report.described(subjects)}")
    names = dict.fromkeys(each.upscaler for each in methods if each.upscaler not in (NONE, RAW))
    return _Inputs(
        dataset,
        source,
        subjects,
        corrected,
        protocols,
        methods,
        upscalers={name: load_upscaler(name) for name in names},
        recognizers={
            name: load_recognizer(name, flip_sum=config.flip_sum, onnx=config.onnx) for name in config.recognizers
        },
        degradation=Degradation.of(config.degradation),
    )


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


def _measured(config: ConfigDict, inputs: _Inputs, workdir: Path) -> _Measured:
    """Templates of every method, of the set and, where templates are centered, of other people."""
    run_methods = functools.partial(
        measure_all,
        methods=inputs.methods,
        upscalers=inputs.upscalers,
        recognizers=inputs.recognizers,
        degradation=inputs.degradation,
        batch_size=config.batch_size,
        flip_sum=config.flip_sum,
        onnx=config.onnx,
    )
    folder, settings = Path(config.measurements or workdir / "measurements"), config.centering
    measurements = run_methods(inputs.source, inputs.subjects.images, folder / inputs.dataset.replace("/", "-"))
    if not settings.share:
        return _Measured(measurements, None)
    if settings.dataset == config.dataset:
        raise UserError(
            f"config.centering.dataset={settings.dataset}: means are to be of other people than are compared"
        )
    source = open_records(environment.datasets_folder(config.data_dir) / settings.dataset)
    images = evenly(len(source), settings.images)
    others = run_methods(source, images, folder / settings.dataset.replace("/", "-"))
    means = {
        method: {name: condition_mean(each.templates[images]) for name, each in own.items()}
        for method, own in others.items()
    }
    return _Measured(measurements, means)


def _judged(
    config: ConfigDict,
    inputs: _Inputs,
    measured: _Measured,
    subjects: EvaluationSet,
    protocols: Protocols,
    described: str,
) -> tuple[_AllJudged, dict[str, Any]]:
    """Every method through every protocol by every recognizer, and the content of results.json."""
    judged: dict[str, Mapping[Method, Judged]] = {}
    rows: list[dict[str, Any]] = []
    for recognizer in inputs.recognizers:
        passes = tqdm(
            [(method, each[recognizer]) for method, each in measured.measurements.items()],
            desc=f"protocols, {recognizer}",
            unit="method",
            dynamic_ncols=True,
        )
        means = measured.means
        own = None if means is None else {method: each[recognizer] for method, each in means.items()}
        judged[recognizer] = comparison.judge(
            recognizer, passes, subjects, config.resamples, config.seed, protocols, own
        )
        taught = comparison_report.taught(list(inputs.upscalers), recognizer)
        usual = enrolling(inputs.recognizers[recognizer]).name
        beside = (usual, judged[usual]) if usual != recognizer and usual in judged else ("", {})
        rows += comparison.rows(recognizer, judged[recognizer], subjects, taught, beside, config.references)
    return judged, results.make_results(described, rows)


def _corrected(config: ConfigDict, inputs: _Inputs, measured: _Measured, workdir: Path) -> str:
    """Measures everything once more without known label errors; writes results.json and returns the table."""
    assert inputs.corrected is not None
    own = dataclasses.replace(inputs.protocols, trials=(), open_set=None)
    described = f"{inputs.described}; without known label errors"
    _, found = _judged(config, inputs, measured, inputs.corrected, own, described)
    path = workdir / WITHOUT_LABEL_ERRORS / "results.json"
    path.parent.mkdir(exist_ok=True)
    results.write_results(path, found)
    images = len(inputs.subjects.images) - len(inputs.corrected.images)
    pairs = len(inputs.subjects.pairs) - len(inputs.corrected.pairs)
    return f"\nwithout known label errors ({images} images and {pairs} pairs less; {path}):\n\n{print_table(found)}\n"


def _remarks(inputs: _Inputs) -> list[str]:
    """Lines that a reader of the figures has to know about the models."""
    found = comparison_report.trained_against(list(inputs.upscalers), list(inputs.recognizers))
    found += comparison_report.trained_on(list(inputs.upscalers), list(inputs.recognizers), inputs.dataset)
    for name, upscaler in inputs.upscalers.items():
        remark = size_remark(upscaler, {each.lr_size: () for each in inputs.methods if each.upscaler == name})
        found += [f"{remark}."] if remark else []
    return found


def _write_report(
    config: ConfigDict,
    inputs: _Inputs,
    judged: _AllJudged,
    found: dict[str, Any],
    remarks: Sequence[str],
    workdir: Path,
    begin: float,
) -> None:
    """Writes report.html."""
    source, subjects, upscalers = inputs.source, inputs.subjects, list(inputs.upscalers)
    grid, turned = examples.of_comparison(
        source,
        subjects,
        [method for method in inputs.methods if method.upscaler in upscalers],
        inputs.upscalers,
        judged,
        inputs.degradation,
        (config.grid_people, config.examples, config.seed),
    )
    gallery, caption = comparison_report.detectors(Path(config.detectors or workdir / "detectors"))
    data = ReportData(
        results=found,
        curves=[each.curve for own in judged.values() for each in own.values()],
        grid=grid,
        turned=turned,
        detector_gallery=gallery,
        detector_caption=caption,
        licenses=comparison_report.licenses(source.directory, upscalers, list(inputs.recognizers)),
        notes=[*comparison_report.notes(subjects, config, made_pairs=not source.has_pairs), *remarks],
        command=comparison_report.command_line(),
        published=judges.PUBLISHED if source.has_pairs and not subjects.chosen_folds else (),
        duration=time.monotonic() - begin,
        **({"title": config.title} if config.title else {}),
    )
    write_report(workdir / "report.html", data)
