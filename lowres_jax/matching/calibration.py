"""From which similarity on a match is named: the threshold of a false accept rate that was measured on a prepared set.

A searched face that is not enrolled is named wrongly when anybody of the gallery is too similar, which happens the more
often the larger the gallery is and the more pictures everybody has in it, and differently for enlarged faces than for
sharp ones. So the rate is measured on galleries built as the user's is: as many people, with as many pictures, that
were reduced and enlarged just as the user's were (`simulation`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float
from tqdm import tqdm

from lowres_jax import __version__
from lowres_jax.data.records import RecordSource, open_records
from lowres_jax.errors import UserError
from lowres_jax.evaluation import identification
from lowres_jax.evaluation.measurement import NONE, Measurement, Method, fingerprint, measure
from lowres_jax.faces.centering import Centering
from lowres_jax.faces.loading import models
from lowres_jax.faces.reader import Eye
from lowres_jax.localization.align import CROP_SIZE
from lowres_jax.matching import simulation
from lowres_jax.matching.simulation import Recipe
from lowres_jax.matching.wrong_labels import WrongLabels, find_wrong_labels
from lowres_jax.recognition.recognizer import Recognizer
from lowres_jax.runtime import environment
from lowres_jax.super_resolution.upscaler import UpscalerBySize

# Raised when a kept template means something else than before.
_VERSION = 1
_BATCH_SIZE = 32
# A set of fewer people tells of no rate, and one that would rest on fewer false accepts is not known.
FEWEST_PEOPLE = 20
FEWEST_FALSE_ACCEPTS = 10
# A track of two frames or more has the threshold of as many photographs.
TRACK_FRAMES = 4
# At which a threshold lies that no rate is claimed for.
_RATE_WITHOUT_CLAIM = 0.1


@dataclass(frozen=True)
class Threshold:
    """From which similarity on a match is named, and what that rests on.

    Attributes:
      similarity: cosine; at it or above, the name is given.
      asked: the false accept rate that was asked for.
      claimed: true if the set is large enough to tell of that rate.
      far: share of the searches for somebody not enrolled that still gave a name at this threshold.
      searches: number of such searches.
      false_accepts: number of them that gave a name.
      genuine: share of the searches by other pictures of enrolled people that reach the threshold; None without any.
      different: similarity that all but a share `asked` of these searches reach, so that below it two faces are hardly
        one person's; None without any.
      recipe: recipe of the galleries: for each person the sizes that the pictures were enlarged from.
      most_pictures: largest number of pictures of a person in the set; people of a gallery who have more were enrolled
        with fewer.
      probe_size: side in pixels from which the searched faces were enlarged; 0: they were not.
      frames: number of pictures of each stranger that were searched for as one.
      reached: highest similarity of a search for somebody enrolled; None without any.
    """

    similarity: float
    asked: float
    claimed: bool
    far: float
    searches: int
    false_accepts: int
    genuine: float | None
    different: float | None
    recipe: Recipe
    most_pictures: int
    probe_size: int
    frames: int = 1
    reached: float | None = None

    @property
    def possible(self) -> bool:
        """True if a name is possible: the similarity is one that a search for somebody enrolled reached."""
        return self.reached is None or self.similarity <= self.reached

    @property
    def gallery_size(self) -> int:
        """People that were enrolled in each search; 1 for two photographs."""
        return len(self.recipe)


class Calibration:
    """A prepared set that thresholds are measured on; its templates are kept in the cache folder.

    Attributes:
      name: name of the set, as "orl_faces/mtcnn".
      labels: (n,) identities of the images used, without wrong labels (`wrong_labels`).
      seed: seed of the draw of galleries.
      remarks: wrong labels that were found, a line each.
    """

    def __init__(
        self,
        directory: Path,
        recognizer: Recognizer,
        upscalers: UpscalerBySize,
        images: int,
        seed: int,
        pictures: Sequence[int] = (1,),
        weights: str | None = None,
        centering: Centering | None = None,
        small: Eye | None = None,
    ):
        """Opens the set.

        Args:
          directory: directory of the prepared set.
          recognizer: recognizer whose templates are compared.
          upscalers: upscalers for searches of small faces.
          images: use at most so many; 0 for all. Faces that were not found are left out.
          seed: see `Attributes`.
          pictures: numbers of pictures of each person of the gallery, so that people with as many are chosen.
          weights: an only upscaler's weight file where it is not its card's own.
          centering: means to subtract from these templates, as from those of a search.
          small: recognizer of small faces that are searched for; None: `recognizer`.

        Raises:
          UserError: the set is not prepared, damaged, of other crops than 128x128, or shows fewer than two people.
        """
        self._source: RecordSource = open_records(directory)
        self.name = f"{directory.parent.name}/{directory.name}"
        self.seed = seed
        self._weights = [Path(weights)] if weights else []
        self._recognizer, self._upscalers = recognizer, upscalers
        self._centering, self._small = centering or Centering(), small
        labels = self._source.labels
        self._positions = simulation.choose_images(labels, self._source.detected, images, seed, pictures)
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
        self._templates: dict[tuple[int, bool], np.ndarray] = {}
        wrong = find_wrong_labels(self.templates(0), self.labels)
        self.remarks = self._wrong_labels_in_words(wrong)
        self._positions, self.labels = self._positions[wrong.kept], wrong.labels[wrong.kept]
        self._templates = {key: each[wrong.kept] for key, each in self._templates.items()}
        self._thresholds: dict[tuple[float, Recipe, int, int], Threshold] = {}
        self._last: tuple[tuple[Recipe, int, int], simulation.Searches] | None = None

    def _wrong_labels_in_words(self, wrong: WrongLabels) -> list[str]:
        if not wrong.same and not wrong.shows:
            return []
        names = dict(zip(self.labels.tolist(), self._source.names[self._positions].tolist(), strict=True))
        found = [f"{names[one]} and {names[other]} are one person ({alike:.2f})" for one, other, alike in wrong.same]
        for place, (label, alike) in wrong.shows.items():
            source = self._source.sources[int(self._positions[place])]
            found.append(f"{source} is like {names[label]}, as one person's pictures are ({alike:.2f})")
        return found

    @property
    def people(self) -> int:
        """Number of people that the images show."""
        return len(np.unique(self.labels))

    @property
    def images(self) -> int:
        """Number of images."""
        return len(self.labels)

    def templates(self, size: int, searched: bool = False) -> Float[np.ndarray, "B D"]:
        """The images' templates, (n, D): as they are (0), or reduced to `size` pixels and enlarged again.

        Args:
          size: see above.
          searched: true if they are searched for, and small ones read as such are.
        """
        small = self._small if searched and self._small and self._small.reads(size) else None
        key = size, small is not None
        if key not in self._templates:
            upscaler = self._upscalers.of(size) if size else None
            method = Method(size, upscaler.name) if upscaler else Method(CROP_SIZE, NONE)
            recognizer = small.recognizer if small else self._recognizer
            name, made_by = recognizer.name, self._fingerprint(size, recognizer)
            kept = Measurement(
                environment.cache_folder() / "calibration" / f"{made_by}.npz",
                made_by,
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
                        upscaler,
                        {name: recognizer},
                        {name: kept},
                        _BATCH_SIZE,
                        progress.update,
                    )
            centering = small.centering if small else self._centering
            self._templates[key] = centering(kept.templates[self._positions], upscaler, size)
        return self._templates[key]

    def _fingerprint(self, size: int, recognizer: Recognizer) -> str:
        """Names all that the templates depend on: the set's and the user's files, the networks, the size."""
        files = sorted(self._source.directory.glob("*.tfrecord*")) + (self._weights if size else [])
        content = [(str(path.resolve()), path.stat().st_size, path.stat().st_mtime_ns) for path in files]
        described = models(recognizer, [self._upscalers.of(size)] if size else [])
        return fingerprint(_VERSION, __version__, content, described, size)

    def least_rate(self, gallery_size: int, frames: int = 1) -> float:
        """The smallest false accept rate that the set can tell of; infinite if it shows too few people for any.

        Every stranger can be searched for among everybody else once: of a gallery of G people, (people - 1) / G times.
        At the least rate ten of these searches give a name.

        Args:
          gallery_size: people enrolled.
          frames: pictures of a stranger that are searched for as one.
        """
        if self.people < FEWEST_PEOPLE:
            return float("inf")
        strangers = int(np.sum(np.unique(self.labels, return_counts=True)[1] // frames))
        distinct = strangers * max(1.0, (self.people - 1) / gallery_size)
        return FEWEST_FALSE_ACCEPTS / distinct if distinct else float("inf")

    def threshold(self, far: float, recipe: Recipe, probe_size: int, frames: int = 1) -> Threshold:
        """The lowest similarity at which at most a share of all searches for somebody not enrolled give a name.

        Args:
          far: that share, a fraction. Of a set that cannot tell of so small a rate: its least rate, or 10 % where it
            shows too few people for any.
          recipe: recipe of the gallery; of a larger one than the set has people, as many as it has.
          probe_size: size in pixels from which the searched face was enlarged, 0 if it was not.
          frames: number of pictures of it in one template; 1 for a set where nobody has as many.
        """
        if frames > int(np.unique(self.labels, return_counts=True)[1].max()):
            frames = 1
        step = max(len(recipe) / max(self.people - 1, 1), 1.0)
        # Evenly taken from a sorted list, so that people with many pictures and with few stay in proportion.
        fitting = tuple(recipe[int(place * step)] for place in range(min(len(recipe), self.people - 1)))
        key = far, fitting, probe_size, frames
        if key not in self._thresholds:
            least = self.least_rate(len(fitting), frames)
            rate = max(far, min(least, _RATE_WITHOUT_CLAIM))
            searches = self._searches(fitting, probe_size, frames)
            distances = searches.impostor
            # Only the distances to others matter here: every search is for somebody who is not enrolled.
            statistics = identification.ProbeStatistics(
                mated_distance=np.full(len(distances), np.inf),
                impostor_distance=distances,
                rank=np.full(len(distances), len(distances) + 1),
            )
            limit = identification.threshold_at_far(statistics, rate)
            self._thresholds[key] = Threshold(
                similarity=1.0 - limit,
                asked=far,
                claimed=least <= far,
                far=identification.false_accept_rate(statistics, limit),
                searches=len(distances),
                false_accepts=int(np.sum(distances <= limit)),
                genuine=float(np.mean(searches.genuine <= limit)) if len(searches.genuine) else None,
                different=1.0 - float(np.quantile(searches.genuine, 1.0 - far)) if len(searches.genuine) else None,
                recipe=fitting,
                most_pictures=int(np.unique(self.labels, return_counts=True)[1].max()),
                probe_size=probe_size,
                frames=frames,
                reached=1.0 - float(searches.genuine.min()) if len(searches.genuine) else None,
            )
        return self._thresholds[key]

    def _searches(self, recipe: Recipe, probe_size: int, frames: int) -> simulation.Searches:
        """The last searches are kept, as several rates are asked for of one gallery."""
        asked = recipe, probe_size, frames
        if self._last is None or self._last[0] != asked:
            enrolled = {size: self.templates(size) for size in {size for own in recipe for size in own}}
            found = simulation.simulate(
                enrolled, self.templates(probe_size, searched=True), self.labels, recipe, self.seed, frames
            )
            self._last = asked, found
        return self._last[1]
