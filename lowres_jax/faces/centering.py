"""Calibration by condition for searches: every template less a share of what its condition's have in common."""

from collections.abc import Iterable, Mapping

from lowres_jax.evaluation.centering import centered
from lowres_jax.pretrained import cards, conditions
from lowres_jax.pretrained.conditions import ORIGINAL, Condition
from lowres_jax.recognition.recognizer import Recognizer
from lowres_jax.super_resolution.upscaler import Upscaler, UpscalerBySize
from lowres_jax.utils.shapes import Templates


class Centering:
    """Takes from each template its condition's share of the mean; or leaves all as they are.

    Attributes:
      remarks: why it leaves them as they are, where somebody may wonder.
    """

    def __init__(
        self,
        originals: Condition | None = None,
        small: Mapping[Upscaler, Mapping[int, Condition]] | None = None,
        remarks: Iterable[str] = (),
    ):
        """Makes one that knows the conditions given; without any it changes nothing.

        Args:
          originals: the condition of faces that were not enlarged.
          small: upscaler -> size in pixels -> condition of the faces that it enlarged.
          remarks: see the attribute.
        """
        self._originals, self._small = originals, small or {}
        self.remarks = list(remarks)

    @classmethod
    def of_cards(cls, recognizer: Recognizer, upscalers: UpscalerBySize) -> "Centering":
        """Centering by the cards of a recognizer and of upscalers. A card without a table changes nothing.

        A template that is centered and one that is not are not to be compared, so that it is all of them or none.

        Raises:
          UserError: a card's table is damaged.
        """
        judge = recognizer.name
        own = cards.load_card(judge, "recognition")
        originals = conditions.read(own, judge, recognizer.dimension).get(ORIGINAL)
        if originals is None or not originals.share:
            return cls()
        small = {each: conditions.read(each.card, judge, recognizer.dimension) for each in upscalers.members}
        for upscaler, found in small.items():
            if not found:
                others = f"; it has that of {', '.join(upscaler.card.centering)}" if upscaler.card.centering else ""
                return cls(
                    remarks=[
                        f"{upscaler.name}: its card has no centering for {judge}{others}, so that templates are "
                        "compared as they are (export_weights measures it)"
                    ]
                )
        return cls(originals, small)

    def of_small_faces(self, recognizer: Recognizer, upscalers: UpscalerBySize) -> "Centering | None":
        """That of a recognizer of small faces beside this one, by its own card; None where its card lacks a table.

        Raises:
          UserError: a table is damaged.
        """
        if not self.active:
            return Centering()
        card = cards.load_card(recognizer.name, "recognition")
        small = {each: conditions.read(card, each.name, recognizer.dimension) for each in upscalers.members}
        return Centering(self._originals, small) if all(small.values()) else None

    @property
    def active(self) -> bool:
        """True if it changes templates."""
        return self._originals is not None

    def of(self, upscaler: Upscaler | None, size: int) -> tuple[int, Condition]:
        """The condition for a size, and the size it was measured at: of several the nearest in ratio."""
        assert self._originals is not None
        if upscaler is None:
            return ORIGINAL, self._originals
        known = self._small[upscaler]
        nearest = min(known, key=lambda each: max(each / size, size / each))
        return nearest, known[nearest]

    def nearest_sizes(self, upscalers: UpscalerBySize, sizes: Iterable[int]) -> list[str]:
        """A line for each size in pixels that is centered as another, 0 for faces that were not enlarged."""
        if not self.active:
            return []
        found = []
        for size in sorted({size for size in sizes if size}):
            upscaler = upscalers.of(size)
            nearest, _ = self.of(upscaler, size)
            if nearest != size:
                found.append(
                    f"Templates of faces of {size} px are centered as those of {nearest} px, the nearest size on the "
                    f"card of {upscaler.name}."
                )
        return found

    @property
    def described(self) -> list[object]:
        """The parts that templates depend on, for fingerprints."""
        if self._originals is None:
            return []
        every = {ORIGINAL: self._originals} | {
            (upscaler.name, size): each for upscaler, own in self._small.items() for size, each in own.items()
        }
        return [(key, each.share, each.mean.tobytes()) for key, each in every.items()]

    def __call__(self, templates: Templates, upscaler: Upscaler | None, size: int) -> Templates:
        """Templates of one condition, less their share of its mean, of unit length.

        Args:
          templates: unit vectors.
          upscaler: upscaler of the faces; None for faces that were not enlarged.
          size: side in pixels that they were enlarged from.
        """
        if not self.active:
            return templates
        _, condition = self.of(upscaler, size)
        return centered(templates, condition.mean, condition.share)
