"""Measures what several frames of a face are worth: stills enrolled, videos searched, one frame against all of them.

    lowres-jax --config=prepare_video_frames --config.source=FOLDER_OR_ZIP && lowres-jax --config=prepare_lfw ...
    python benchmarks/video_search.py --label_errors LFW/label_errors.json --leave_out Kristin_Scott

A video is one probe. Its frames' templates are fused into one, their similarities are, or the pixels are before they
are enlarged; everybody's first still is enrolled, and the video's person taken out for the stranger's search. Writes
video_search.json into --output; templates are kept there too. What was measured: docs/clips.md.
"""

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from lowres_jax.data.records import open_records
from lowres_jax.errors import UserError
from lowres_jax.evaluation import bootstrap, identification, results
from lowres_jax.evaluation.bootstrap import Estimate
from lowres_jax.evaluation.identification import ProbeStatistics, search_statistics, threshold_at_far
from lowres_jax.evaluation.measurement import NONE, RAW, Method
from lowres_jax.evaluation.passes import measure_all, planned_methods
from lowres_jax.evaluation.protocols import LabelErrors
from lowres_jax.evaluation.validation import evenly
from lowres_jax.faces.centering import Centering
from lowres_jax.localization.align import CROP_SIZE
from lowres_jax.preparation.builders.video_frames import video_of
from lowres_jax.recognition.recognizer import Recognizer, enrolling, load_recognizer
from lowres_jax.runtime import cli, environment, signals
from lowres_jax.super_resolution.upscaler import Upscaler, UpscalerBySize, load_upscaler
from lowres_jax.utils.files import write_atomically
from lowres_jax.utils.shapes import Labels, Templates

FAR = 0.01
_NATIVE = Method(CROP_SIZE, NONE)
# Name of the row that every other one of the same frames is compared with.
_REFERENCE = "one frame"


@dataclass(frozen=True)
class Videos:
    """Groups the frames that belong together.

    Attributes:
      labels: (V,) identity of each video's person.
      frames: positions of each video's frames, in order.
    """

    labels: np.ndarray
    frames: Sequence[np.ndarray]

    @classmethod
    def of(cls, labels: Labels, videos: Sequence[str], used: np.ndarray) -> "Videos":
        """Groups frames.

        Args:
          labels: (N,) identities.
          videos: name of each frame's video, unique among all people.
          used: (N,) bool.
        """
        groups: dict[str, list[int]] = {}
        for position, name in enumerate(videos):
            if used[position]:
                groups.setdefault(name, []).append(position)
        frames = [np.asarray(own) for own in groups.values()]
        return cls(np.asarray([labels[own[0]] for own in frames]), frames)

    def first(self, count: int) -> "Videos":
        """The same with at most so many frames each, evenly taken."""
        return Videos(self.labels, [own[evenly(len(own), count)] for own in self.frames])

    def single(self) -> "Videos":
        """Every frame as a video of its own."""
        labels = np.repeat(self.labels, [len(own) for own in self.frames])
        return Videos(labels, [np.asarray([each]) for own in self.frames for each in own])


def mean(templates: Templates, videos: Videos) -> Float[np.ndarray, "videos dim"]:
    """(V, D) unit vectors: the mean of each video's templates."""
    fused = np.stack([templates[own].mean(axis=0) for own in videos.frames])
    return (fused / np.maximum(np.linalg.norm(fused, axis=1, keepdims=True), 1e-12)).astype(np.float32)


def voted(templates: Templates, videos: Videos, gallery: Templates, enrolled: Labels) -> ProbeStatistics:
    """Searches by vote: a person's similarity is how many frames are nearest to it, and then the mean over all."""
    parts = []
    for own in videos.frames:
        similarity = templates[own].astype(np.float32) @ gallery.astype(np.float32).T
        votes = np.bincount(similarity.argmax(axis=1), minlength=len(gallery)) / len(own)
        # A vote counts more than any likeness, which only decides between equal ones.
        parts.append((votes + (similarity.mean(axis=0) + 1.0) / (4.0 * len(own))) / 2.0)
    return search_statistics(np.stack(parts), videos.labels, enrolled)


def estimate(statistics: ProbeStatistics, labels: Labels, counts: np.ndarray) -> Estimate:
    """DIR at FAR 1 % and rank 1, with people resampled; the threshold is each resample's own.

    Args:
      statistics: statistics of the searches.
      labels: (N,) identities of the probes.
      counts: (R, P) of `bootstrap.draw_counts`, P different identities.
    """
    people = np.unique(labels, return_inverse=True)[1]
    threshold = threshold_at_far(statistics, FAR)
    first = statistics.rank == 1
    metrics = {
        "dir_at_far_1e-2": float(np.mean(first & (statistics.mated_distance <= threshold))),
        "rank1": float(np.mean(first)),
    }
    order = np.argsort(statistics.impostor_distance, kind="stable")
    distances = statistics.impostor_distance[order]
    found, named = [], []
    for row in counts:
        weights = row[people].astype(np.float64)
        passed = np.cumsum(weights[order])
        # The first stranger that would pass the rate: the threshold lies a hair below.
        place = int(np.searchsorted(passed, FAR * passed[-1] + 1e-9, side="right"))
        limit = np.nextafter(distances[place], -np.inf) if place < len(distances) else np.inf
        found.append(np.sum(weights * (first & (statistics.mated_distance <= limit))) / weights.sum())
        named.append(np.sum(weights * first) / weights.sum())
    return Estimate(metrics, {"dir_at_far_1e-2": np.asarray(found), "rank1": np.asarray(named)})


def row(estimated: Estimate, reference: Estimate | None) -> dict[str, Any]:
    """An estimate as JSON: values, intervals, and differences to a reference with theirs."""
    return {
        "metrics": dict(estimated.metrics),
        "interval": {name: list(bootstrap.interval(each)) for name, each in estimated.samples.items()},
        "difference": {}
        if reference is None
        else {name: list(bootstrap.difference(estimated, reference, name)) for name in estimated.metrics},
    }


class Averaged:
    """Pixels fused: as many records as videos, each the mean of its frames' aligned crops.

    Crops are registered by the landmarks; what averages out is noise, compression and the sampling of each frame.
    """

    def __init__(self, source: Any, videos: Videos):
        self._source, self._videos = source, videos

    def __len__(self) -> int:
        return len(self._videos.frames)

    def __getitem__(self, index: int, /) -> Mapping[str, Any]:
        crops = self._source.crops(self._videos.frames[int(index)])[0]
        return {"image": crops.astype(np.float32).mean(axis=0)}

    def digest(self) -> str:
        """Names what the mean images are made of."""
        return f"{self._source.digest()} {[own.tolist() for own in self._videos.frames]}"


def measure(config: argparse.Namespace) -> None:
    """Measures; the output folder gets video_search.json.

    Raises:
      UserError: a name that cannot be, a set that is not prepared, or nobody of the videos is enrolled.
    """
    methods = [each for each in planned_methods(config.upscalers, config.lr_sizes) if each.upscaler != RAW]
    folder = environment.datasets_folder()
    source, stills = open_records(folder / config.dataset), open_records(folder / config.gallery)
    recognizers = {name: load_recognizer(name) for name in config.recognizers}
    names = dict.fromkeys(each.upscaler for each in methods if each.upscaler != NONE)
    upscalers = {name: load_upscaler(name) for name in names}
    kept = config.output / "measurements"

    people, first = np.unique(stills.names, return_index=True)
    number = {name: place for place, name in enumerate(people.tolist())}
    if config.label_errors:
        for name, other in LabelErrors.read(config.label_errors).same_person.items():
            if name in number and other in number:
                number[name] = number[other]
    owners = np.asarray([number[name] for name in people.tolist()])
    left_out = config.leave_out
    for name in left_out:
        if name not in number:
            raise UserError(f"--leave_out: {name!r} is nobody of {config.gallery}")
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
                rows += list(_rows(known, own, mean_pixels, videos, still, owners, draws, config.frames))
                _print(rows[-1]["block"])
    for each in rows:
        each.pop("block")
    _write(config, rows)
    print(config.output / "video_search.json")


def _folder_of(dataset: str) -> str:
    return dataset.replace("/", "-")


def _centering(recognizer: Recognizer, upscaler: Upscaler | None, method: Method) -> Iterator[Centering]:
    """The cards' centering for a method, where they have it."""
    # Of originals the recognizer's own card says all.
    by_size = UpscalerBySize([upscaler if upscaler is not None else load_upscaler("bicubic")])
    found: Centering | None = Centering.of_cards(enrolling(recognizer), by_size)
    if found is not None and recognizer is not enrolling(recognizer):
        found = found.of_small_faces(recognizer, by_size)
    if found is not None and found.active:
        yield found


def _rows(
    known: Mapping[str, Any],
    frames: np.ndarray,
    pixels: Mapping[int, np.ndarray],
    videos: Videos,
    gallery: np.ndarray,
    enrolled: np.ndarray,
    draws: np.ndarray,
    counts: tuple[int, ...],
) -> Iterator[dict[str, Any]]:
    """The figures of one method, one row a number of frames and way of fusion."""
    single = videos.single()
    every = identification.enrolled_search(mean(frames, single), single.labels, gallery, enrolled)
    block: list[tuple[str, int, Estimate, Estimate | None]] = []
    reference = estimate(every, single.labels, draws)
    block.append((_REFERENCE, 1, reference, None))
    for count in sorted(set(counts) - {1}):
        chosen = videos.first(count)
        searches = {
            "mean of templates": identification.enrolled_search(mean(frames, chosen), chosen.labels, gallery, enrolled),
            "votes": voted(frames, chosen, gallery, enrolled),
        }
        if count in pixels:
            searches["mean of pixels"] = identification.enrolled_search(pixels[count], chosen.labels, gallery, enrolled)
        for fusion, statistics in searches.items():
            block.append((fusion, count, estimate(statistics, chosen.labels, draws), reference))
    for fusion, count, estimated, against in block:
        probes = len(single.frames) if fusion == _REFERENCE else len(videos.frames)
        yield {
            **known,
            "fusion": fusion,
            "frames": count,
            "videos": probes,
            **row(estimated, against),
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


def _write(config: argparse.Namespace, rows: list[dict[str, Any]]) -> None:
    content = {"versions": results.versions(), "config": vars(config), "rows": rows}
    with write_atomically(config.output / "video_search.json") as file:
        file.write(json.dumps(content, indent=1, allow_nan=False, default=str).encode() + b"\n")


def main(given: Sequence[str] | None = None) -> None:
    """Reads the command line, and measures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", default="video_frames/mtcnn")
    parser.add_argument("--gallery", default="lfw/mtcnn", help="set of which everybody's first picture is enrolled")
    parser.add_argument("--upscalers", nargs="+", default=["bicubic", "identity@32", "identity_x8@16"])
    parser.add_argument("--lr_sizes", type=int, nargs="+", default=[32, 16])
    parser.add_argument("--recognizers", nargs="+", default=["sface"])
    parser.add_argument("--frames", type=int, nargs="+", default=[1, 2, 5], help="searched together")
    parser.add_argument("--pixels", action=argparse.BooleanOptionalAction, default=True, help="fuse pixels too")
    parser.add_argument("--label_errors", type=Path, help="of LFW: people who are one there are one here")
    parser.add_argument("--leave_out", nargs="*", default=[], help="people whose videos show others")
    parser.add_argument("--resamples", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=Path("workdirs/video_search"))
    environment.enable_compilation_cache()
    measure(parser.parse_args(given))


if __name__ == "__main__":
    cli.run(main)
