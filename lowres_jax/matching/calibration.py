"""From which similarity on a match is named: the threshold of a false accept rate that was measured on a prepared set.

A searched face that is not enrolled is named wrongly when anybody of the gallery is too similar, which happens the more
often the larger the gallery is, and differently for enlarged faces than for sharp ones. So the rate is measured for
galleries of the user's size, on faces that were reduced and enlarged just as the user's were.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from lowres_jax import __version__, runtime
from lowres_jax.data.records import RecordSource, open_records
from lowres_jax.errors import UserError
from lowres_jax.evaluation import identification
from lowres_jax.evaluation.measurement import CROP_SIZE, NONE, Measurement, Method, fingerprint, measure
from lowres_jax.pretrained import cards
from lowres_jax.recognition.recognizer import Recognizer
from lowres_jax.super_resolution.upscaler import Upscaler

# Raised when a kept template means something else than before.
_VERSION = 1
_BATCH_SIZE = 32
# Galleries of the user's size are drawn until so many searches were made.
_SEARCHES = 20_000


@dataclass(frozen=True)
class Threshold:
    """From which similarity on a match is named, and what that rests on.

    Attributes:
      similarity: cosine; at it or above, the name is given.
      far: share of the searches for somebody not enrolled that still gave a name at this threshold.
      searches: how many such searches were made.
      false_accepts: how many of them gave a name.
      genuine: share of the set's pairs of one person that reach the threshold; None where it has none.
      gallery_size: people that were enrolled in each search; 1 for two photographs.
      enrolled_size: side in pixels from which the enrolled faces were enlarged; 0: they were not.
      probe_size: the same of the searched faces.
    """

    similarity: float
    far: float
    searches: int
    false_accepts: int
    genuine: float | None
    gallery_size: int
    enrolled_size: int
    probe_size: int


class Calibration:
    """A prepared set that thresholds are measured on; its templates are kept in the cache folder.

    Attributes:
      name: of the set, as "orl_faces/mtcnn".
      labels: (n,) identities of the images used.
      seed: of the draw of galleries.
    """

    def __init__(
        self, directory: Path, recognizer: Recognizer, upscaler: Upscaler, images: int, seed: int, weights: str = ""
    ):
        """Opens the set.

        Args:
          directory: of the prepared set.
          recognizer: whose templates are compared.
          upscaler: for searches of small faces.
          images: use at most so many, two of each person first; 0 for all. Faces that were not found are left out.
          seed: see `Attributes`.
          weights: the upscaler's weight file where it is not its card's own.

        Raises:
          UserError: the set is not prepared, damaged, of other crops than 128x128, or shows fewer than two people.
        """
        self._source: RecordSource = open_records(directory)
        self.name = f"{directory.parent.name}/{directory.name}"
        self.seed = seed
        self._weights = [Path(weights)] if weights else []
        self._recognizer, self._upscaler = recognizer, upscaler
        labels = self._source.labels
        self._positions = choose_images(labels, self._source.detected, images, seed)
        self.labels = labels[self._positions]
        if self.people < 2:
            raise UserError(
                f"{directory}: shows {self.people} people in {len(self.labels)} images with a face; "
                "a threshold needs two people or more"
            )
        if self._source[int(self._positions[0])]["image"].shape != (CROP_SIZE, CROP_SIZE, 3):
            raise UserError(
                f"{directory}: a threshold needs crops of {CROP_SIZE}x{CROP_SIZE}; prepare the set with them"
            )
        self._templates: dict[int, np.ndarray] = {}
        self._thresholds: dict[tuple[float, int, int, int], Threshold] = {}

    @property
    def people(self) -> int:
        """How many the images show."""
        return len(np.unique(self.labels))

    def templates(self, size: int) -> np.ndarray:
        """The images' templates, (n, D): as they are (0), or reduced to `size` pixels and enlarged again."""
        if size not in self._templates:
            method = Method(size, self._upscaler.name) if size else Method(CROP_SIZE, NONE)
            name, recognizer = self._recognizer.name, self._recognizer
            kept = Measurement(
                runtime.cache_folder() / "calibration" / f"{self._fingerprint(size)}.npz",
                self._fingerprint(size),
                len(self._source),
                recognizer.dimension,
            )
            missing = self._positions[~kept.done[self._positions]]
            if len(missing):
                what = f"threshold from {self.name}" + (f", {method}" if size else "")
                with tqdm(total=len(missing), desc=what, unit="image", dynamic_ncols=True) as progress:
                    measure(
                        method,
                        self._source,
                        missing,
                        self._upscaler if size else None,
                        {name: recognizer},
                        {name: kept},
                        _BATCH_SIZE,
                        progress.update,
                    )
            self._templates[size] = kept.templates[self._positions]
        return self._templates[size]

    def _fingerprint(self, size: int) -> str:
        """Names all that the templates depend on: the set's and the user's files, the networks, the size."""
        files = sorted(self._source.directory.glob("*.tfrecord*")) + (self._weights if size else [])
        content = [(str(path.resolve()), path.stat().st_size, path.stat().st_mtime_ns) for path in files]
        models = [cards.load_card(self._recognizer.name, "recognition")]
        models += [self._upscaler.card] if size else []
        described = [(card.module, sorted(card.model.items()), card.weights.get("sha256")) for card in models]
        return fingerprint(_VERSION, __version__, content, described, size)

    def threshold(self, far: float, gallery_size: int, enrolled_sizes: Sequence[int], probe_size: int) -> Threshold:
        """The lowest similarity at which at most `far` of all searches for somebody not enrolled give a name.

        Args:
          far: false accept rate, a fraction.
          gallery_size: enrolled people; of a larger gallery than the set has people, as many as it has.
          enrolled_sizes: sizes from which enrolled faces were enlarged, 0 for those that were not; where they differ,
            the strictest threshold is taken.
          probe_size: the same of the searched face.
        """
        found = [self._threshold(far, gallery_size, size, probe_size) for size in set(enrolled_sizes)]
        return max(found, key=lambda threshold: threshold.similarity)

    def _threshold(self, far: float, gallery_size: int, enrolled_size: int, probe_size: int) -> Threshold:
        gallery_size = min(gallery_size, self.people - 1)
        key = far, gallery_size, enrolled_size, probe_size
        if key not in self._thresholds:
            enrolled, probes = self.templates(enrolled_size), self.templates(probe_size)
            distances = impostor_distances(enrolled, probes, self.labels, gallery_size, self.seed)
            # Only the distances to others matter here: every search is for somebody who is not enrolled.
            statistics = identification.ProbeStatistics(
                mated_distance=np.full(len(distances), np.inf),
                impostor_distance=distances,
                rank=np.full(len(distances), len(distances) + 1),
            )
            limit = identification.threshold_at_far(statistics, far)
            genuine = genuine_distances(enrolled, probes, self.labels)
            self._thresholds[key] = Threshold(
                similarity=1.0 - limit,
                far=identification.false_accept_rate(statistics, limit),
                searches=len(distances),
                false_accepts=int(np.sum(distances <= limit)),
                genuine=float(np.mean(genuine <= limit)) if len(genuine) else None,
                gallery_size=gallery_size,
                enrolled_size=enrolled_size,
                probe_size=probe_size,
            )
        return self._thresholds[key]


def choose_images(labels: np.ndarray, detected: np.ndarray, limit: int, seed: int) -> np.ndarray:
    """Which images of a set to use: as many people as possible, with two images each where they have two.

    Args:
      labels: (N,) identities.
      detected: (N,) bool: images without a face are not used.
      limit: most images; 0 for all.
      seed: of the order of people.

    Returns:
      Positions, ascending.
    """
    usable = np.flatnonzero(detected)
    people, inverse, counts = np.unique(labels[usable], return_inverse=True, return_counts=True)
    if not limit or len(usable) <= limit:
        return usable
    by_person = np.argsort(inverse, kind="stable")
    number = np.empty(len(usable), np.int64)  # of the image among its person's
    number[by_person] = np.arange(len(usable)) - np.repeat(np.cumsum(counts) - counts, counts)
    shuffled = np.random.default_rng(seed).permutation(len(people))
    # First the first two images of people who have two, then the only ones, then third and fourth images.
    order = np.lexsort((number, shuffled[inverse], number // 2 + (counts[inverse] == 1) * 0.5))
    return np.sort(usable[order[:limit]])


def impostor_distances(
    enrolled: np.ndarray, probes: np.ndarray, labels: np.ndarray, gallery_size: int, seed: int
) -> np.ndarray:
    """Distances 1 - cosine to the nearest enrolled person, from searches for somebody who is not enrolled.

    With one person enrolled these are all pairs of different people. Else galleries of random people are drawn, one
    random image of each, and searched with every image whose own person is left out.

    Args:
      enrolled: (n, D) unit vectors of the images as they are enrolled.
      probes: (n, D) of the same images as they are searched.
      labels: (n,) identities.
      gallery_size: people in a gallery, fewer than there are.
      seed: of the draw.

    Returns:
      (searches,) float64.
    """
    people, inverse = np.unique(labels, return_inverse=True)
    if gallery_size == 1:
        similarity = probes.astype(np.float64) @ enrolled.astype(np.float64).T
        return 1.0 - similarity[inverse[:, None] != inverse]
    generator = np.random.default_rng(seed)
    found = []
    for _ in range(-(-_SEARCHES // len(labels))):
        # One person more than needed: who is searched drops out, or else the last one.
        drawn = generator.permutation(len(people))[: gallery_size + 1]
        image = np.asarray([generator.choice(np.flatnonzero(inverse == person)) for person in drawn])
        similarity = probes.astype(np.float64) @ enrolled[image].astype(np.float64).T
        own = inverse[:, None] == drawn
        own[~own.any(axis=1), -1] = True
        found.append(1.0 - np.where(own, -np.inf, similarity).max(axis=1))
    return np.concatenate(found)


def genuine_distances(enrolled: np.ndarray, probes: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Distances 1 - cosine between different images of one person, (pairs,) float64; see `impostor_distances`."""
    similarity = probes.astype(np.float64) @ enrolled.astype(np.float64).T
    same = labels[:, None] == labels
    np.fill_diagonal(same, False)
    return 1.0 - similarity[same]
