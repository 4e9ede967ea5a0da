"""Searches videos among enrolled stills: by size, method, number of frames, and the way these are made one answer."""

import csv
import io
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from ml_collections import ConfigDict

from lowres_jax import config_keys
from lowres_jax.data.records import RecordSource, open_records
from lowres_jax.errors import UserError
from lowres_jax.evaluation import bootstrap, identification, results, video_search
from lowres_jax.evaluation.bootstrap import Estimate
from lowres_jax.evaluation.measurement import NONE, RAW, Method
from lowres_jax.evaluation.passes import measure_all, planned_methods
from lowres_jax.evaluation.protocols import LabelErrors
from lowres_jax.evaluation.video_search import Averaged, Videos
from lowres_jax.localization.align import CROP_SIZE
from lowres_jax.matching.centering import Centering
from lowres_jax.preparation.builders.video_frames import video_of
from lowres_jax.recognition.recognizer import Recognizer, load_recognizer
from lowres_jax.runtime import configuration, environment, signals
from lowres_jax.settings.videos import KEYS
from lowres_jax.super_resolution.upscaler import Upscaler, UpscalerBySize, load_upscaler
from lowres_jax.utils.files import try_folder, write_atomically

_NATIVE = Method(CROP_SIZE, NONE)
_COLUMNS = ("recognizer", "method", "lr_size", "centered", "fusion", "frames", "videos")
# Name of the row that every other one of the same frames is compared with.
_REFERENCE = "one frame"


def run(config: ConfigDict, workdir: Path) -> None:
    """Measures; the workdir gets video_search.json and video_search.csv.

    Raises:
      UserError: a name that cannot be, a set that is not prepared, or nobody of the videos is enrolled.
    """
    config_keys.check(config, KEYS)
    methods = [each for each in planned_methods(config.upscalers, config.lr_sizes) if each.upscaler != RAW]
    folder = environment.datasets_folder(config.data_dir)
    source, stills = open_records(folder / config.dataset), open_records(folder / config.gallery)
    recognizers = {name: load_recognizer(name) for name in config.recognizers}
    names = dict.fromkeys(each.upscaler for each in methods if each.upscaler != NONE)
    upscalers = {name: load_upscaler(name) for name in names}
    try_folder(workdir)
    kept = Path(config.measurements or workdir / "measurements")

    people, first = np.unique(stills.names, return_index=True)
    number = {name: place for place, name in enumerate(people.tolist())}
    if config.label_errors:
        for name, other in LabelErrors.read(Path(config.label_errors)).same_person.items():
            if name in number and other in number:
                number[name] = number[other]
    owners = np.asarray([number[name] for name in people.tolist()])
    left_out = configuration.names(config.leave_out or "")
    for name in left_out:
        if name not in number:
            raise UserError(f"config.leave_out: {name!r} is nobody of {config.gallery}")
    labels = np.asarray([number.get(name, -1) for name in source.names.tolist()])
    videos = Videos.of(labels, [video_of(each) for each in source.sources], source.detected & (labels >= 0))
    if len(np.unique(videos.labels)) < 2:
        raise UserError(f"{source.directory}: fewer than two people of the videos are among {config.gallery}'s")
    print(
        f"{len(people):,} people enrolled with one still each ({config.gallery}); {len(videos.frames):,} videos of "
        f"{len(np.unique(videos.labels))} of them searched, {sum(map(len, videos.frames)):,} frames with a face"
    )
    images = np.sort(np.concatenate(videos.frames))
    found = measure_all(source, images, kept / _folder_of(config.dataset), methods, upscalers, recognizers)
    enrolled = measure_all(stills, first, kept / _folder_of(config.gallery), [_NATIVE], {}, recognizers)[_NATIVE]
    averaged = {}
    if config.pixels:
        for count in sorted(set(config.frames) - {1}):
            mean = Averaged(source, videos.first(count))
            place = kept / f"{_folder_of(config.dataset)}-mean-of-{count}"
            averaged[count] = measure_all(mean, np.arange(len(mean)), place, methods, upscalers, recognizers)
    searched = ~np.isin(videos.labels, [number[name] for name in left_out])
    videos = Videos(videos.labels[searched], [own for own, here in zip(videos.frames, searched, strict=True) if here])
    draws = bootstrap.draw_counts(len(np.unique(videos.labels)), config.resamples, config.seed)
    rows = []
    for judge, recognizer in recognizers.items():
        gallery = enrolled[judge].templates[first]
        for method in signals.interruptible(methods):
            frames = found[method][judge].templates
            pixels = {count: each[method][judge].templates[searched] for count, each in averaged.items()}
            for centering in (None, *_centering(recognizer, upscalers.get(method.upscaler), method)):
                own, still, mean_pixels = frames, gallery, pixels
                if centering is not None:
                    upscaler, size = upscalers.get(method.upscaler), method.lr_size if method != _NATIVE else 0
                    own = centering(frames, upscaler, size)
                    still = centering(gallery, None, 0)
                    mean_pixels = {count: centering(each, upscaler, size) for count, each in pixels.items()}
                known = {
                    "recognizer": judge,
                    "method": "native" if method == _NATIVE else method.upscaler,
                    "lr_size": None if method == _NATIVE else method.lr_size,
                    "centered": centering is not None,
                }
                rows += list(_rows(known, own, mean_pixels, videos, source, still, owners, draws, config.frames))
                _print(rows[-1]["block"])
    for each in rows:
        each.pop("block")
    _write(workdir, config, rows)
    print(workdir / "video_search.json")
    print(workdir / "video_search.csv")


def _folder_of(dataset: str) -> str:
    return dataset.replace("/", "-")


def _centering(recognizer: Recognizer, upscaler: Upscaler | None, method: Method) -> Iterator[Centering]:
    """The cards' centering for a method, where they have it."""
    # Of originals the recognizer's own card says all.
    by_size = UpscalerBySize([upscaler if upscaler is not None else load_upscaler("bicubic")])
    found = Centering.of_cards(recognizer, by_size)
    if found.active:
        yield found


def _rows(
    known: Mapping[str, Any],
    frames: np.ndarray,
    pixels: Mapping[int, np.ndarray],
    videos: Videos,
    source: RecordSource,
    gallery: np.ndarray,
    enrolled: np.ndarray,
    draws: np.ndarray,
    counts: tuple[int, ...],
) -> Iterator[dict[str, Any]]:
    """The figures of one method, one row a number of frames and way of fusion."""
    single = videos.single()
    every = identification.enrolled_search(video_search.mean(frames, single), single.labels, gallery, enrolled)
    block: list[tuple[str, int, Estimate, Estimate | None]] = []
    reference = video_search.estimate(every, single.labels, draws)
    block.append((_REFERENCE, 1, reference, None))
    sharp = source.sharpness
    for count in sorted(set(counts) - {1}):
        chosen = videos.first(count)
        searches = {
            "mean of templates": identification.enrolled_search(
                video_search.mean(frames, chosen), chosen.labels, gallery, enrolled
            ),
            "mean weighted by sharpness": identification.enrolled_search(
                video_search.mean(frames, chosen, sharp), chosen.labels, gallery, enrolled
            ),
            "sharpest frame": identification.enrolled_search(
                video_search.best(frames, chosen, sharp), chosen.labels, gallery, enrolled
            ),
            "votes": video_search.voted(frames, chosen, gallery, enrolled),
        }
        if count in pixels:
            searches["mean of pixels"] = identification.enrolled_search(pixels[count], chosen.labels, gallery, enrolled)
        for fusion, statistics in searches.items():
            block.append((fusion, count, video_search.estimate(statistics, chosen.labels, draws), reference))
    for fusion, count, estimated, against in block:
        probes = len(single.frames) if fusion == _REFERENCE else len(videos.frames)
        yield {
            **known,
            "fusion": fusion,
            "frames": count,
            "videos": probes,
            **video_search.row(estimated, against),
            "block": (known, block),
        }


def _print(shown: tuple[Mapping[str, Any], list[tuple[str, int, Estimate, Estimate | None]]]) -> None:
    known, block = shown
    size = "native size" if known["lr_size"] is None else f"{known['lr_size']} px, {known['method']}"
    print(f"\n{known['recognizer']}, {size}{', centered' if known['centered'] else ''}: DIR at FAR 1 %, rank 1 (%)")
    for fusion, count, estimated, reference in block:
        name = "dir_at_far_1e-2"
        low, high = (100 * each for each in bootstrap.interval(estimated.samples[name]))
        text = f"  {fusion:28}{count:3}  {100 * estimated.metrics[name]:5.1f} [{low:.1f}, {high:.1f}]"
        if reference is not None:
            value, low, high = (100 * each for each in bootstrap.difference(estimated, reference, name))
            text += f"  {value:+.1f} [{low:+.1f}, {high:+.1f}]"
        print(f"{text:72}{100 * estimated.metrics['rank1']:5.1f}")


def _write(workdir: Path, config: ConfigDict, rows: list[dict[str, Any]]) -> None:
    content = {"versions": results.versions(), "config": config.to_dict(), "rows": rows}
    with write_atomically(workdir / "video_search.json") as file:
        file.write(json.dumps(content, indent=1, allow_nan=False).encode() + b"\n")
    table = io.StringIO()
    writer = csv.writer(table)
    names = ("dir_at_far_1e-2", "rank1")
    writer.writerow([*_COLUMNS, *(f"{name}{part}" for name in names for part in ("", "_low", "_high"))])
    for each in rows:
        figures = [value for name in names for value in (each["metrics"][name], *each["interval"][name])]
        writer.writerow([*(each[name] for name in _COLUMNS), *(f"{value:.4f}" for value in figures)])
    with write_atomically(workdir / "video_search.csv") as file:
        file.write(table.getvalue().encode())
