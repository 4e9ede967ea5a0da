"""Tests of a comparison, and what some of them need beside images and pairs."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Shaped

from lowres_jax.errors import UserError
from lowres_jax.evaluation import blufr
from lowres_jax.evaluation.bootstrap import Estimate
from lowres_jax.evaluation.open_set import OpenSetLists

OPEN_SET_FOLDER = "open_set"


@dataclass(frozen=True)
class Protocols:
    """The tests of a comparison.

    Attributes:
      names: "lfw", "lfw_searcher", "all_against_all", "searcher", "blufr", "open_set".
      trials: BLUFR's trials.
      open_set: lists of the open-set protocols; None without them.
      share: share of the condition's mean that centered templates are without; 0: none are centered.
    """

    names: tuple[str, ...] = ("lfw", "all_against_all")
    trials: Sequence[blufr.Trial] = field(default=())
    open_set: OpenSetLists | None = None
    share: float = 0.0

    @classmethod
    def read(cls, names: Sequence[str], folder: str | None, sources: Sequence[str], share: float) -> "Protocols":
        """Reads the files of those that others wrote.

        Args:
          names: see the class.
          folder: folder of blufr_lfw_config.mat and open_set/.
          sources: file names of all images of the set.
          share: see the class.

        Raises:
          UserError: no folder is given, a file cannot be read or names images that the set has not.
        """
        others = [name for name in names if name in ("blufr", "open_set")]
        if others and not folder:
            raise UserError(
                f"config.protocols={','.join(others)}: give the folder of its files, --config.protocol_files=DIR"
            )
        place = Path(folder or "").expanduser()
        return cls(
            tuple(names),
            blufr.read(place / blufr.FILE, sources) if "blufr" in names else (),
            OpenSetLists.read(place / OPEN_SET_FOLDER, sources) if "open_set" in names else None,
            share,
        )

    def of_others(
        self,
        templates: Shaped[np.ndarray, "N D"],
        originals: Shaped[np.ndarray, "N D"],
        people: Shaped[np.ndarray, " N"],
        counts: Shaped[np.ndarray, "R P"],
    ) -> dict[str, Estimate]:
        """The tests that others wrote: protocol -> estimate.

        Args:
          templates: (N, D) of the whole set under a method.
          originals: (N, D) of the originals; the same array where these are the method.
          people: (N,) number of each image's person.
          counts: (R, P) of `bootstrap.draw_counts`.
        """
        found = {}
        if self.trials:
            found["blufr"] = blufr.estimate(self.trials, templates, templates, people, counts)
            if templates is not originals:
                found["blufr_searcher"] = blufr.estimate(self.trials, templates, originals, people, counts)
        if self.open_set is not None:
            # As in the searcher's case, good pictures are enrolled.
            found |= self.open_set.estimates(templates, originals, people, counts)
        return found


@dataclass(frozen=True)
class LabelErrors:
    """Known label errors of LFW.

    Attributes:
      excluded: stems of the images that show somebody else, as "Ricky_Ray_0001".
      same_person: name -> another name under which the same person goes.
    """

    excluded: frozenset[str]
    same_person: Mapping[str, str]

    @classmethod
    def read(cls, file: Path) -> "LabelErrors":
        """Reads a JSON file with the lists "exclude" and "same_person".

        Raises:
          UserError: the file cannot be read, or is of another kind.
        """
        try:
            content = json.loads(file.expanduser().read_text(encoding="utf-8"))
            return cls(frozenset(content["exclude"]), dict(content["same_person"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(
                f"config.label_errors={file}: no list of label errors ({type(error).__name__}: {error}); it is "
                'JSON with "exclude": [image, ...] and "same_person": {name: name, ...}'
            ) from error
