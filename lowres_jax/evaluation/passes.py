"""All passes of a comparison: which methods there are, what of them is kept, and how long the rest will take."""

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Shaped
from ml_collections import ConfigDict
from tqdm import tqdm

from lowres_jax import __version__
from lowres_jax.data.degradations import Degradation
from lowres_jax.errors import UserError
from lowres_jax.evaluation.measurement import NONE, PLAIN, RAW, MeasuredSet, Measurement, Method, fingerprint, measure
from lowres_jax.localization.align import CROP_SIZE
from lowres_jax.pretrained import cards
from lowres_jax.recognition import onnx_model
from lowres_jax.recognition.recognizer import Recognizer
from lowres_jax.runtime import configuration
from lowres_jax.super_resolution.upscaler import Upscaler
from lowres_jax.utils.files import try_folder

# Raised when a measurement means something else than before, lest kept ones be taken for it.
_MEASUREMENT_VERSION = 2
# What takes as long as recognizing an image, in an upscaler: for the estimate of the time left.
_MULTIPLICATIONS_OF_RECOGNITION = 8e8

# Method -> recognizer -> what it left.
Measurements = dict[Method, dict[str, Measurement]]


def planned_methods(entries: Sequence[str], lr_sizes: Sequence[int]) -> list[Method]:
    """All methods: the originals, then at each LR size the upscalers in their order, and the raw image.

    Args:
      entries: `config.upscalers`: names of cards, as "edsr" or "edsr@32+16".
      lr_sizes: `config.lr_sizes`.

    Raises:
      UserError: an upscaler's name that cannot be, or one at a size that is not compared.
    """
    sizes_of: dict[str, list[int]] = {}
    valid = cards.names("super_resolution")
    for entry in entries:
        name, at, sizes = entry.partition("@")
        if name not in valid:
            raise UserError(f"config.upscalers: {name!r}: no such upscaler; {configuration.nearest(name, valid)}")
        own = sizes.split("+") if at else [str(size) for size in lr_sizes]
        wrong = [size for size in own if size not in map(str, lr_sizes)]
        if wrong:
            said = f"{wrong[0]} is not among config.lr_sizes {lr_sizes}" if wrong[0] else "names no size after the @"
            raise UserError(f"config.upscalers: {entry}: {said}")
        sizes_of.setdefault(name, []).extend(int(size) for size in own)
    methods = [Method(CROP_SIZE, NONE)]
    for size in dict.fromkeys(lr_sizes):
        methods += [Method(size, name) for name, sizes in sizes_of.items() if size in sizes]
        methods.append(Method(size, RAW))
    return methods


def measure_all(
    source: MeasuredSet,
    images: Shaped[np.ndarray, " n"],
    folder: Path,
    methods: Sequence[Method],
    upscalers: Mapping[str, Upscaler],
    recognizers: Mapping[str, Recognizer],
    degradation: Degradation = PLAIN,
    batch_size: int = 32,
    flip_sum: bool = False,
    onnx: ConfigDict | None = None,
) -> Measurements:
    """Measures what is not kept already, and shows how long all of it will take.

    Args:
      source: prepared crops of 128x128.
      images: (n,) positions to measure.
      folder: folder of the kept measurements of this set.
      methods: ways to reduce and enlarge the crops.
      upscalers: upscalers by name, all that the methods name.
      recognizers: recognizers by name.
      degradation: degradation of a crop on its way to low resolution.
      batch_size: images at a time.
      flip_sum: true if the recognizers sum over mirrors, see `load_recognizer`.
      onnx: settings of the recognizer "onnx", if it is among them.
    """
    try_folder(folder)
    digest = source.digest()
    found: Measurements = {}
    for method in methods:
        name = NONE if method.upscaler == NONE else f"{method.upscaler}_{method.lr_size}"
        if method.upscaler != NONE and not degradation.plain:
            # The originals are the same, whatever becomes of the small ones.
            name = f"{name}_{fingerprint(degradation)[:8]}"
        found[method] = {
            recognizer: Measurement(
                folder / recognizer / f"{name}.npz",
                fingerprint(
                    _MEASUREMENT_VERSION,
                    __version__,
                    digest,
                    name,
                    _model(method.upscaler, "super_resolution"),
                    onnx_model.identity(onnx)
                    if recognizer == onnx_model.NAME and onnx is not None
                    else _model(recognizer, "recognition"),
                    flip_sum,
                ),
                len(source),
                recognizers[recognizer].dimension,
            )
            for recognizer in recognizers
        }
    missing = {
        method: images[~np.all([each.done[images] for each in own.values()], axis=0)] for method, own in found.items()
    }
    planned = [method for method in methods if len(missing[method])]
    work = {method: _work(method, upscalers.get(method.upscaler)) for method in planned}
    total = sum(len(missing[method]) * work[method] for method in planned)
    bar = "{desc} {percentage:3.0f}%|{bar}| {elapsed}, {remaining} left"

    def advance(method: Method, images: int) -> None:
        progress.update(images * work[method])

    with tqdm(total=total, bar_format=bar, smoothing=0.05, dynamic_ncols=True, disable=not planned) as progress:
        for number, method in enumerate(planned, start=1):
            progress.set_description_str(f"{number}/{len(planned)} {method}, {len(missing[method]):,} images")
            measure(
                method,
                source,
                missing[method],
                upscalers.get(method.upscaler),
                recognizers,
                found[method],
                batch_size,
                functools.partial(advance, method),
                degradation,
            )
    return found


def _work(method: Method, upscaler: Upscaler | None) -> int:
    """Roughly how long an image takes, in tenths of recognizing one, so that the time left means something.

    A convolutional network multiplies each parameter about once for each pixel of the LR image.
    """
    if upscaler is None or not upscaler.card.weights:
        return 10
    image = jax.ShapeDtypeStruct((1, method.lr_size, method.lr_size, 3), jnp.float32)
    variables = jax.eval_shape(cards.build_module(upscaler.card).init, jax.random.key(0), image)
    parameters = sum(leaf.size for leaf in jax.tree.leaves(variables))
    pixels = method.lr_size**2
    if method.lr_size * upscaler.scale**2 <= CROP_SIZE:  # applied twice
        pixels *= 1 + upscaler.scale**2
    return 10 + round(10 * parameters * pixels / _MULTIPLICATIONS_OF_RECOGNITION)


def _model(name: str, room: str) -> str:
    """The parts of a model that its measurements depend on: its network and its weights."""
    if name in (NONE, RAW):
        return name
    card = cards.load_card(name, room)
    return repr((card.module, sorted(card.model.items()), card.weights.get("sha256")))
