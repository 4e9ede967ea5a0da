"""Tiles against whole pictures."""

import jax
import numpy as np
import pytest
import skimage.data

from lowres_jax.errors import UserError
from lowres_jax.pretrained import cards
from lowres_jax.super_resolution import edsr, tiling
from lowres_jax.super_resolution.upscaler import Upscaler, load_upscaler


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    return skimage.data.astronaut()[20:203, 120:325].astype(np.float32) / 255.0


class Recorder(Upscaler):
    """An upscaler that notes the shapes of the tiles it is called with; how many at once depends on the machine."""

    def __init__(self, upscaler: Upscaler):
        super().__init__(upscaler.card, upscaler.scale, upscaler._enlarge)
        self.shapes: set[tuple[int, ...]] = set()

    def __call__(self, images: np.ndarray) -> np.ndarray:
        self.shapes.add(images.shape[1:3])
        return super().__call__(images)


@pytest.fixture(scope="module")
def small_network() -> Upscaler:
    """An EDSR of one block and random weights, whose reach is 1 + 2 + 1 + 1 pixels."""
    module = edsr.Model(scale=2, blocks=1, features=8, tail="direct", residual_scale=1.0)
    variables = jax.tree.map(lambda leaf: leaf * 1.5, module.init(jax.random.key(3), np.zeros((1, 8, 8, 3))))
    card = cards.Card(
        name="small", summary="", module="super_resolution.edsr", license="", source="", weights={"file": "small"}
    )
    apply = jax.jit(module.apply)
    return Upscaler(card, 2, lambda images: np.asarray(apply(variables, images)))


@pytest.mark.parametrize("name", ["bilinear", "bicubic"])
@pytest.mark.parametrize(("tile", "overlap"), [(64, 8), (48, 16), (128, 64)])
def test_tiled_interpolation_is_the_whole_pictures(picture: np.ndarray, name: str, tile: int, overlap: int) -> None:
    upscaler = load_upscaler(name)
    whole = upscaler(picture[None])[0]
    np.testing.assert_allclose(tiling.upscale_tiled(upscaler, picture, tile, overlap), whole, atol=1e-5)


@pytest.mark.parametrize(("tile", "overlap"), [(48, 16), (64, 32)])
def test_tiles_that_reach_far_enough_are_the_whole_picture(
    picture: np.ndarray, small_network: Upscaler, tile: int, overlap: int
) -> None:
    whole = small_network(picture[None])[0]
    assert whole.std() > 0.05
    np.testing.assert_allclose(tiling.upscale_tiled(small_network, picture, tile, overlap), whole, atol=1e-5)


def test_tiles_without_overlap_do_show(picture: np.ndarray, small_network: Upscaler) -> None:
    """The comparison above can tell: without an overlap there are seams."""
    whole = small_network(picture[None])[0]
    assert np.abs(tiling.upscale_tiled(small_network, picture, 48, 0) - whole).max() > 0.02


def test_no_seam_where_the_network_reaches_further_than_the_overlap(picture: np.ndarray) -> None:
    """SRGAN reaches 40 pixels. At a seam the picture would step; its steps there are those of the whole picture's."""
    upscaler = load_upscaler("srgan")
    crop = picture[:64, :120]
    tiled, whole = tiling.upscale_tiled(upscaler, crop, 64, 24), upscaler(crop[None])[0]
    middles = [(left + right + 64) * 2 for left, right in zip([0, 28], [28, 56], strict=True)]
    assert tiling.tile_starts(120, 64, 24) == [0, 28, 56]
    for middle in middles:
        band = slice(middle - 16, middle + 16)
        steps, own_steps = (np.abs(np.diff(image[:, band], axis=1)) for image in (tiled, whole))
        assert steps.mean() == pytest.approx(own_steps.mean(), rel=0.02)
        assert steps.max() < own_steps.max() + 0.02
    assert np.abs(tiled - whole).mean() < 0.001


def test_one_shape_is_compiled_for_a_picture(small_network: Upscaler, picture: np.ndarray) -> None:
    recorder = Recorder(small_network)
    tiling.upscale_tiled(recorder, picture, 64, 16)
    assert recorder.shapes == {(64, 64)}


def test_a_very_long_picture_needs_a_small_shape_only(small_network: Upscaler) -> None:
    picture = np.random.default_rng(0).random((20, 20_000, 3), np.float32)
    recorder = Recorder(small_network)
    enlarged = tiling.upscale_tiled(recorder, picture, 128, 32)
    assert enlarged.shape == (40, 40_000, 3)
    assert recorder.shapes == {(32, 128)}
    part = small_network(picture[None, :, 9_900:10_100])[0]
    np.testing.assert_allclose(enlarged[:30, 19_830:20_170], part[:30, 30:-30], atol=1e-5)


def test_pictures_of_one_tile_go_together(picture: np.ndarray, small_network: Upscaler) -> None:
    recorder = Recorder(small_network)
    pictures = [picture[:30, :31], picture[:100, :70], picture[:32, :32], picture[:1, :1], picture[:17, :20]]
    enlarged = tiling.upscale_each(recorder, pictures, 64, 16)
    assert recorder.shapes == {(32, 32), (16, 16), (64, 48)}
    assert [image.shape[:2] for image in enlarged] == [(60, 62), (200, 140), (64, 64), (2, 2), (34, 40)]
    np.testing.assert_allclose(enlarged[2], small_network(pictures[2][None])[0], atol=1e-6)
    np.testing.assert_allclose(enlarged[1], small_network(pictures[1][None])[0], atol=1e-5)
    # Padding touches no more than the network's reach at the right and lower border.
    np.testing.assert_allclose(enlarged[0][:50, :50], small_network(pictures[0][None])[0][:50, :50], atol=1e-6)


def test_a_picture_little_longer_than_a_tile_goes_whole(picture: np.ndarray, small_network: Upscaler) -> None:
    """96 x 70 pixels are four tiles of 64 x 48, or one of 96 x 96."""
    recorder = Recorder(small_network)
    (enlarged,) = tiling.upscale_each(recorder, [picture[:96, :70]], 64, 16)
    assert recorder.shapes == {(96, 96)}
    np.testing.assert_allclose(enlarged[:, :-12], small_network(picture[None, :96, :70])[0][:, :-12], atol=1e-6)


@pytest.mark.parametrize(
    ("length", "side"), [(1, 16), (33, 48), (97, 128), (128, 128), (140, 96), (161, 112), (300, 128)]
)
def test_sides_by_hand(length: int, side: int) -> None:
    """140 pixels are two tiles of 96 that share more than 32; of longer ones all are 128."""
    assert tiling.tile_side(length, 128, 32) == side


def test_what_a_tile_lacks_is_filled_with_the_outermost_pixels() -> None:
    """An upscaler that looks far to the right and below meets the picture's own border there, not black."""
    card = cards.Card(name="shift", summary="", module="", license="", source="", weights={"file": "shift"})

    def shift(images: np.ndarray) -> np.ndarray:
        return np.pad(images, [(0, 0), (0, 8), (0, 8), (0, 0)], mode="edge")[:, 8:, 8:].repeat(2, 1).repeat(2, 2)

    picture = np.random.default_rng(0).random((20, 21, 3), np.float32)
    expected = shift(picture[None])[0]
    np.testing.assert_array_equal(tiling.upscale_tiled(Upscaler(card, 2, shift), picture, 64, 16), expected)
    np.testing.assert_array_equal(tiling.upscale_each(Upscaler(card, 2, shift), [picture], 64, 16)[0], expected)


def test_starts_by_hand() -> None:
    assert tiling.tile_starts(50, 64, 16) == [0]
    assert tiling.tile_starts(64, 64, 16) == [0]
    assert tiling.tile_starts(65, 64, 16) == [0, 1]
    assert tiling.tile_starts(160, 64, 16) == [0, 48, 96]


def test_weights_by_hand() -> None:
    # Tiles 0..7 and 4..11 share 4..7, of which the middle 5.5..6.5 (a quarter of the overlap) fades at x2.
    weights = tiling.tile_weights([0, 4], 8, 4, 2)
    np.testing.assert_allclose(weights[0], [1] * 11 + [0.75, 0.25] + [0] * 3)
    np.testing.assert_allclose(weights[1], [0] * 3 + [0.25, 0.75] + [1] * 11)


@pytest.mark.parametrize(("length", "tile", "overlap"), [(65, 64, 32), (130, 64, 32), (97, 64, 30), (300, 48, 0)])
def test_weights_sum_to_one(length: int, tile: int, overlap: int) -> None:
    starts = tiling.tile_starts(length, tile, overlap)
    total = np.zeros(length * 3)
    for start, weights in zip(starts, tiling.tile_weights(starts, tile, overlap, 3), strict=True):
        assert weights.min() >= 0
        total[start * 3 : (start + tile) * 3] += weights
    np.testing.assert_allclose(total, 1.0, atol=1e-6)


@pytest.mark.parametrize(("tile", "overlap"), [(8, 0), (64, 33), (64, -1)])
def test_impossible_tiles(picture: np.ndarray, tile: int, overlap: int) -> None:
    with pytest.raises(UserError, match=f"tiles of {tile} pixels that share {overlap}"):
        tiling.upscale_tiled(load_upscaler("bilinear"), picture, tile, overlap)
