"""Low-resolution images from high-resolution ones: the protocol's plain reduction, and what real footage does besides.

Real cameras blur, are noisy and compress. The order is that of the classical model, y = JPEG((x * k) reduced + n):
Zhang et al., "Designing a Practical Degradation Model for Deep Blind Image Super-Resolution", arXiv:2103.14006.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, Shaped
from ml_collections import ConfigDict

from lowres_jax import config_keys
from lowres_jax.config_keys import Key
from lowres_jax.data import resize
from lowres_jax.errors import UserError


def low_resolution(crops: Shaped[np.ndarray, "B H W 3"], size: int) -> np.ndarray:
    """The LR images of the protocol: antialiased area downscale of (B, H, W, 3) crops to (B, size, size, 3)."""
    return np.stack([resize.downscale_area(crop, size, size) for crop in crops])


KEYS = {
    "blur": Key(
        (0.0, 0.0), "Bounds of the Gaussian kernel's standard deviation, in LR pixels.", least=0, most=100, length=2
    ),
    "anisotropic": Key(False, "Draw the kernel's two axes separately, and its direction."),
    "noise": Key(
        (0.0, 0.0),
        "Bounds of the standard deviation of white noise, on the scale of 0 to 255.",
        least=0,
        most=255,
        length=2,
    ),
    "jpeg": Key((0, 0), "Bounds of the JPEG quality; 0,0: not compressed.", least=0, most=100, length=2),
}


def default_config() -> ConfigDict:
    """The keys of a degradation, with values that degrade nothing: the plain reduction. See `Degradation`."""
    return config_keys.new(KEYS)


def footage() -> ConfigDict:
    """Degradation by cheap cameras and their recorders: some blur, visible noise, strong compression."""
    return ConfigDict({"blur": (0.3, 0.9), "anisotropic": True, "noise": (2.0, 8.0), "jpeg": (40, 80)})


@dataclass(frozen=True)
class Degradation:
    """Degradation of a crop on its way to low resolution; each strength is drawn evenly between two bounds.

    Attributes:
      blur: standard deviation of the Gaussian kernel, in pixels of the LR image (so that it means the same at every
        scale); (0, 0): none.
      anisotropic: draws the kernel's two axes apart, and its direction.
      noise: standard deviation of white Gaussian noise on the 0-255 scale, each channel for itself.
      jpeg: quality, from 1 to 100; (0, 0): not compressed.
    """

    blur: tuple[float, float] = (0.0, 0.0)
    anisotropic: bool = False
    noise: tuple[float, float] = (0.0, 0.0)
    jpeg: tuple[int, int] = (0, 0)

    def __post_init__(self) -> None:
        for name, limit in (("blur", 100.0), ("noise", 255.0), ("jpeg", 100)):
            low, high = getattr(self, name)
            if not 0 <= low <= high <= limit or (name == "jpeg" and high and low < 1):
                raise UserError(f"config.degradation.{name}={(low, high)}: must be two rising bounds up to {limit:g}")

    @classmethod
    def of(cls, config: ConfigDict) -> "Degradation":
        """From the keys of a config that are named as the attributes.

        Raises:
          UserError: bounds that cannot be.
        """
        return cls(tuple(config.blur), config.anisotropic, tuple(config.noise), tuple(config.jpeg))

    @property
    def plain(self) -> bool:
        """True if it is the plain reduction."""
        return not (self.blur[1] or self.noise[1] or self.jpeg[1])

    @property
    def described(self) -> str:
        """In words: "blur 0.3-0.9 px, noise 2-8 of 255, JPEG 40-80"; "" for the plain reduction."""
        axes = " along each axis" if self.anisotropic else ""
        parts = [f"blur {_span(self.blur)} px{axes}"] if self.blur[1] else []
        parts += [f"noise {_span(self.noise)} of 255"] if self.noise[1] else []
        parts += [f"JPEG {_span(self.jpeg)}"] if self.jpeg[1] else []
        return ", ".join(parts)

    def reduced(
        self, crops: Float[np.ndarray, "B H H 3"], size: int, numbers: Sequence[int] | np.ndarray
    ) -> Float[np.ndarray, "B size size 3"]:
        """The LR images of numbered crops: an image's luck follows from its number and the size, whatever is beside it.

        Args:
          crops: (B, H, H, 3) float32 RGB in [0, 1].
          size: side of the result in pixels.
          numbers: (B,) of each crop in its set, from 0.

        Returns:
          (B, size, size, 3) float32 RGB in [0, 1].
        """
        if self.plain:
            return low_resolution(crops, size)
        luck = [np.random.default_rng((size, int(number))) for number in numbers]
        return np.stack([self.apply(crop, size, own) for crop, own in zip(crops, luck, strict=True)])

    def apply(
        self, crop: Float[np.ndarray, "H H 3"], size: int, generator: np.random.Generator
    ) -> Float[np.ndarray, "size size 3"]:
        """Degrades one crop.

        Args:
          crop: (H, H, 3) float32 RGB in [0, 1].
          size: side of the result in pixels.
          generator: draws all that is random; the same state gives the same result.

        Returns:
          (size, size, 3) float32 RGB in [0, 1].
        """
        image = np.asarray(crop, np.float32)
        # All draws are made, whatever is used, so that one strength does not change the others' luck.
        sigma, second, angle = generator.uniform(*self.blur), generator.uniform(*self.blur), generator.uniform(0, np.pi)
        strength, quality = generator.uniform(*self.noise), round(generator.uniform(*self.jpeg))
        if self.blur[1]:
            ratio = crop.shape[0] / size
            kernel = gaussian_kernel(sigma * ratio, (second if self.anisotropic else sigma) * ratio, angle)
            image = np.asarray(cv2.filter2D(image, -1, kernel, borderType=cv2.BORDER_REPLICATE), np.float32)
        image = resize.downscale_area(image, size, size)
        if self.noise[1]:
            image = image + generator.normal(0.0, strength / 255.0, image.shape).astype(np.float32)
        image = np.clip(image, 0.0, 1.0)
        if self.jpeg[1]:
            content = np.rint(image[..., ::-1] * 255.0).astype(np.uint8)
            _, encoded = cv2.imencode(".jpg", content, [cv2.IMWRITE_JPEG_QUALITY, quality])
            decoded = np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR))
            image = decoded[..., ::-1].astype(np.float32) / np.float32(255.0)
        return np.ascontiguousarray(image, np.float32)


def _span(bounds: tuple[float, float]) -> str:
    low, high = bounds
    return f"{low:g}" if low == high else f"{low:g}-{high:g}"


def gaussian_kernel(first: float, second: float, angle: float) -> Float[np.ndarray, "side side"]:
    """A Gaussian blur kernel, sum 1, odd side, reaching three standard deviations.

    Args:
      first: standard deviation along the direction of `angle`, in pixels.
      second: across it.
      angle: angle in radians from the x axis.

    Returns:
      (side, side) float32.
    """
    first, second = max(first, 1e-3), max(second, 1e-3)
    reach = max(1, int(np.ceil(3 * max(first, second))))
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    kernel = np.exp(-0.5 * ((along / first) ** 2 + (across / second) ** 2))
    return (kernel / kernel.sum()).astype(np.float32)
