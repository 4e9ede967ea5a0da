"""Words for numbers: names and meanings of the metrics, rounding, and when a difference may be called one.

The rule of the whole report: "better" and "worse" are said only where the 95 % interval of a paired difference
excludes zero; otherwise there is "no measurable difference".
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np

# Typographic signs, by name: in source they look like a hyphen.
MINUS = "\N{MINUS SIGN}"
DASH = "\N{EN DASH}"

PROTOCOLS = {
    "all_against_all": "Open-set identification",
    "searcher": "Good pictures enrolled",
    "all_against_all_centered": "Open-set identification, centered",
    "searcher_centered": "Good pictures enrolled, centered",
    "lfw": "Pairs",
    "lfw_searcher": "Pairs, second picture small",
    "blufr": "BLUFR",
    "blufr_searcher": "BLUFR, originals enrolled",
    "open_set_o1": "Open set O1",
    "open_set_o2": "Open set O2",
    "open_set_o3": "Open set O3",
    "image_quality": "Picture",
}

# Stands behind a method whose judge was in its loss.
TAUGHT = "†"
TAUGHT_RULE = f"{TAUGHT} this judge was part of its training, so that its word here is not independent"

# How a method's name is printed; any other name stands as it is.
_PRINTED_NAMES = {
    "none": "HR original",
    "raw": "raw LR (nearest)",
    "srresnet": "SRResNet",
    "srgan": "SRGAN",
    "esrgan": "ESRGAN",
    "edsr": "EDSR",
    "edsr_x2": "EDSR x2",
    "edsr_x3": "EDSR x3",
    "edsr_x4": "EDSR x4",
    "sface": "SFace",
    "dlib": "dlib",
    "identity": "Identity",
    "identity_x8": "Identity x8",
    "identity_x8_smoothed": "Identity x8, smoothed",
    "identity_footage": "Identity, footage",
    "initial": "Initial",
    "canny": "Canny",
    "canny_rgb": "Canny, RGB",
    "resnet50": "ResNet-50",
    "onnx": "ONNX",
}


class Verdict(Enum):
    """Verdict by the interval of a difference."""

    BETTER = "better"
    WORSE = "worse"
    NONE = "no measurable difference"
    UNKNOWN = "not measured"


@dataclass(frozen=True)
class Metric:
    """A metric's name and how to show it.

    Attributes:
      name: name in results.json.
      label: name in the report.
      kind: "rate" (a fraction, shown in per cent), "decibel", "similarity" (-1 to 1), "speed" or "count".
      higher_is_better: direction.
    """

    name: str
    label: str
    kind: str = "rate"
    higher_is_better: bool = True


_METRICS = {
    metric.name: metric
    for metric in (
        Metric("dir_at_far_1e-2", "DIR at FAR 1 %"),
        Metric("dir_at_far_1e-1", "DIR at FAR 10 %"),
        Metric("dir_at_far_1e-2_minus_sd", "the same less its deviation"),
        Metric("dir_at_far_1e-2_mean_template", "DIR at FAR 1 %, mean of three"),
        Metric("vr_at_far_1e-3", "VR at FAR 0.1 %"),
        Metric("vr_at_far_1e-3_minus_sd", "VR less its deviation"),
        Metric("rank1", "Rank-1"),
        Metric("dir_rank5", "DIR at EER, rank 5"),
        Metric("dir_rank15", "DIR at EER, rank 15"),
        Metric("accuracy", "Accuracy"),
        Metric("accuracy_se", "Standard error", higher_is_better=False),
        Metric("auc", "AUC"),
        Metric("eer", "EER", higher_is_better=False),
        Metric("tar_at_far_1e-2", "TAR at FAR 1 %"),
        Metric("tar_at_far_1e-3", "TAR at FAR 0.1 %"),
        Metric("grr", "GRR at EER"),
        Metric("far", "FAR at EER", higher_is_better=False),
        Metric("threshold", "Distance at EER", "similarity", higher_is_better=False),
        Metric("false_accepts", "False accepts", "count", higher_is_better=False),
        Metric("psnr", "PSNR", "decibel"),
        Metric("ssim", "SSIM", "similarity"),
        Metric("identity_cosine", "Identity cosine", "similarity"),
        Metric("images_per_second", "Images/s", "speed"),
    )
}


def metric(name: str) -> Metric:
    """The metric of that name; the suffix `_all` adds its denominator, an unknown name is shown as it is."""
    if name in _METRICS:
        return _METRICS[name]
    base = name.removesuffix("_all")
    if base in _METRICS:
        known = _METRICS[base]
        return Metric(name, f"{known.label}, of all", known.kind, known.higher_is_better)
    return Metric(name, name, "similarity")


def metric_order(names: Sequence[str]) -> list[str]:
    """Names in the order in which the report shows them, unknown ones last."""
    known = list(_METRICS)

    def place(name: str) -> tuple[int, int, str]:
        base = name.removesuffix("_all")
        return (known.index(base) if base in known else len(known), name != base, name)

    return sorted(names, key=place)


def printed(name: str | None) -> str:
    """The name of an upscaler or recognizer as text shows it."""
    return _PRINTED_NAMES.get(name or "", name or "")


def size(lr_size: int | None) -> str:
    """An LR size as text: "32 px"."""
    return "full size" if lr_size is None else f"{lr_size} px"


def number(value: Any) -> float | None:
    """A finite number, or None for what is missing (None, NaN, infinity, no number at all)."""
    if isinstance(value, bool) or value is None:
        return None
    try:
        value = float(value)
    except (TypeError, ValueError):
        return None
    return value if math.isfinite(value) else None


def numbers(values: Any, count: int) -> tuple[float, ...] | None:
    """`count` finite numbers of a list, tuple or array, or None if any is missing."""
    if not isinstance(values, Sequence | np.ndarray) or len(values) != count:
        return None
    found = tuple(value for value in map(number, values) if value is not None)
    return found if len(found) == count else None


def verdict(name: str, difference: Sequence[float] | None) -> Verdict:
    """Verdict by a paired difference (value, low, high) of the metric `name`.

    An interval that touches zero does not exclude it.
    """
    if difference is None:
        return Verdict.UNKNOWN
    _, low, high = difference
    if low <= 0.0 <= high:
        return Verdict.NONE
    return Verdict.BETTER if (low > 0.0) == metric(name).higher_is_better else Verdict.WORSE


def recovered_share(value: float, reference: float, original: float) -> float | None:
    """Share of the loss that a method wins back: (method - reference) / (original - reference).

    Args:
      value: the method's metric.
      reference: bicubic's.
      original: the metric on the originals (HR).

    Returns:
      0 for bicubic, 1 for HR, negative below bicubic; None where the reference lost nothing.
    """
    if original <= reference:
        return None
    return (value - reference) / (original - reference)


# From so many images on, a rate moves by less than .05 points with one of them.
_IMAGES_OF_TWO_DIGITS = 2000


def show(name: str, value: float | None, images: float | None = None) -> str:
    """A metric's value without unit, a dash for a missing one.

    Rates are in per cent, with two digits after the point where they are of enough images, or of a number unknown;
    with one otherwise.
    """
    if value is None:
        return DASH
    match metric(name).kind:
        case "rate":
            return f"{100 * value:.{1 if images is not None and images < _IMAGES_OF_TWO_DIGITS else 2}f}"
        case "decibel":
            return f"{value:.2f}"
        case "count":
            return f"{value:,.0f}"
        case "speed":
            return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"
        case _:
            return f"{value:.3f}"


def show_interval(name: str, interval: Sequence[float] | None) -> str:
    """An interval (low, high) in the metric's own unit: "[83.1, 85.6]"; "" for a missing one."""
    if interval is None:
        return ""
    low, high = (bound * _factor(name) for bound in interval)
    digits = _digits(name, low, high)
    return f"[{_signed(low, digits, plus=False)}, {_signed(high, digits, plus=False)}]"


def show_difference(name: str, difference: Sequence[float] | None, unit: bool = True) -> str:
    """A difference (value, low, high) with its interval: "+1.7 points [0.9, 2.4]".

    Digits grow until a bound that is not zero does not print as zero, so that the text never contradicts the verdict.
    """
    if difference is None:
        return DASH
    value, low, high = (part * _factor(name) for part in difference)
    digits = _digits(name, low, high)
    words = {"rate": " points", "decibel": " dB"}.get(metric(name).kind, "") if unit else ""
    bounds = f"[{_signed(low, digits, plus=False)}, {_signed(high, digits, plus=False)}]"
    return f"{_signed(value, digits)}{words} {bounds}"


def percent(share: float) -> str:
    """A share as a whole number of per cent."""
    return f"{_signed(100 * share, 0, plus=False)} %"


def joined(words: Sequence[str]) -> str:
    """Words as a list in a sentence: "a, b and c"."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else ""


def show_duration(seconds: float) -> str:
    """A duration: "42 s", "3 min 07 s", "2 h 05 min"."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def undetected_sentences(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """One sentence for each distinct count of undetected faces, with the largest number of images it was told of."""
    counts: dict[float, float] = {}
    for row in rows:
        undetected, images = number(row.get("undetected")), number(row.get("images"))
        if undetected is not None:
            counts[undetected] = max(counts.get(undetected, 0.0), images or 0.0)
    sentences = []
    for undetected, images in counts.items():
        of = f" of {images:,.0f} images" if images else ""
        if undetected:
            sentences.append(f"In {undetected:,.0f}{of} no face was found; they stay in, as the picture's center crop.")
        else:
            sentences.append(f"A face was found in every one{of}; nothing was left out.")
    return sentences


def _factor(name: str) -> float:
    return 100.0 if metric(name).kind == "rate" else 1.0


def _digits(name: str, low: float, high: float) -> int:
    """Digits after the point that keep the bounds apart from zero and from each other."""
    digits = {"rate": 1, "decibel": 2, "count": 0, "speed": 1}.get(metric(name).kind, 3)
    for _ in range(4):
        bounds_vanish = any(bound != 0 and round(bound, digits) == 0 for bound in (low, high))
        if not bounds_vanish and (low == high or round(low, digits) != round(high, digits)):
            break
        digits += 1
    return digits


def _signed(value: float, digits: int, plus: bool = True) -> str:
    """A number with a real minus sign, and without one where it rounds to zero."""
    rounded = round(value, digits)
    sign = MINUS if rounded < 0 else "+" if plus and rounded > 0 else ""
    return f"{sign}{abs(rounded):,.{digits}f}"
