"""Enlarged clips: places smoothed, neighbors averaged, each face by the upscaler for its size."""

from collections.abc import Iterator

import numpy as np
import pytest

from lowres_jax.clips.enlarging import Path2D, enlarged_crops, path_of
from lowres_jax.clips.reading import Frame
from lowres_jax.clips.tracking import Sighting, Track
from lowres_jax.faces.reader import FaceView
from lowres_jax.localization import align
from lowres_jax.localization.detector import Face
from lowres_jax.super_resolution.upscaler import load_upscaler_by_size

IDENTITY = np.asarray([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])


def track(lefts: list[float], every: int = 2) -> Track:
    """A face of 40 pixels that is seen in every so manieth frame."""
    made = Track(1)
    for number, left in enumerate(lefts):
        box = np.asarray([left, 50, left + 40, 90], np.float32)
        view = FaceView(Face(box, 0.9), 48, 48, np.ones(1, np.float32))
        made.add(Sighting(number * every, number * every / 25, view))
    return made


def test_between_two_frames_looked_at_the_place_lies_between() -> None:
    path = path_of(track([10.0, 20.0]), (200, 300), 25.0, smooth=False)
    ends = [align.crop_transform(Face(np.asarray([left, 50, left + 40, 90]), 1.0), (200, 300), 48) for left in (10, 20)]
    assert (path.seconds[0], path.size, len(path.matrices)) == (0.0, 48, 3)
    np.testing.assert_allclose(path.at(0.0), ends[0])
    np.testing.assert_allclose(path.at(0.08), ends[1])
    # By the time, however the frames lie in it.
    np.testing.assert_allclose(path.at(0.04), (ends[0] + ends[1]) / 2)
    np.testing.assert_allclose(path.at(0.02), 0.75 * ends[0] + 0.25 * ends[1])
    assert path.at(0.09) is None
    assert path.at(-0.01) is None


def test_a_trembling_place_is_steadied_and_a_still_one_stays() -> None:
    still = path_of(track([10.0] * 20), (200, 300), 25.0)
    np.testing.assert_allclose(still.matrices, np.broadcast_to(still.matrices[0], still.matrices.shape), atol=1e-9)
    trembling = track([10.0 + number % 2 for number in range(20)])
    rough, smooth = (path_of(trembling, (200, 300), 25.0, smooth=each).matrices[8:-8, 0, 2] for each in (False, True))
    assert rough.std() > 0.3
    assert smooth.std() < 0.1 * rough.std()


def frames(levels: list[float]) -> Iterator[Frame]:
    for number, level in enumerate(levels):
        yield Frame(number, number / 25, np.full((16, 16, 3), level, np.uint8))


@pytest.mark.parametrize(("neighbors", "levels"), [(0.0, [40, 80, 200, 40]), (0.25, [50, 100, 130, 80])])
def test_neighbors_are_averaged_by_hand(neighbors: float, levels: list[float]) -> None:
    """.25 of the frame before, .5 of its own, .25 of the one after; at an end the frame's own share is .75."""
    path = Path2D(np.arange(4) / 25, np.stack([IDENTITY] * 4), 16)
    upscalers = load_upscaler_by_size(["bicubic"])
    made = list(enlarged_crops(frames([40, 80, 200, 40]), [path], upscalers, 128, 32, neighbors))
    assert [frame.number for frame, _ in made] == [0, 1, 2, 3]
    assert [crops[0].shape for _, crops in made] == [(64, 64, 3)] * 4
    np.testing.assert_allclose([255 * crops[0].mean() for _, crops in made], levels, atol=1e-3)


def test_a_face_is_there_as_long_as_its_track() -> None:
    path = Path2D(np.asarray([1, 2]) / 25, np.stack([IDENTITY] * 2), 16)
    made = list(enlarged_crops(frames([10] * 11), [path], load_upscaler_by_size(["bicubic"]), 128, 32))
    assert [list(crops) for _, crops in made] == [[], [0], [0], *[[]] * 8]
