"""Stills enrolled, videos searched: what several frames of a face are worth, and how best to make one answer of them.

A video is one probe. Its frames' templates are fused into one, their similarities are, or the pixels are before they
are enlarged; everybody's still is enrolled, and the video's person taken out for the stranger's search.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from lowres_jax.evaluation import bootstrap
from lowres_jax.evaluation.bootstrap import Estimate
from lowres_jax.evaluation.identification import ProbeStatistics, search_statistics, threshold_at_far
from lowres_jax.evaluation.validation import evenly
from lowres_jax.utils.shapes import Labels, Templates

FAR = 0.01


@dataclass(frozen=True)
class Videos:
    """Which frames belong together.

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


def mean(templates: Templates, videos: Videos, weights: np.ndarray | None = None) -> Float[np.ndarray, "videos dim"]:
    """(V, D) unit vectors: the mean of each video's templates, weighted where weights (N,) of the frames are given."""
    fused = np.stack(
        [np.average(templates[own], axis=0, weights=None if weights is None else weights[own]) for own in videos.frames]
    )
    return (fused / np.maximum(np.linalg.norm(fused, axis=1, keepdims=True), 1e-12)).astype(np.float32)


def best(templates: Templates, videos: Videos, quality: np.ndarray) -> Float[np.ndarray, "videos dim"]:
    """(V, D) the template of each video's frame of the highest quality, of (N,)."""
    return templates[[own[np.argmax(quality[own])] for own in videos.frames]]


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
      statistics: of the searches.
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
