"""Every method through every protocol on the same images, pairs and resamples: rows of results.json, and curves."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lowres_jax.evaluation import (
    bootstrap,
    centering,
    identification,
    identification_bootstrap,
    image_quality,
    results,
    verification,
    verification_bootstrap,
)
from lowres_jax.evaluation.bootstrap import Estimate
from lowres_jax.evaluation.evaluation_set import EvaluationSet
from lowres_jax.evaluation.measurement import NONE, RAW, Measurement, Method
from lowres_jax.evaluation.protocols import Protocols
from lowres_jax.evaluation.verification import VerificationResult
from lowres_jax.runtime import signals

REFERENCES = ("bicubic", "bilinear")
# Among the differences of a centered form: to the same method as it is.
UNCENTERED = "uncentered"
_CENTERED = "_centered"
_HIGHEST_RANK = 100


@dataclass(frozen=True)
class Curve:
    """The curves of one method under one recognizer; what was not measured is None.

    Attributes:
      upscaler: method, "none" for HR and "raw" for the unenlarged image.
      lr_size: side of the low-resolution image in pixels; None where upscaler is "none".
      recognizer: name of the recognizer.
      verification_roc: (FAR, TAR), fractions, each of shape (n,), FAR ascending.
      dir_at_far: (FAR, DIR at rank 1 over mated probes), fractions, each of shape (n,), FAR ascending.
      cmc: (ranks from 1, DIR with any score over mated probes), each of shape (n,).
    """

    upscaler: str
    lr_size: int | None
    recognizer: str
    verification_roc: tuple[np.ndarray, np.ndarray] | None = None
    dir_at_far: tuple[np.ndarray, np.ndarray] | None = None
    cmc: tuple[np.ndarray, np.ndarray] | None = None


@dataclass(frozen=True)
class Judged:
    """Metrics of one method under one recognizer.

    Attributes:
      estimates: protocol -> estimate.
      scores: (P,) cosine of each pair.
      verification: the pairs' result, for curves and thresholds.
      curve: curve of the report.
    """

    estimates: Mapping[str, Estimate]
    scores: np.ndarray
    verification: VerificationResult
    curve: Curve


def judge(
    recognizer: str,
    measurements: Iterable[tuple[Method, Measurement]],
    subjects: EvaluationSet,
    resamples: int,
    seed: int,
    protocols: Protocols,
    means: Mapping[Method, np.ndarray] | None = None,
) -> dict[Method, Judged]:
    """Puts every method through both protocols and image quality.

    Args:
      recognizer: name, for the curves.
      measurements: measurements of every method, complete on the subjects' images; the originals ("none") come first.
      subjects: images and pairs.
      resamples: number of resamples of the paired bootstrap.
      seed: seed of the resamples, which are the same for every method.
      protocols: the tests.
      means: (D,) of each method's condition, where templates are centered too.
    """
    people = subjects.people
    people_counts = bootstrap.draw_counts(int(people.max()) + 1, resamples, seed)
    fold_counts = bootstrap.draw_counts(len(np.unique(subjects.folds)), resamples, seed)
    judged: dict[Method, Judged] = {}
    originals: tuple[np.ndarray, identification.ProbeStatistics, np.ndarray] | None = None
    centered_originals: tuple[np.ndarray, identification.ProbeStatistics] | None = None

    def identified(
        probes: np.ndarray, gallery: np.ndarray | None, reference: identification.ProbeStatistics | None
    ) -> tuple[Estimate, identification.ProbeStatistics]:
        found = identification.probe_statistics(probes, subjects.labels, gallery)
        return identification_bootstrap.estimate(found, reference or found, people, people_counts), found

    for method, measurement in signals.interruptible(measurements):
        templates = measurement.templates[subjects.images]
        statistics = identification.probe_statistics(templates, subjects.labels)
        scores = image_quality.identity_cosine(templates[subjects.pairs[:, 0]], templates[subjects.pairs[:, 1]])
        if originals is None:
            if method.upscaler != NONE:
                raise ValueError("the originals must come first")
            originals = templates, statistics, scores
        verified = verification.evaluate_pairs(scores, subjects.same, subjects.folds)
        estimates = {}
        gallery = None if method.upscaler == NONE else originals[0]
        if "all_against_all" in protocols.names:
            estimates["all_against_all"] = identification_bootstrap.estimate(
                statistics, originals[1], people, people_counts
            )
        if "searcher" in protocols.names:
            estimates["searcher"], _ = identified(templates, gallery, originals[1])
        if means is not None:
            probes = centering.centered(templates, means[method], protocols.share)
            both, found = identified(probes, None, centered_originals[1] if centered_originals else None)
            centered_originals = centered_originals or (probes, found)
            crossed = None if method.upscaler == NONE else centered_originals[0]
            estimates["all_against_all_centered"] = both
            estimates["searcher_centered"], _ = identified(probes, crossed, centered_originals[1])
        if "lfw" in protocols.names:
            estimates["lfw"] = verification_bootstrap.estimate(
                scores, originals[2], subjects.same, subjects.folds, fold_counts
            )
        if "lfw_searcher" in protocols.names:
            first, second = subjects.pairs.T
            crossed_scores = image_quality.identity_cosine(originals[0][first], templates[second])
            estimates["lfw_searcher"] = verification_bootstrap.estimate(
                crossed_scores, originals[2], subjects.same, subjects.folds, fold_counts
            )
        estimates |= protocols.of_others(templates, originals[0], people, people_counts)
        if method.upscaler != NONE:
            estimates["image_quality"] = _quality(method, measurement, subjects, originals[0], people_counts)
        points = identification.operating_points(statistics)
        curve = Curve(
            upscaler=method.upscaler,
            lr_size=None if method.upscaler == NONE else method.lr_size,
            recognizer=recognizer,
            verification_roc=(verified.far, verified.tar),
            dir_at_far=(points.far, points.dir_rank1),
            cmc=(np.arange(1, _HIGHEST_RANK + 1), identification.cumulative_match(statistics, _HIGHEST_RANK)),
        )
        judged[method] = Judged(estimates, scores, verified, curve)
    return judged


def _quality(
    method: Method, measurement: Measurement, subjects: EvaluationSet, originals: np.ndarray, counts: np.ndarray
) -> Estimate:
    templates = measurement.templates[subjects.images]
    values = {"identity_cosine": image_quality.identity_cosine(templates, originals)}
    if method.upscaler != RAW:
        values |= {"psnr": measurement.psnr[subjects.images], "ssim": measurement.ssim[subjects.images]}
    estimate = bootstrap.mean_estimate(values, subjects.people, counts)
    return Estimate({**estimate.metrics, "images_per_second": measurement.images_per_second}, estimate.samples)


def rows(
    recognizer: str,
    judged: Mapping[Method, Judged],
    subjects: EvaluationSet,
    taught: Collection[str] = (),
    beside: tuple[str, Mapping[Method, Judged]] = ("", {}),
    references: Sequence[str] = (),
) -> list[dict[str, Any]]:
    """The rows of results.json for one recognizer: at every LR size the originals, the methods, the raw images.

    Args:
      recognizer: name.
      judged: see `judge`.
      subjects: images and pairs.
      taught: upscalers that the recognizer was in a loss of; their rows are marked.
      beside: name and results of the recognizer that a recognizer of small faces belongs to, for differences.
      references: upscalers that all are compared with, in addition to `REFERENCES`.
    """
    originals = next(each for method, each in judged.items() if method.upscaler == NONE)
    found = []
    folds = dict.fromkeys(("lfw", "lfw_searcher"), len(np.unique(subjects.folds)))
    for lr_size in dict.fromkeys(method.lr_size for method in judged if method.upscaler != NONE):
        own = {method.upscaler: each for method, each in judged.items() if method.lr_size == lr_size}
        own = {NONE: originals, **{upscaler: each for upscaler, each in own.items() if upscaler != NONE}}
        others = {method.upscaler: each for method, each in beside[1].items() if method.lr_size == lr_size}
        for upscaler, each in own.items():
            for protocol, estimate in each.estimates.items():
                compared_with = {
                    name: own[name].estimates[protocol]
                    for name in (*REFERENCES, *references)
                    if name in own and protocol in own[name].estimates
                }
                if protocol.endswith(_CENTERED) and protocol.removesuffix(_CENTERED) in each.estimates:
                    compared_with[UNCENTERED] = each.estimates[protocol.removesuffix(_CENTERED)]
                if upscaler in others and protocol in others[upscaler].estimates:
                    compared_with[beside[0]] = others[upscaler].estimates[protocol]
                found.append(
                    results.row(
                        upscaler,
                        lr_size,
                        recognizer,
                        protocol,
                        estimate,
                        compared_with,
                        images=len(subjects.images),
                        folds=folds.get(protocol, len(subjects.chosen_folds) or None),
                        undetected=subjects.undetected,
                    )
                    | ({"judge_in_loss": True} if upscaler in taught else {})
                )
    return found
