"""Open-set identification against a gallery that others have fixed: LFW's O1 to O3, and each trial of BLUFR.

Unlike all-against-all, who is enrolled, who is searched for and who is a stranger are given.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Integer, Shaped

from lowres_jax.data.lfw_pairs import image_key
from lowres_jax.errors import UserError
from lowres_jax.evaluation.bootstrap import Estimate

# As in `identification`: equal templates have equal distances, and a tie counts against the right person.
_GRID = float(2**20)
_BLOCK = 512
FAR = 0.01


@dataclass(frozen=True)
class Searches:
    """The numbers that decide an open-set test, threshold by threshold.

    Attributes:
      known: (K,) distance, 1 - cosine, of each enrolled person's probe to that person.
      first: (K,) bool: whether nobody else is as near.
      known_people: (K,) number of the probe's person.
      strangers: (S,) distance of each stranger's probe to the nearest person.
      stranger_people: (S,) number of the probe's person.
    """

    known: np.ndarray
    first: np.ndarray
    known_people: np.ndarray
    strangers: np.ndarray
    stranger_people: np.ndarray

    @classmethod
    def of(
        cls,
        probes: Float[np.ndarray, "probes dimension"],
        people: Integer[np.ndarray, " probes"],
        gallery: Float[np.ndarray, "enrolled dimension"],
        enrolled: Integer[np.ndarray, " enrolled"],
    ) -> "Searches":
        """Searches every probe.

        Args:
          probes: unit templates.
          people: labels of the templates.
          gallery: unit templates; a person's distance is that to the nearest of their own.
          enrolled: labels of the gallery's templates.
        """
        persons, column = np.unique(enrolled, return_inverse=True)
        order = np.argsort(column, kind="stable")
        starts = np.searchsorted(column[order], np.arange(len(persons)))
        distances = np.concatenate(
            [
                np.minimum.reduceat(
                    np.rint((1.0 - probes[start : start + _BLOCK] @ gallery[order].T) * _GRID), starts, 1
                )
                for start in range(0, len(probes), _BLOCK)
            ]
        )
        place = np.searchsorted(persons, people)
        is_known = persons[np.minimum(place, len(persons) - 1)] == people
        rows = np.flatnonzero(is_known)
        own = distances[rows, place[rows]]
        as_near = (distances[rows] <= own[:, None]).sum(axis=1)  # the person included
        return cls(own / _GRID, as_near == 1, people[rows], distances[~is_known].min(axis=1) / _GRID, people[~is_known])

    def rates(self, weights: Shaped[np.ndarray, "R P"], far: float = FAR) -> Shaped[np.ndarray, " R"]:
        """DIR at rank 1 and the largest threshold with at most that FAR, under weights of people.

        Args:
          weights: (R, P) how often each person counts.
          far: false accept rate, over the strangers' probes.

        Returns:
          (R,) fractions; NaN where no probe counts.
        """
        order = np.argsort(self.strangers, kind="stable")
        passed = np.cumsum(weights[:, self.stranger_people[order]], axis=1)
        allowed = np.floor(far * passed[:, -1] + 1e-9)
        # The threshold lies below the first stranger's distance that would be one too many.
        position = (passed <= allowed[:, None]).sum(axis=1)
        limit = np.append(self.strangers[order], np.inf)[position]
        hits = self.first & (self.known[None, :] < limit[:, None])
        counts = weights[:, self.known_people]
        with np.errstate(invalid="ignore"):
            return (hits * counts).sum(axis=1) / counts.sum(axis=1)


@dataclass(frozen=True)
class OpenSetLists:
    """LFW's open-set protocols (Guenther, Cruz, Rudd, Boult, CVPRW 2017, arXiv:1705.01567), as positions in the set.

    Attributes:
      enrolled: the first three images of people with more than three.
      known: the others of these.
      strangers: "o1" (people with two or three images), "o2" (with one), "o3" (both) -> their probes.
    """

    enrolled: np.ndarray
    known: np.ndarray
    strangers: dict[str, np.ndarray]

    @classmethod
    def read(cls, folder: Path, sources: Sequence[str]) -> "OpenSetLists":
        """Reads enroll.txt, probe_known.txt, probe_unknown_o1.txt and probe_unknown_o2.txt, one image name a line.

        Raises:
          UserError: a file is not there, or names images that the set has not.
        """
        names = ("enroll", "probe_known", "probe_unknown_o1", "probe_unknown_o2")
        enrolled, known, few, one = (
            positions_of(read_lines(folder / f"{each}.txt"), sources, folder) for each in names
        )
        return cls(enrolled, known, {"o1": few, "o2": one, "o3": np.concatenate([few, one])})

    def estimates(
        self,
        templates: Shaped[np.ndarray, "N D"],
        gallery: Shaped[np.ndarray, "N D"],
        people: Shaped[np.ndarray, " N"],
        counts: Shaped[np.ndarray, "R P"],
    ) -> dict[str, Estimate]:
        """DIR at FAR 1 % of each protocol: by the best of a person's three images, and by their mean.

        Args:
          templates: (N, D) of the set's images as they are searched for.
          gallery: (N, D) as they are enrolled.
          people: (N,) number of each image's person.
          counts: (R, P) of `bootstrap.draw_counts`.
        """
        owners = people[self.enrolled]
        persons = np.unique(owners)
        sums = np.stack([gallery[self.enrolled[owners == person]].sum(axis=0) for person in persons])
        galleries = {
            "dir_at_far_1e-2": (gallery[self.enrolled], owners),
            "dir_at_far_1e-2_mean_template": (sums / np.linalg.norm(sums, axis=1, keepdims=True), persons),
        }
        found = {}
        for name, strangers in self.strangers.items():
            probes = np.concatenate([self.known, strangers])
            metrics, samples = {}, {}
            for metric, (enrolled, whose) in galleries.items():
                searches = Searches.of(templates[probes], people[probes], enrolled, whose)
                metrics[metric] = float(searches.rates(np.ones((1, counts.shape[1]), np.int32))[0])
                samples[metric] = searches.rates(counts)
            found[f"open_set_{name}"] = Estimate(metrics, samples)
        return found


def read_lines(file: Path) -> list[str]:
    """The lines of a list of images that are not empty.

    Raises:
      UserError: the file cannot be read.
    """
    try:
        return [line.strip() for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"{file}: cannot be read ({error}); give the folder of the protocols' files, --config.protocol_files=DIR"
        ) from error


def positions_of(names: Sequence[str], sources: Sequence[str], where: object) -> Integer[np.ndarray, " n"]:
    """Positions in the set of images that a protocol names, as "Aaron_Eckhart_0001" or with ".jpg".

    Raises:
      UserError: the set has not all of them; says how many, and one.
    """
    places = {image_key(source): position for position, source in enumerate(sources)}
    wanted = [image_key(name) for name in names]
    missing = [name for name, key in zip(names, wanted, strict=True) if key not in places]
    if missing:
        raise UserError(
            f"{where}: names {len(missing):,} images that are not among the {len(sources):,} of the set, as "
            f"{missing[0]}; prepare all of LFW, or leave the protocol out of config.protocols"
        )
    return np.asarray([places[key] for key in wanted], np.int64)
