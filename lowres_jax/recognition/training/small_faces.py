"""Small faces as a search gets them, for a recognizer that learns to read them: reduced, cut, enlarged."""

from typing import Any

import cv2
import numpy as np
from jaxtyping import Float, Shaped, UInt8
from ml_collections import ConfigDict

from lowres_jax.data import resize
from lowres_jax.data.degradations import Degradation, low_resolution
from lowres_jax.super_resolution.upscaler import UpscalerBySize, enlarge_to, load_upscaler, load_upscaler_by_size

# An eye that knows one interpolation only loses by the others.
_REDUCTIONS = (cv2.INTER_AREA, cv2.INTER_CUBIC, cv2.INTER_LINEAR)
_SHIFT, _ZOOM = 2.0, 0.05  # pixels of the crop, share of its side


class SmallFaceTransform:
    """The transform that `data.pipeline` applies to each crop, and the host to each batch.

    Rows hold low (L, L, 3) uint8 RGB, the small face in its first `side` rows and columns; side () int32; by_model ()
    bool, whether a model enlarges it or bicubic; others () bool, whether it is compared with the person's other
    pictures instead of its own original.
    """

    can_stay_on_devices = False

    def __init__(self, config: ConfigDict):
        """Reads `size`, `flip`, `small_faces`, `degradation` and `losses.enrolled` of a training's config.

        Raises:
          UserError: an upscaler is unknown, or its weights are missing.
        """
        settings = config.small_faces
        self._size, self._flip = config.size, config.flip
        self._least, self._most = settings.native
        self._sides = np.asarray(sorted(settings.sides))
        self._by_model, self._degraded = settings.by_model, settings.degraded
        self._degradation = Degradation.of(config.degradation)
        self._others = config.losses.enrolled.others
        self._upscalers: UpscalerBySize = load_upscaler_by_size(settings.upscalers)
        self._bicubic = load_upscaler("bicubic")

    def __call__(self, crop: UInt8[np.ndarray, "S S 3"], generator: np.random.Generator) -> dict[str, np.ndarray]:
        """A crop (S, S, 3) uint8 RGB -> a row."""
        # All is drawn, whatever is used: a switch changes nothing but what it names.
        mirrored, by_model, degraded, others = generator.random(4)
        native = round(float(np.exp(generator.uniform(np.log(self._least), np.log(self._most)))))
        reduction = int(generator.choice(_REDUCTIONS))
        shift, zoom = generator.uniform(-_SHIFT, _SHIFT, 2), generator.uniform(1 - _ZOOM, 1 + _ZOOM)
        side = self.side(native)
        image = crop[:, ::-1] if self._flip and mirrored < 0.5 else crop
        low = self.reduced(_moved(image, shift, zoom), native, side, reduction, degraded < self._degraded, generator)
        padded = np.zeros((int(self._sides[-1]),) * 2 + (3,), np.uint8)
        padded[:side, :side] = np.rint(low * 255.0)
        return {
            "low": padded,
            "side": np.asarray(side, np.int32),
            "by_model": np.asarray(by_model < self._by_model),
            "others": np.asarray(others < self._others),
        }

    def side(self, native: int) -> int:
        """The side at which a face of `native` pixels is cut, as `faces.reader` does: the nearest in ratio."""
        return int(self._sides[np.abs(np.log(self._sides / native)).argmin()])

    def reduced(
        self,
        crop: UInt8[np.ndarray, "S S 3"],
        native: int,
        side: int,
        reduction: int,
        degraded: bool,
        generator: np.random.Generator,
    ) -> Shaped[np.ndarray, "side side 3"]:
        """A crop (S, S, 3) uint8 as small as it would be in a photograph, and cut: (side, side, 3) in [0, 1]."""
        image = crop.astype(np.float32) / np.float32(255.0)
        if degraded:
            small = self._degradation.apply(image, native, generator)
        else:
            small = cv2.resize(image, (native, native), interpolation=reduction)
        if native != side:
            small = cv2.resize(small, (side, side), interpolation=cv2.INTER_LINEAR)
        return np.clip(small, 0.0, 1.0)

    def small(self, crops: Float[np.ndarray, "B S S 3"], size: int) -> Float[np.ndarray, "B size size 3"]:
        """Small faces to judge by: as they are, and every second one degraded where the training has such.

        Args:
          crops: (B, S, S, 3) float32 in [0, 1].
          size: side in pixels.

        Returns:
          (B, size, size, 3) float32 in [0, 1].
        """
        found = np.array(low_resolution(crops, size))
        if self._degraded:
            found[1::2] = self._degradation.reduced(crops[1::2], size, range(len(crops[1::2])))
        return found

    def finished(self, batch: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """A batch of rows -> image (B, size, size, 3) uint8, enlarged as a search does; others, and what was there."""
        sides, by_model = batch["side"], batch["by_model"]
        images = np.zeros((len(sides), self._size, self._size, 3), np.uint8)
        for side, model in sorted(set(zip(sides.tolist(), by_model.tolist(), strict=True))):
            chosen = np.flatnonzero((sides == side) & (by_model == model))
            low = batch["low"][chosen, :side, :side].astype(np.float32) / np.float32(255.0)
            images[chosen] = self.enlarged(low, model)
        kept = {name: each for name, each in batch.items() if name not in ("low", "side", "by_model")}
        return kept | {"image": images}

    def enlarged(self, low: Shaped[np.ndarray, "B side side 3"], by_model: bool) -> UInt8[np.ndarray, "B size size 3"]:
        """Small faces (B, side, side, 3) in [0, 1] -> (B, size, size, 3) uint8."""
        upscaler = self._upscalers.of(low.shape[1]) if by_model else self._bicubic
        return np.rint(resize.fit(enlarge_to(upscaler, low, 128), self._size) * 255.0).astype(np.uint8)


def _moved(crop: np.ndarray, shift: np.ndarray, zoom: float) -> np.ndarray:
    """A crop shifted by some pixels and zoomed about its middle, as another detection would have it."""
    middle = (crop.shape[0] - 1) / 2
    matrix: Any = np.asarray([[zoom, 0, middle * (1 - zoom) + shift[0]], [0, zoom, middle * (1 - zoom) + shift[1]]])
    return np.asarray(
        cv2.warpAffine(np.ascontiguousarray(crop), matrix, crop.shape[1::-1], borderMode=cv2.BORDER_REPLICATE)
    )
