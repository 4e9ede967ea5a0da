"""Input of the report of a comparison."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from lowres_jax.evaluation.comparison import Curve
from lowres_jax.report.comparison.judges import Published


@dataclass(frozen=True)
class GridFace:
    """One person's row in the picture grid of one LR size. Images are float32 RGB in [0, 1], H x W x 3."""

    name: str
    lr_size: int
    low_resolution: np.ndarray
    high_resolution: np.ndarray
    upscaled: Mapping[str, np.ndarray]


@dataclass(frozen=True)
class TurnedPair:
    """A pair on which a method and the reference (bicubic) decide differently.

    Attributes:
      upscaler: the method.
      lr_size: side of the low-resolution images in pixels.
      recognizer: name of the recognizer.
      outcome: "right" where the method is right and the reference wrong, "wrong" the other way round.
      same: true if the two pictures really show one person.
      names: people on the first and the second picture.
      images: the two pictures as the method gave them to the recognizer, float32 RGB in [0, 1].
      reference_images: the two as the reference gave them.
      score: cosine similarity under the method.
      threshold: the method's threshold on this pair's fold.
      reference_score: cosine similarity under the reference.
      reference_threshold: the reference's threshold on this pair's fold.
      reference: name of the reference.
      original_images: the two originals (HR), if they are to be shown.
    """

    upscaler: str
    lr_size: int
    recognizer: str
    outcome: Literal["right", "wrong"]
    same: bool
    names: tuple[str, str]
    images: tuple[np.ndarray, np.ndarray]
    reference_images: tuple[np.ndarray, np.ndarray]
    score: float
    threshold: float
    reference_score: float
    reference_threshold: float
    reference: str = "bicubic"
    original_images: tuple[np.ndarray, np.ndarray] | None = None


@dataclass(frozen=True)
class ReportData:
    """Everything the report shows; only `results` is needed.

    Attributes:
      results: content of results.json (docs: protocols, `results.json`). Rows of upscaler "none" stand for every LR
        size, whatever their `lr_size`. `false_accepts` is a count: of impostor pairs (protocol "lfw") or of searches
        for people who are not enrolled (protocol "all_against_all", out of the row's `images`).
      title: headline of the page.
      curves: see `Curve`.
      grid: see `GridFace`.
      turned: see `TurnedPair`.
      detector_gallery: PNG file content, or None.
      detector_caption: caption of the gallery.
      quality_space: color space and border of PSNR and SSIM, written beside the numbers.
      false_accept_rule: threshold at which `false_accepts` was counted, completing "counted at ...".
      licenses: name of a model or set -> its license and source, in words.
      notes: remarks on the data and the run, one sentence each (subset of folds, synthetic pairs, ...).
      published: published figures of other recognizers on the same images.
      command: command line that made the report.
      duration: duration of the run in seconds.
    """

    results: Mapping[str, Any]
    title: str = "Does super-resolution help face recognition?"
    curves: Sequence[Curve] = ()
    grid: Sequence[GridFace] = ()
    turned: Sequence[TurnedPair] = ()
    detector_gallery: bytes | None = None
    detector_caption: str = ""
    quality_space: str = "RGB, no border cut"
    false_accept_rule: str = "the threshold at which the HR originals give a false accept rate of 1 %"
    licenses: Mapping[str, str] | None = None
    notes: Sequence[str] = ()
    published: Sequence[Published] = ()
    command: str = ""
    duration: float | None = None
