"""Number of times that an upscaler is applied: the rules of the comparison protocol by hand."""

from dataclasses import dataclass, field

import cv2
import numpy as np
import pytest

from lowres_jax.super_resolution.upscaler import enlarge_to

pytestmark = pytest.mark.slow


@dataclass
class Repeater:
    """Enlarges by repeating pixels and notes the sides it was given."""

    scale: int
    given: list[int] = field(default_factory=list)

    def __call__(self, images: np.ndarray) -> np.ndarray:
        self.given.append(images.shape[1])
        return images.repeat(self.scale, axis=1).repeat(self.scale, axis=2)


@pytest.mark.parametrize(
    ("scale", "size", "given"),
    [
        (4, 32, [32]),
        (4, 16, [16]),  # 64, and another time would pass 128
        (4, 8, [8, 32]),
        (2, 8, [8, 16, 32, 64]),
        (3, 8, [8, 24]),  # 72, and another time would pass 128
        (8, 32, [32]),  # 256: reduced
        (1, 32, [32]),
    ],
)
def test_an_upscaler_is_applied_as_long_as_it_does_not_pass_the_size(scale: int, size: int, given: list[int]) -> None:
    image = np.random.default_rng(0).random((1, size, size, 3), np.float32)
    upscaler = Repeater(scale)
    found = enlarge_to(upscaler, image, 128)  # type: ignore[arg-type]
    assert upscaler.given == given
    side = size * scale ** len(given)
    repeated = image[0].repeat(side // size, 0).repeat(side // size, 1)
    kind = cv2.INTER_CUBIC if side < 128 else cv2.INTER_AREA
    expected = repeated if side == 128 else np.clip(cv2.resize(repeated, (128, 128), interpolation=kind), 0, 1)
    np.testing.assert_allclose(found[0], expected, atol=1e-6)
