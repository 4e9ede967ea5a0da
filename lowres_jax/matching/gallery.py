"""A gallery of known people, each with one template, and who is shown on which pictures of a folder."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from jaxtyping import Float, Integer, Shaped

from lowres_jax.data.people import person_names
from lowres_jax.data.picture_files import is_hidden
from lowres_jax.utils import filenames

_CHUNK = 1024  # similarities of which the largest is read first


@dataclass(frozen=True)
class Match:
    """An enrolled person as the answer to a search.

    Attributes:
      name: name of the person.
      similarity: cosine of the person's template and the searched one.
    """

    name: str
    similarity: float


class Searchable(Protocol):
    """People whose templates can be searched."""

    def search(self, template: Float[np.ndarray, " D"], ranks: int, similarity: float) -> list[Match]:
        """See `Gallery.search`."""


class Gallery:
    """Known people, each with one template: the mean of the templates of all their pictures, at unit length.

    The mean is kept rather than the best of all pictures because what single pictures add by pose and light averages
    out, a chance likeness to one unlucky picture does not decide, and a search costs the same however many pictures a
    person has. docs/identify.md has the measured difference.

    Attributes:
      names: (P,) of the people, in the order given.
      templates: (P, dimension) float32 unit vectors.
    """

    def __init__(self, templates: Mapping[str, Sequence[np.ndarray]]):
        """Enrolls people.

        Args:
          templates: name -> one unit vector or more.
        """
        self.names = list(templates)
        self.templates = np.stack([mean_template(np.stack(list(own))) for own in templates.values()])

    def search(self, template: Float[np.ndarray, " D"], ranks: int, similarity: float) -> list[Match]:
        """The most similar people, most similar first; of equally similar ones in the order of `names`.

        Args:
          template: template of the searched face.
          ranks: number of matches to give.
          similarity: everybody who reaches it is told of, too.
        """
        similarities = self.templates @ template
        order = most_similar(similarities, ranks, similarity)
        return [Match(self.names[number], float(similarities[number])) for number in order]


def most_similar(similarities: Shaped[np.ndarray, " P"], ranks: int, similarity: float) -> Integer[np.ndarray, " n"]:
    """Places of the most similar, and of all that reach a similarity; of equally similar ones in their order.

    Args:
      similarities: (P,).
      ranks: smallest number of matches to give, if there are so many.
      similarity: see above.
    """
    # The least similarity that is among the first: whoever has it may be among them.
    ranks = min(ranks, len(similarities))
    last = _largest(similarities, ranks) if ranks else np.inf
    found = np.flatnonzero(similarities >= min(last, similarity))
    order = found[np.argsort(-similarities[found], kind="stable")]
    return order[: max(ranks, int(np.sum(similarities[order] >= similarity)))]


def _largest(values: np.ndarray, place: int) -> float:
    """The value that is largest but `place` - 1 others."""
    if len(values) > 4 * place * _CHUNK:
        # As many chunks have a larger maximum, so that as many values are larger: few are left to be sorted.
        maxima = values[: len(values) // _CHUNK * _CHUNK].reshape(-1, _CHUNK).max(axis=1)
        values = values[values >= np.partition(maxima, len(maxima) - place)[len(maxima) - place]]
    return float(np.partition(values, len(values) - place)[len(values) - place])


def mean_template(templates: Shaped[np.ndarray, "n D"]) -> Float[np.ndarray, " D"]:
    """Unit vectors (n, D) -> the unit vector (D,) of their mean."""
    total = templates.sum(axis=0)
    return total / max(float(np.linalg.norm(total)), 1e-12)


def people_in(folder: Path, paths: Sequence[Path]) -> dict[str, list[Path]]:
    """Pictures of each person, see `data.people`.

    Args:
      folder: the gallery, or the one picture that is it.
      paths: pictures in it.

    Returns:
      name -> pictures, none for a subfolder without any; names in alphabetical order.

    Raises:
      UserError: two names look the same.
    """
    relatives = [path.relative_to(folder) if folder.is_dir() else Path(path.name) for path in paths]
    subfolders = folder.iterdir() if folder.is_dir() else ()
    people: dict[str, list[Path]] = {
        filenames.of_person(each.name): [] for each in subfolders if each.is_dir() and not is_hidden(each.name)
    }
    for path, name in zip(paths, person_names(relatives, folder), strict=True):
        people.setdefault(name, []).append(path)
    return dict(sorted(people.items()))


def people_of_several_folders(folder: Path, people: Mapping[str, Sequence[Path]]) -> dict[str, list[str]]:
    """People whose pictures lie in several subfolders: as if the gallery had been chosen one level too high.

    Returns:
      name -> the subfolders' names.
    """
    found = {}
    for name, paths in people.items():
        inside = [path.relative_to(folder).parts for path in paths] if folder.is_dir() else []
        subfolders = sorted({filenames.printable(parts[1]) for parts in inside if len(parts) > 2})
        if len(subfolders) > 1:
            found[name] = subfolders
    return found
