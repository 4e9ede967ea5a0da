"""Videos searched among stills, by hand."""

import numpy as np
import pytest
import video_search
from video_search import Averaged, Videos

from lowres_jax.evaluation import bootstrap, identification

E = np.eye(4, dtype=np.float32)


def test_frames_are_grouped_by_video() -> None:
    videos = Videos.of(
        np.asarray([0, 0, 1, 0, 1]), ["a/0", "a/0", "b/0", "a/1", "b/0"], np.asarray([True, True, True, True, False])
    )
    assert [own.tolist() for own in videos.frames] == [[0, 1], [2], [3]]
    assert videos.labels.tolist() == [0, 1, 0]
    assert [own.tolist() for own in videos.first(1).frames] == [[0], [2], [3]]
    assert videos.single().labels.tolist() == [0, 0, 1, 0]


def test_ways_to_one_answer_by_hand() -> None:
    videos = Videos(np.asarray([0]), [np.asarray([0, 1, 2])])
    templates = np.stack([E[0], E[0], E[1]])
    np.testing.assert_allclose(video_search.mean(templates, videos), [[2 / 5**0.5, 1 / 5**0.5, 0, 0]], rtol=1e-6)
    # Person 0 has two votes of three, person 1 one.
    found = video_search.voted(templates, videos, E[:3], np.arange(3))
    assert found.rank.tolist() == [1]
    votes, mean = 2 / 3, 2 / 3
    assert found.mated_distance[0] == pytest.approx(1 - (votes + (mean + 1) / 12) / 2, abs=1e-5)
    votes, mean = 1 / 3, 1 / 3
    assert found.impostor_distance[0] == pytest.approx(1 - (votes + (mean + 1) / 12) / 2, abs=1e-5)


def test_one_vote_more_counts_more_than_any_likeness() -> None:
    videos = Videos(np.asarray([0]), [np.asarray([0, 1, 2])])
    # Two frames are a hair nearer to person 0, the third is person 1's very picture.
    near = np.asarray([0.71, 0.70, 0.0, 0.0], np.float32)
    templates = np.stack([near, near, E[1]])
    assert video_search.voted(templates, videos, E[:2], np.arange(2)).rank.tolist() == [1]
    assert identification.enrolled_search(
        video_search.mean(templates, videos), videos.labels, E[:2], np.arange(2)
    ).rank.tolist() == [2]


def test_who_is_enrolled_twice_is_found_by_either_and_is_no_stranger() -> None:
    similarity = np.asarray([[0.2, 0.9, 0.5]])
    found = identification.search_statistics(similarity, np.asarray([7]), np.asarray([7, 7, 8]))
    assert found.mated_distance[0] == pytest.approx(0.1, abs=1e-6)
    assert found.impostor_distance[0] == pytest.approx(0.5, abs=1e-6)
    assert found.rank.tolist() == [1]


def test_rates_by_hand() -> None:
    """200 searches: FAR 1 % allows two strangers, the third nearest one is at .3."""
    impostor = np.concatenate([[0.1, 0.2, 0.3], np.full(197, 0.9)])
    mated = np.concatenate([np.full(120, 0.25), np.full(80, 0.35)])
    rank = np.ones(200, int)
    rank[:20] = 2
    statistics = identification.ProbeStatistics(mated, impostor, rank)
    labels = np.arange(200) // 2
    draws = bootstrap.draw_counts(100, 50, 0)
    found = video_search.estimate(statistics, labels, draws)
    assert found.metrics == {"dir_at_far_1e-2": pytest.approx(100 / 200), "rank1": pytest.approx(180 / 200)}
    # Everybody once is the data as they are.
    once = video_search.estimate(statistics, labels, np.ones((1, 100), np.int32))
    assert once.samples["dir_at_far_1e-2"].tolist() == [pytest.approx(0.5)]
    assert once.samples["rank1"].tolist() == [pytest.approx(0.9)]


def test_pixels_are_averaged_per_video() -> None:
    class Source:
        def crops(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            return np.stack([np.full((2, 2, 3), 10 * each, np.uint8) for each in positions]), positions

        def digest(self) -> str:
            return "made"

    averaged = Averaged(Source(), Videos(np.asarray([0, 1]), [np.asarray([1, 2]), np.asarray([4])]))
    assert len(averaged) == 2
    assert averaged[0]["image"].mean() == 15.0
    assert averaged[1]["image"].mean() == 40.0
