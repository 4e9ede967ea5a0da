"""Tracks of made faces: boxes and templates by hand."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from lowres_jax.clips.tracking import Scenes, Track, Tracker, intersection_over_union
from lowres_jax.faces.reader import FaceView
from lowres_jax.localization.detector import Face


def template(person: int, other: int | None = None, share: float = 0.0) -> np.ndarray:
    """A unit vector of a person, or one that lies between two."""
    vector = np.zeros(8, np.float32)
    vector[person] = 1.0 - share
    if other is not None:
        vector[other] = share
    return vector / np.linalg.norm(vector)


def view(left: float, top: float = 100.0, side: float = 40.0, face: np.ndarray | None = None) -> FaceView:
    box = np.asarray([left, top, left + side, top + side], np.float32)
    return FaceView(Face(box, 0.99), 50, 48, template(0) if face is None else face)


def seen(tracker: Tracker, number: int, faces: Sequence[FaceView], cut: bool = False) -> list[int]:
    """Numbers of the tracks that the faces of a frame, five a second, are given to."""
    return [track.number for track in tracker.add(number, number / 5, faces, cut)]


def test_two_who_cross_keep_their_faces() -> None:
    tracker = Tracker()
    for number in range(11):
        one, other = view(20.0 * number, face=template(0)), view(200.0 - 20.0 * number, face=template(1))
        # Where they cross the boxes are the same: only the faces tell.
        assert seen(tracker, number, [one, other]) == [1, 2]
    assert [len(track.sightings) for track in tracker.tracks] == [11, 11]


def test_a_blurred_face_is_followed_by_its_place() -> None:
    tracker = Tracker()
    for number in range(6):
        # From frame 3 on it resembles somebody else as much as itself.
        face = template(0, 1, 0.5 if number >= 3 else 0.0)
        assert seen(tracker, number, [view(10.0 * number, face=face)]) == [1]


def test_somebody_else_in_the_same_place_is_a_track_of_its_own() -> None:
    tracker = Tracker()
    assert seen(tracker, 0, [view(10, face=template(0))]) == [1]
    assert seen(tracker, 1, [view(10, face=-template(0))]) == [2]


def test_who_leaves_for_longer_begins_anew() -> None:
    tracker = Tracker()
    assert seen(tracker, 0, [view(10)]) == [1]
    assert seen(tracker, 5, [view(10)]) == [1]  # a second later
    assert seen(tracker, 11, [view(10)]) == [2]  # 1.2 seconds later


def test_after_a_cut_the_place_counts_for_nothing() -> None:
    tracker = Tracker()
    assert seen(tracker, 0, [view(10, face=template(0)), view(200, face=template(1))]) == [1, 2]
    # At the first one's place now sits somebody a little like him; the second one is at another place.
    assert seen(tracker, 1, [view(10, face=template(0, 2, 0.7)), view(90, face=template(1))], cut=True) == [3, 2]


def test_a_cut_between_frames_without_faces_is_remembered() -> None:
    tracker = Tracker()
    assert seen(tracker, 0, [view(10, face=template(0, 3, 0.6))]) == [1]
    assert seen(tracker, 1, [], cut=True) == []
    # A face about as like as this one continues the track by its place, but not after a cut.
    assert seen(tracker, 2, [view(10, face=template(0, 4, 0.6))]) == [2]


def test_a_track_sums_up_its_faces() -> None:
    track, tracker = Track(1), Tracker()
    faces = [template(0), template(0, 1, 0.3), template(0, 2, 0.3)]
    for number, (left, quality) in enumerate([(0.0, 0.2), (10.0, 0.9), (20.0, 0.5)]):
        (track,) = tracker.add(
            5 * number, float(number) / 5, [replace(view(left, face=faces[number]), quality=quality)]
        )
    tracks = [each.number for each in tracker.tracks]
    assert tracks == [1]
    np.testing.assert_allclose(track.template, np.sum(faces, axis=0) / np.linalg.norm(np.sum(faces, axis=0)), rtol=1e-6)
    assert track.best is not None
    assert (track.best.frame, track.size, track.cut_size) == (5, 50, 48)
    np.testing.assert_allclose(track.box_at(0.2), [10, 100, 50, 140])
    # Between two sightings on a straight line; outside nowhere.
    box = track.box_at(0.28)
    assert box is not None
    np.testing.assert_allclose(box, [14, 100, 54, 140])
    assert track.box_at(0.44) is None


@pytest.mark.parametrize(("step", "tracks"), [(0.04, 3), (0.5, 1)])
def test_of_a_slow_clip_who_is_away_for_a_step_is_still_there(step: float, tracks: int) -> None:
    """Seen 1.2 s apart: for a clip of 25 frames a second that is gone, for one that is read twice a second not."""
    tracker = Tracker(step=step)
    for number in range(3):
        tracker.add(number, 1.2 * number, [view(10, face=template(0))])
    assert len(tracker.tracks) == tracks


def test_the_expected_place_follows_the_speed() -> None:
    tracker = Tracker()
    for number, left in enumerate((0.0, 10.0)):
        (track,) = tracker.add(number, number / 5, [view(left)])
    np.testing.assert_allclose(track.expected_box(2 / 5), [20, 100, 60, 140])
    # No further than one and a half faces.
    np.testing.assert_allclose(track.expected_box(10.0)[0], 10 + 60)


def test_cuts() -> None:
    scenes = Scenes()
    dark, light = np.full((36, 64, 3), 20, np.uint8), np.full((36, 64, 3), 120, np.uint8)
    assert [scenes.is_cut(each) for each in (dark, dark, light, light + 20)] == [False, False, True, False]


def test_overlap_by_hand() -> None:
    one, other = np.asarray([0, 0, 10, 10]), np.asarray([5, 0, 15, 10])
    assert intersection_over_union(one, other) == pytest.approx(50 / 150)
    assert intersection_over_union(one, one + 20) == 0.0
