"""Centered templates by hand, and their place in a comparison.

Covers `evaluation/evaluation_set.py`, `evaluation/protocols.py` too.
"""

import numpy as np
import pytest
from comparisons import BICUBIC, GOOD, HR

from lowres_jax.evaluation import comparison, identification
from lowres_jax.evaluation.centering import centered, condition_mean
from lowres_jax.evaluation.evaluation_set import EvaluationSet
from lowres_jax.evaluation.measurement import Measurement, Method
from lowres_jax.evaluation.protocols import Protocols


def test_by_hand() -> None:
    templates = np.asarray([[1.0, 0.0], [0.6, 0.8]], np.float32)
    mean = condition_mean(templates)
    np.testing.assert_allclose(mean, [0.8, 0.4])
    np.testing.assert_allclose(centered(templates, mean, 0.0), templates)
    # (1, 0) - (.8, .4) = (.2, -.4); half of the mean: (.6, -.2).
    np.testing.assert_allclose(centered(templates, mean)[0], np.asarray([0.2, -0.4]) / np.sqrt(0.2), rtol=1e-6)
    np.testing.assert_allclose(centered(templates, mean, 0.5)[0], np.asarray([0.6, -0.2]) / np.sqrt(0.4), rtol=1e-6)


def test_each_side_is_centered_by_its_own_mean(
    subjects: EvaluationSet, measurements: dict[Method, Measurement]
) -> None:
    chosen = {method: measurements[method] for method in (HR, BICUBIC, GOOD)}
    generator = np.random.default_rng(0)
    means = {
        method: 0.3 * generator.normal(size=each.templates.shape[1]).astype(np.float32) / 11
        for method, each in chosen.items()
    }
    protocols = Protocols(("all_against_all", "searcher"), share=0.5)
    found = comparison.judge("sface", chosen.items(), subjects, 50, 0, protocols, means)
    rows = {(row["upscaler"], row["protocol"]): row for row in comparison.rows("sface", found, subjects)}
    images = subjects.images
    probes = centered(chosen[GOOD].templates[images], means[GOOD], 0.5)
    gallery = centered(chosen[HR].templates[images], means[HR], 0.5)
    for protocol, other in (("all_against_all_centered", None), ("searcher_centered", gallery)):
        statistics = identification.probe_statistics(probes, subjects.labels, other)
        threshold = identification.threshold_at_far(statistics, 0.01)
        expected = identification.detection_and_identification_rate(statistics, threshold, 1)
        row = rows["srresnet", protocol]
        assert row["metrics"]["dir_at_far_1e-2"] == pytest.approx(expected)
        raw = rows["srresnet", protocol.removesuffix("_centered")]["metrics"]["dir_at_far_1e-2"]
        assert row["difference"]["uncentered"]["dir_at_far_1e-2"][0] == pytest.approx(expected - raw, abs=1e-8)
        assert "dir_at_far_1e-2" in row["difference"]["bicubic"]
    assert "lfw" not in {protocol for _, protocol in rows}
