"""The data of a comparison: images, the people on them, and pairs in folds."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np
from jaxtyping import Bool, Shaped
from ml_collections import ConfigDict

from lowres_jax.data.records import RecordSource
from lowres_jax.errors import UserError
from lowres_jax.evaluation import verification
from lowres_jax.evaluation.protocols import LabelErrors


@dataclass(frozen=True)
class EvaluationSet:
    """The images and pairs that every method is measured on.

    Attributes:
      images: (N,) positions in the whole set, ascending.
      labels: (N,) identities.
      names: (N,) name of the person on each image.
      detected: (N,) bool: whether the detector found the face.
      pairs: (P, 2) positions in `images`.
      same: (P,) bool.
      folds: (P,) fold of each pair, from 1.
      chosen_folds: the folds from which people and pairs were taken; empty where they are the whole set.
    """

    images: np.ndarray
    labels: np.ndarray
    names: np.ndarray
    detected: np.ndarray
    pairs: np.ndarray
    same: np.ndarray
    folds: np.ndarray
    chosen_folds: tuple[int, ...] = ()

    @classmethod
    def of_records(cls, source: RecordSource, config: ConfigDict) -> "EvaluationSet":
        """The images of a prepared set, with LFW's own pairs or pairs made from the identities.

        Args:
          source: the prepared set.
          config: config of the task compare: images and number of pairs.

        Raises:
          UserError: LFW's pairs need other images, or too few people for the pairs.
        """
        labels, names, detected = source.labels, source.names, source.detected
        if source.has_pairs:
            if config.images_per_person:
                raise UserError(
                    "config.images_per_person: the pairs of LFW need all images; set 0, and choose config.folds"
                )
            found = source.pairs("view2")
            pairs = np.stack([found.first, found.second], axis=1)
            return cls(np.arange(len(labels)), labels, names, detected, pairs, found.same, found.fold + 1)
        folds = config.made_folds
        if config.input:
            # Each fold has two people or more of whom there are two images.
            several = int(np.sum(np.unique(labels, return_counts=True)[1] > 1))
            fitting = max(min(folds, several // 2), 2)
            if fitting < folds:
                print(f"{several} people with two images or more: pairs in {fitting} folds instead of {folds}")
            folds = fitting
        try:
            return cls.paired(
                labels,
                names,
                detected,
                config.images_per_person,
                folds,
                config.made_pairs_per_fold,
                config.seed,
            )
        except ValueError as error:
            raise UserError(
                f"config.made_folds={folds}, config.made_pairs_per_fold={config.made_pairs_per_fold}: {error}"
            ) from error

    @classmethod
    def paired(
        cls,
        labels: Shaped[np.ndarray, " N"],
        names: Shaped[np.ndarray, " N"],
        detected: Bool[np.ndarray, " N"],
        images_per_person: int,
        number_of_folds: int,
        pairs_per_fold: int,
        seed: int,
    ) -> "EvaluationSet":
        """A set without pairs of its own: the first images of each person, with pairs made of them.

        Args:
          labels: (N,) identities.
          names: (N,) of the person on each image.
          detected: (N,) bool.
          images_per_person: largest number of images of a person; 0 for all.
          number_of_folds: number of folds, see `verification.make_pairs`.
          pairs_per_fold: number of pairs in each fold, half of them of one person.
          seed: random seed of the pairs.

        Raises:
          ValueError: too few people for so many folds, or fewer than two folds or pairs.
        """
        images = np.arange(len(labels))
        if images_per_person:
            by_person = np.argsort(labels, kind="stable")
            starts = np.searchsorted(labels[by_person], labels[by_person])
            images = np.sort(by_person[np.arange(len(labels)) - starts < images_per_person])
        pairs, same, folds = verification.make_pairs(labels[images], number_of_folds, pairs_per_fold, seed)
        return cls(images, labels[images], names[images], detected[images], pairs, same, folds)

    @property
    def people(self) -> Shaped[np.ndarray, " N"]:
        """(N,) number of each image's person, from 0."""
        return np.unique(self.labels, return_inverse=True)[1]

    @property
    def undetected(self) -> int:
        """In how many images no face was found."""
        return int((~self.detected).sum())

    def without(self, errors: LabelErrors, sources: Sequence[str]) -> "EvaluationSet":
        """The set without images that show somebody else, and with people of two names as one.

        Pairs of an image that is left out are left out too; one of the same person under two names counts as such.

        Args:
          errors: known ones.
          sources: file names of all images of the whole set.

        Raises:
          UserError: the set has none of the images and names.
        """
        keys = [str(PurePosixPath(sources[position]).stem) for position in self.images]
        kept = np.asarray([key not in errors.excluded for key in keys])
        label_of = dict(zip(self.names.tolist(), self.labels.tolist(), strict=True))
        labels = self.labels.copy()
        for name, other in errors.same_person.items():
            if name in label_of and other in label_of:
                labels[labels == label_of[name]] = label_of[other]
        if kept.all() and (labels == self.labels).all():
            raise UserError("config.label_errors: none of its images and names are in this set; leave it out")
        whole = kept[self.pairs].all(axis=1)
        places = np.cumsum(kept) - 1
        pairs = self.pairs[whole]
        return EvaluationSet(
            images=self.images[kept],
            labels=labels[kept],
            names=self.names[kept],
            detected=self.detected[kept],
            pairs=places[pairs],
            same=labels[pairs[:, 0]] == labels[pairs[:, 1]],
            folds=self.folds[whole],
            chosen_folds=self.chosen_folds,
        )

    def only(self, folds: Sequence[int]) -> "EvaluationSet":
        """The pairs of some folds, and every image of the people in them.

        Args:
          folds: numbers from 1; none means all.

        Raises:
          UserError: a fold that is not there, or only one (its threshold is chosen on the others).
        """
        if not folds:
            return self
        valid = [int(fold) for fold in np.unique(self.folds)]
        for fold in folds:
            if fold not in valid:
                raise UserError(f"config.folds: there is no fold {fold}, only {valid[0]} to {valid[-1]}")
        if len(set(folds)) < 2:
            raise UserError("config.folds: one fold is too few, as its threshold is chosen on others; name two or more")
        kept = np.isin(self.folds, folds)
        pairs = self.pairs[kept]
        images = np.flatnonzero(np.isin(self.labels, self.labels[pairs.ravel()]))
        return EvaluationSet(
            images=self.images[images],
            labels=self.labels[images],
            names=self.names[images],
            detected=self.detected[images],
            pairs=np.searchsorted(images, pairs),
            same=self.same[kept],
            folds=self.folds[kept],
            chosen_folds=tuple(sorted(set(folds))),
        )
