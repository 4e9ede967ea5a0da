"""Open-set tests with given galleries, against loops that are written down here.

Covers `evaluation/blufr.py` too.
"""

from pathlib import Path

import numpy as np
import pytest

from lowres_jax.errors import UserError
from lowres_jax.evaluation import blufr, bootstrap
from lowres_jax.evaluation.open_set import OpenSetLists, Searches


def unit(generator: np.random.Generator, people: np.ndarray, noise: float, dimension: int = 8) -> np.ndarray:
    """Templates about a direction of each person."""
    centers = np.random.default_rng(7).normal(size=(int(people.max()) + 1, dimension))
    found = (centers[people] + noise * generator.normal(size=(len(people), dimension))).astype(np.float32)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def plain_dir(
    probes: np.ndarray,
    people: np.ndarray,
    gallery: np.ndarray,
    enrolled: np.ndarray,
    far: float,
    copies: np.ndarray | None = None,
) -> float:
    """DIR at rank 1: every threshold is tried; `copies` says how often each person's probes count."""
    nearest, own, right = [], [], []
    for template, person in zip(probes, people, strict=True):
        distance = {who: min(1 - g @ template for g in gallery[enrolled == who]) for who in set(enrolled)}
        others = [value for who, value in distance.items() if who != person]
        own.append(distance.get(person, np.inf))
        right.append(person in distance and all(value > distance[person] for value in others))
        nearest.append(min(distance.values()))
    count = np.ones(len(people)) if copies is None else copies[people]
    known = np.isin(people, enrolled)
    strangers = sorted(zip(np.asarray(nearest)[~known], count[~known], strict=True))
    limit, passed = np.inf, 0
    for distance, weight in strangers:
        passed += weight
        if passed > far * count[~known].sum() + 1e-9:
            limit = distance
            break
    hits = np.asarray(right) & (np.asarray(own) < limit)
    return float((hits * count)[known].sum() / count[known].sum())


def test_searches_are_those_of_a_loop() -> None:
    generator = np.random.default_rng(0)
    people = np.repeat(np.arange(30), 4)
    templates = unit(generator, people, 0.7)
    is_gallery = np.isin(people, np.arange(12)) & (np.arange(len(people)) % 4 < 2)  # two pictures of twelve people
    gallery, enrolled = templates[is_gallery], people[is_gallery]
    probes, whose = templates[~is_gallery], people[~is_gallery]
    searches = Searches.of(probes, whose, gallery, enrolled)
    assert (len(searches.known), len(searches.strangers)) == (24, 72)
    counts = bootstrap.draw_counts(30, 20, seed=1)
    for far in (0.02, 0.1, 0.5):
        found = searches.rates(np.concatenate([np.ones((1, 30), np.int32), counts]), far)
        expected = [plain_dir(probes, whose, gallery, enrolled, far, row) for row in [np.ones(30), *counts]]
        np.testing.assert_allclose(found, expected, atol=1e-12)
    assert 0.2 < found[0] < 0.9


def test_a_tie_counts_against_the_right_person() -> None:
    gallery = np.eye(2, 4, dtype=np.float32)
    probe = np.full((1, 4), 0.5, np.float32)
    stranger = np.eye(4, dtype=np.float32)[3:]
    searches = Searches.of(np.concatenate([probe, stranger]), np.asarray([0, 5]), gallery, np.asarray([0, 1]))
    assert not searches.first[0]
    assert searches.rates(np.ones((1, 6), np.int32), 1.0).tolist() == [0.0]


def test_whoever_is_as_far_as_a_stranger_is_not_found() -> None:
    """At a rate of 0 the threshold lies below the nearest stranger, at .5; one known face is there, one nearer."""
    known, people = np.asarray([0.5, 0.4]), np.asarray([0, 1])
    searches = Searches(known, np.asarray([True, True]), people, np.asarray([0.5, 0.9]), np.asarray([2, 3]))
    assert searches.rates(np.ones((1, 4), np.int32), 0.0).tolist() == [0.5]


def plain_verification(templates: np.ndarray, gallery: np.ndarray, people: np.ndarray, far: float) -> float:
    pairs = [(i, j) for i in range(len(people)) for j in range(len(people)) if i != j]
    scores = np.asarray([templates[i] @ gallery[j] for i, j in pairs], np.float64)
    same = np.asarray([people[i] == people[j] for i, j in pairs])
    limit = max([*sorted(scores[~same])[::-1][int(np.floor(far * (~same).sum() + 1e-9)) :][:1], -2.0])
    return float((scores[same] > limit).mean())


@pytest.mark.parametrize("crossed", [False, True])
def test_verification_is_that_of_all_pairs(crossed: bool) -> None:
    generator = np.random.default_rng(2)
    people = np.repeat(np.arange(15), 4)
    templates = unit(generator, people, 0.6)
    gallery = unit(generator, people, 0.2) if crossed else templates
    for far in (0.001, 0.05):
        found = blufr.verification_rate(templates, gallery, people, far)
        assert found == pytest.approx(plain_verification(templates, gallery, people, far), abs=1e-9)
        assert 0 < found < 1


def test_blufr_is_the_mean_over_its_trials() -> None:
    generator = np.random.default_rng(3)
    people = np.repeat(np.arange(40), 3)
    templates = unit(generator, people, 0.7)
    trials = []
    for _ in range(3):
        shown = np.sort(generator.permutation(40)[:30])
        test = np.flatnonzero(np.isin(people, shown))
        gallery = np.asarray([np.flatnonzero(people == person)[0] for person in shown[:10]])
        trials.append(blufr.Trial(test, gallery, np.setdiff1d(test, gallery)))
    counts = bootstrap.draw_counts(40, 50, seed=0)
    found = blufr.estimate(trials, templates, templates, people, counts)
    rates = [
        plain_dir(templates[t.probes], people[t.probes], templates[t.gallery], people[t.gallery], 0.01) for t in trials
    ]
    verified = [plain_verification(templates[t.test], templates[t.test], people[t.test], 0.001) for t in trials]
    assert found.metrics["dir_at_far_1e-2"] == pytest.approx(np.mean(rates))
    assert found.metrics["dir_at_far_1e-2_minus_sd"] == pytest.approx(np.mean(rates) - np.std(rates, ddof=1))
    assert found.metrics["vr_at_far_1e-3"] == pytest.approx(np.mean(verified))
    assert found.samples["dir_at_far_1e-2"].shape == (50,)
    assert found.samples["dir_at_far_1e-2"].std() > 0


def write_lists(folder: Path, lists: dict[str, list[str]]) -> Path:
    folder.mkdir()
    for name, lines in lists.items():
        (folder / f"{name}.txt").write_text("\n".join(lines) + "\n")
    return folder


LISTS = {
    "enroll": ["A_B_0001", "A_B_0002", "A_B_0003", "C_0001", "C_0002", "C_0003"],
    "probe_known": ["A_B_0004", "C_0004"],
    "probe_unknown_o1": ["D_0002"],
    "probe_unknown_o2": ["E_0001", "F_0001"],
}
SOURCES = [f"{name.rpartition('_')[0]}/{name}.jpg" for each in LISTS.values() for name in each]


def test_open_set_lists_by_best_and_by_mean(tmp_path: Path) -> None:
    lists = OpenSetLists.read(write_lists(tmp_path / "open_set", LISTS), SOURCES)
    assert lists.enrolled.tolist() == list(range(6))
    assert lists.known.tolist() == [6, 7]
    assert {name: each.tolist() for name, each in lists.strangers.items()} == {
        "o1": [8],
        "o2": [9, 10],
        "o3": [8, 9, 10],
    }
    people = np.asarray([0, 0, 0, 1, 1, 1, 0, 1, 2, 3, 4])
    axes = np.eye(6, dtype=np.float32)
    # A's three pictures differ, and the probe is one of them; C's are one, and the probe is near it. The strangers of
    # O1 are far from all; one of O2 is nearer to C than C's own probe is.
    near, nearer = np.asarray([0, 0, 0, 0.9, 0.436, 0]), np.asarray([0, 0, 0, 0.95, 0, 0.312])
    rows = [axes[0], axes[1], axes[2], axes[3], axes[3], axes[3], axes[0], near, axes[5], nearer, axes[5]]
    templates = np.stack(rows).astype(np.float32)
    found = lists.estimates(templates, templates, people, np.ones((1, 5), np.int32))
    best = {name: each.metrics["dir_at_far_1e-2"] for name, each in found.items()}
    mean = {name: each.metrics["dir_at_far_1e-2_mean_template"] for name, each in found.items()}
    assert best == {"open_set_o1": 1.0, "open_set_o2": 0.5, "open_set_o3": 0.5}
    # The mean of A's three has a cosine of .577 to the probe: below the stranger's .95.
    assert mean == {"open_set_o1": 1.0, "open_set_o2": 0.0, "open_set_o3": 0.0}


def test_files_that_do_not_fit(tmp_path: Path) -> None:
    folder = write_lists(tmp_path / "open_set", LISTS)
    with pytest.raises(UserError, match=r"open_set: names 2 images that are not among the 9 of the set, as E_0001"):
        OpenSetLists.read(folder, SOURCES[:-2])
    (folder / "enroll.txt").unlink()
    with pytest.raises(UserError, match=r"enroll\.txt: cannot be read .*--config\.protocol_files=DIR"):
        OpenSetLists.read(folder, SOURCES)
    (tmp_path / blufr.FILE).write_bytes(b"not a matrix")
    with pytest.raises(UserError, match=r"blufr_lfw_config\.mat: not BLUFR's file"):
        blufr.read(tmp_path / blufr.FILE, SOURCES)


def test_blufrs_file_as_matlab_writes_it(tmp_path: Path) -> None:
    import scipy.io

    def cells(lists: list[list[int]]) -> np.ndarray:
        found = np.empty((len(lists), 1), object)
        found[:, 0] = [np.asarray(each, np.uint16)[:, None] for each in lists]
        return found

    names = np.empty((3, 1), object)
    names[:, 0] = ["C_0001.jpg", "A_B_0001.jpg", "A_B_0002.jpg"]  # not the order of the set
    content = {
        "imageList": names,
        "testIndex": cells([[1, 2, 3]]),
        "galIndex": cells([[2]]),
        "probIndex": cells([[1, 3]]),
    }
    scipy.io.savemat(tmp_path / blufr.FILE, content)
    (trial,) = blufr.read(tmp_path / blufr.FILE, SOURCES)
    assert (trial.test.tolist(), trial.gallery.tolist(), trial.probes.tolist()) == ([3, 0, 1], [0], [3, 1])
