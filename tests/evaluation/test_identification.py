"""All-against-all against a hand-worked example and against the course's literal loop."""

import os
import socket
import subprocess
import sys

import numpy as np
import pytest

from lowres_jax.evaluation import identification


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def on_circle(*degrees: float) -> np.ndarray:
    angles = np.radians(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def course_loop(templates: np.ndarray, labels: np.ndarray, threshold: float) -> tuple[np.ndarray, float]:
    """The literal algorithm: sort each row; genuine by rank, impostor by the first template of another identity.

    Returns DI(t, k) for k = 1..N-1 as counts, and FAR(t) as a fraction.
    """
    count = len(templates)
    distances = 1.0 - templates.astype(np.float64) @ templates.astype(np.float64).T
    detected = np.zeros(count - 1)
    false_accepts = 0
    for probe in range(count):
        order = [other for other in np.argsort(distances[probe]) if other != probe]
        first = order[0]
        if distances[probe, first] <= threshold:
            if labels[first] == labels[probe]:
                detected[0] += 1
                stranger = next((other for other in order if labels[other] != labels[probe]), None)
                if stranger is not None and distances[probe, stranger] <= threshold:
                    false_accepts += 1
            else:
                position = next((k for k, other in enumerate(order) if labels[other] == labels[probe]), None)
                if position is not None and distances[probe, order[position]] <= threshold:
                    detected[position] += 1
                false_accepts += 1
    return np.cumsum(detected), false_accepts / count


def test_five_templates_by_hand() -> None:
    # Two images of A at 0 and 10 degrees, two of B at 30 and 100, one of C at 90.
    statistics = identification.probe_statistics(on_circle(0, 10, 30, 100, 90), np.asarray([0, 0, 1, 1, 2]))
    distance = 1.0 - np.cos(np.radians([10, 10, 70, 70]))
    np.testing.assert_allclose(statistics.mated_distance[:4], distance, atol=2e-6)
    assert statistics.mated_distance[4] == np.inf
    nearest_stranger = 1.0 - np.cos(np.radians([30, 20, 20, 10, 10]))
    np.testing.assert_allclose(statistics.impostor_distance, nearest_stranger, atol=2e-6)
    # B at 30 sees A at 10 and 0 and C at 90 before B at 100; B at 100 sees C before, A at 10 and 0 after B at 30.
    assert statistics.rank.tolist() == [1, 1, 4, 2, 6]
    assert identification.detection_and_identification_rate(statistics, np.inf, 1) == 0.5
    assert identification.detection_and_identification_rate(statistics, np.inf, 1, all_probes=True) == 0.4
    assert identification.detection_and_identification_rate(statistics, np.inf, 2) == 0.75
    threshold = 1.0 - np.cos(np.radians(15))
    assert identification.false_accept_rate(statistics, threshold) == 0.4
    assert identification.cumulative_match(statistics, 4).tolist() == [0.5, 0.75, 0.75, 1.0]


@pytest.mark.parametrize("seed", range(4))
def test_equals_the_literal_loop(seed: int) -> None:
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 12, 60)
    centers = generator.normal(size=(12, 8))
    templates = unit(centers[labels] + generator.normal(size=(60, 8)))
    statistics = identification.probe_statistics(templates, labels)
    for threshold in np.linspace(0.05, 1.5, 25):
        detected, far = course_loop(templates, labels, threshold)
        for rank in (1, 2, 5, 15):
            rate = identification.detection_and_identification_rate(statistics, threshold, rank, all_probes=True)
            assert rate == pytest.approx(detected[rank - 1] / 60)
        assert identification.false_accept_rate(statistics, threshold) == pytest.approx(far)


def test_a_collapsed_embedding_scores_zero() -> None:
    templates = np.repeat(unit(np.random.default_rng(0).normal(size=(1, 128))), 700, axis=0)
    statistics = identification.probe_statistics(templates, np.arange(700) // 2)
    assert identification.detection_and_identification_rate(statistics, np.inf, 1) == 0.0
    assert identification.false_accept_rate(statistics, 0.0) == 1.0


def test_threshold_at_far_is_the_largest_allowed() -> None:
    statistics = identification.ProbeStatistics(
        mated_distance=np.full(10, 0.1), impostor_distance=np.arange(1, 11) / 10, rank=np.ones(10, int)
    )
    threshold = identification.threshold_at_far(statistics, 0.2)
    assert 0.2 < threshold < 0.3
    assert identification.false_accept_rate(statistics, threshold) == 0.2
    assert identification.false_accept_rate(statistics, np.nextafter(threshold, 1)) == pytest.approx(0.3)
    assert identification.threshold_at_far(statistics, 0.05) < 0.1
    assert identification.threshold_at_far(statistics, 1.0) == np.inf


def test_eight_devices_equal_one() -> None:
    code = (
        "import numpy as np, hashlib; from lowres_jax.evaluation import identification as i\n"
        "g = np.random.default_rng(3); t = g.normal(size=(1000, 16)).astype(np.float32)\n"
        "t /= np.linalg.norm(t, axis=1, keepdims=True); s = i.probe_statistics(t, g.integers(0, 300, 1000))\n"
        "import jax; print(len(jax.devices()), s.mated_distance.tobytes().hex()[:4000] + str(s.rank.tolist()))\n"
    )
    results = []
    for devices in (1, 8):
        environment = os.environ | {"XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}"}
        result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
        assert result.returncode == 0, result.stderr
        found, values = result.stdout.split(" ", 1)
        assert int(found) == devices
        results.append(values)
    assert results[0] == results[1]


def test_two_processes_that_are_connected_each_find_what_one_finds() -> None:
    code = (
        "import os, sys, hashlib, numpy as np; from ml_collections import ConfigDict\n"
        "from lowres_jax.runtime import environment\n"
        "process = int(sys.argv[1])\n"
        "environment.initialize(ConfigDict({'platform': 'cpu', 'coordinator': sys.argv[2], 'processes': 2, "
        "'process': process, 'connect_seconds': 60} if process >= 0 else {'platform': 'cpu'}))\n"
        "from lowres_jax.evaluation import identification as i\n"
        "g = np.random.default_rng(3); t = g.normal(size=(300, 16)).astype(np.float32)\n"
        "t /= np.linalg.norm(t, axis=1, keepdims=True); s = i.probe_statistics(t, g.integers(0, 90, 300))\n"
        "import jax; print(jax.process_count(), hashlib.sha256(s.mated_distance.tobytes() + "
        "s.impostor_distance.tobytes() + s.rank.tobytes()).hexdigest())\n"
    )
    with socket.socket() as listener:
        listener.bind(("localhost", 0))
        address = f"localhost:{listener.getsockname()[1]}"
    started = [
        subprocess.Popen([sys.executable, "-c", code, process, address], stdout=subprocess.PIPE, text=True)
        for process in ("-1", "0", "1")
    ]
    found = [process.communicate(timeout=120)[0].splitlines()[-1].split() for process in started]
    assert [processes for processes, _ in found] == ["1", "2", "2"]
    assert len({digest for _, digest in found}) == 1


def test_small_faces_among_good_pictures_by_hand() -> None:
    """The searcher's case: enrolled at 0 and 20 (A), 90 (B); the same three pictures, searched for, lie elsewhere."""
    enrolled, probes = on_circle(0, 20, 90), on_circle(15, 60, 30)
    found = identification.probe_statistics(probes, np.asarray([0, 0, 1]), enrolled)
    # A's first at 15 is compared with A's second at 20, never with its own picture at 0; the second with the one at 0.
    np.testing.assert_allclose(found.mated_distance[:2], 1 - np.cos(np.radians([5, 60])), atol=2e-6)
    assert found.mated_distance[2] == np.inf
    # Strangers: B at 90 from 15 and 60; from 30 the nearer of A's, at 20.
    np.testing.assert_allclose(found.impostor_distance, 1 - np.cos(np.radians([75, 30, 10])), atol=2e-6)
    assert found.rank.tolist() == [1, 2, 4]
    assert identification.detection_and_identification_rate(found, np.inf, 1) == 0.5
    same = identification.probe_statistics(probes, np.asarray([0, 0, 1]), probes)
    plain = identification.probe_statistics(probes, np.asarray([0, 0, 1]))
    np.testing.assert_array_equal(same.mated_distance, plain.mated_distance)


def test_errors() -> None:
    with pytest.raises(ValueError, match="two identities"):
        identification.probe_statistics(unit(np.ones((3, 4))), np.zeros(3, int))
    with pytest.raises(ValueError, match="not finite"):
        identification.probe_statistics(np.full((3, 4), np.nan, np.float32), np.arange(3))
