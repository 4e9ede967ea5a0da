"""Any enlargement by its name: what the other stages know of super-resolution."""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from jaxtyping import Float

from lowres_jax.data import resize
from lowres_jax.errors import UserError
from lowres_jax.nn.batching import BatchedApply
from lowres_jax.pretrained import cards
from lowres_jax.super_resolution import interpolation
from lowres_jax.utils import filenames
from lowres_jax.utils.shapes import Images

# Faces that are larger or smaller by this factor than those of the training count as of another size.
_ANOTHER_SIZE = 1.75
# A face of so many pixels has all that a recognizer and an eye need; a network would take minutes to add to it.
LARGE_FACE = 256
# A model made for degraded faces harms where faces are half as large as those of its training (docs/results.md).
_LEAST_RATIO_DEGRADED = 0.75
_NAMED = 5  # pictures in a remark
_RESEARCH_ONLY = "research only"  # as cards of models begin, whose data are


class Upscaler:
    """Enlarges batches of images by a fixed factor; a network is compiled once for each image size.

    Attributes:
      name: name of its model card.
      scale: enlargement of each side.
      card: model card.
      made_for: side in pixels of the faces it was trained for; 0 where its card does not say.
      for_degraded: True for a model trained on blurred, noisy and compressed faces.
    """

    def __init__(self, card: cards.Card, scale: int, enlarge: Callable[[np.ndarray], np.ndarray]):
        self.name = card.name
        self.card = card
        self.scale = scale
        self.made_for: int = card.training.get("lr_size", 0)
        self.for_degraded: bool = card.training.get("degraded", False)
        self._enlarge = enlarge

    def __call__(self, images: Images) -> Float[np.ndarray, "batch new_height new_width 3"]:
        """Enlarges images of one size.

        Args:
          images: (B, H, W, 3) float32 RGB in [0, 1]; B may be anything, 0 too.

        Returns:
          (B, scale * H, scale * W, 3) float32 RGB, clipped to [0, 1].
        """
        if images.ndim != 4 or images.shape[-1] != 3:
            raise ValueError(f"an upscaler takes (B, H, W, 3) images, not shape {images.shape}")
        if not len(images):
            return np.zeros((0, images.shape[1] * self.scale, images.shape[2] * self.scale, 3), np.float32)
        return np.clip(self._enlarge(np.asarray(images, np.float32)), 0.0, 1.0)


def load_upscaler(name: str, weights: str | None = None, interpolation_scale: int = 4) -> Upscaler:
    """Loads an upscaler by the name of its model card.

    Args:
      name: a card of `lowres_jax/pretrained/cards`, as "bicubic" or "srgan".
      weights: a weight file of the same format to use instead of the card's own.
      interpolation_scale: enlargement by bilinear and bicubic; networks have their own.

    Raises:
      UserError: there is no such model; its weights are missing, damaged, or another network's.
    """
    return upscaler_of(cards.load_card(name, "super_resolution"), weights, interpolation_scale)


def upscaler_of(card: cards.Card, weights: str | None = None, interpolation_scale: int = 4) -> Upscaler:
    """`load_upscaler` of a card, which may lie anywhere; once a process."""

    def load() -> Upscaler:
        module = cards.build_module(card)
        if isinstance(module, interpolation.Model):
            module = dataclasses.replace(module, scale=interpolation_scale)
            return Upscaler(card, module.scale, module)
        variables = cards.load_variables(card, module, (1, 32, 32, 3), weights)
        return Upscaler(card, module.scale, functools.partial(BatchedApply(module.apply), variables))

    return cards.loaded_once(card, weights, interpolation_scale, load)


class UpscalerBySize:
    """One upscaler for all faces, or several, of which each face gets the one made for its size and condition.

    Attributes:
      members: the upscalers.
      names: theirs, joined by commas.
    """

    def __init__(self, members: Sequence[Upscaler]):
        """Puts upscalers side by side.

        Raises:
          UserError: one of several is made for no size in particular, or for that of another.
        """
        self.members = tuple(members)
        self.names = ",".join(each.name for each in members)
        if len(self.members) == 1:
            return
        for each in self.members:
            if not each.made_for:
                raise UserError(
                    f"config.upscaler={self.names}: {each.name} is made for no size in particular; name it alone"
                )
            same = [other for other in self.members if other.made_for == each.made_for]
            if [other.for_degraded for other in same].count(each.for_degraded) > 1:
                raise UserError(
                    f"config.upscaler={self.names}: several are made for faces of {each.made_for} px; name one of them"
                )

    def of(self, size: int, degraded: bool = False) -> Upscaler:
        """The upscaler of faces of `size` pixels: the one made for the size that is nearest in ratio.

        Args:
          size: side of the face in pixels.
          degraded: True for a noisy or compressed picture: a model made for such faces is taken, where there is one for
            that size.
        """
        if len(self.members) == 1:
            return self.members[0]
        fitting = [
            each
            for each in self.members
            if each.for_degraded and _LEAST_RATIO_DEGRADED <= size / each.made_for <= _ANOTHER_SIZE
        ]
        clean = [each for each in self.members if not each.for_degraded]
        chosen = (fitting if degraded else []) or clean or self.members
        return min(chosen, key=lambda each: max(each.made_for / size, size / each.made_for))

    def for_face(self, size: int, degraded: bool = False, large: int = LARGE_FACE) -> Upscaler:
        """The upscaler of a face: `of`, but bicubic for a face that is large enough as it is.

        Args:
          size: side of the face in pixels.
          degraded: see `of`.
          large: side from which faces are large enough; never above `LARGE_FACE`.
        """
        upscaler = self.of(size, degraded)
        large_enough = size >= min(large, LARGE_FACE)
        return load_upscaler("bicubic", interpolation_scale=upscaler.scale) if large_enough else upscaler

    def license_remark(self) -> str:
        """A line where a member may not be used for everything; "" where all may."""
        bound = [each for each in self.members if each.card.license.startswith(_RESEARCH_ONLY)]
        if not bound:
            return ""
        names, verb = " and ".join(each.name for each in bound), "is" if len(bound) == 1 else "are"
        return f"{names} {verb} for {bound[0].card.license}; --config.upscaler=srresnet is Apache-2.0"

    def remarks(self, pictures: Mapping[int, Sequence[str]]) -> list[str]:
        """`size_remark` of each for the faces it gets.

        Args:
          pictures: side of LR faces in pixels -> names of the pictures that show them.
        """
        own = {each: {size: pictures[size] for size in pictures if self.of(size) is each} for each in self.members}
        return [remark for each, faces in own.items() if (remark := size_remark(each, faces))]


def load_upscaler_by_size(names: Sequence[str], weights: str | None = None) -> UpscalerBySize:
    """Loads one upscaler, or several, by the names of their cards.

    Raises:
      UserError: see `load_upscaler` and `UpscalerBySize`; or weights are given for several.
    """
    if weights and len(names) > 1:
        raise UserError(
            f"config.weights={weights}: a weight file is for one upscaler, config.upscaler={','.join(names)} names more"
        )
    return UpscalerBySize([load_upscaler(name, weights) for name in names])


def size_remark(upscaler: Upscaler, pictures: Mapping[int, Sequence[str]]) -> str:
    """A line where faces are much smaller or larger than those that an upscaler was trained for; "" where none are.

    Args:
      upscaler: any; only cards of models trained here say what they are made for.
      pictures: side of LR faces in pixels -> names of the pictures that show them; may be none.
    """
    own = upscaler.made_for
    others = sorted({int(size) for size in pictures if own and max(size / own, own / size) >= _ANOTHER_SIZE})
    if not others:
        return ""
    made_for = {
        name: cards.load_card(name, "super_resolution").training.get("lr_size", 0)
        for name in cards.names("super_resolution")
        if cards.is_shipped(name)
    }
    better = [
        f"{name} is made for {size} px"
        for name, size in made_for.items()
        if size and any(max(size / other, other / size) < _ANOTHER_SIZE for other in others)
    ]
    span = f"{others[0]} px" if len(others) == 1 else f"{others[0]} to {others[-1]} px"
    advice = f" ({'; '.join(better)})" if better else ""
    names = list(dict.fromkeys(name for size in others for name in pictures[size]))
    shown = ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")
    where = f" ({filenames.printable(shown)})" if names else ""
    return f"{upscaler.name} is made for faces of {own} px; those of {span}{where} are enlarged all the same{advice}"


def enlarge_to(upscaler: Upscaler, images: Images, size: int) -> Float[np.ndarray, "batch {size} {size} 3"]:
    """Enlarges LR faces to the size that recognizers take, by the rules of the comparison protocol.

    The upscaler is applied once; again as long as another application does not pass `size` (a x4 model at 8 px is
    applied twice, at 16 px once; one of scale 1 is applied once). What then is not `size` is resized: bicubic where it
    grows, area where it shrinks.

    Args:
      upscaler: any.
      images: (B, h, h, 3) float32 RGB in [0, 1].
      size: side of the result in pixels.

    Returns:
      (B, size, size, 3) float32 RGB in [0, 1].
    """
    images = upscaler(images)
    while upscaler.scale > 1 and images.shape[1] * upscaler.scale <= size:
        images = upscaler(images)
    if images.shape[1:3] == (size, size):
        return images
    return np.stack([resize.resize(image, size, size) for image in images])
