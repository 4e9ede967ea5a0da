"""Description of a comparison beside its figures: methods, data, licenses and settings."""

import json
import math
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ml_collections import ConfigDict

from lowres_jax.evaluation import verification_bootstrap
from lowres_jax.evaluation.evaluation_set import EvaluationSet
from lowres_jax.evaluation.identification_bootstrap import FARS
from lowres_jax.pretrained import cards
from lowres_jax.recognition import onnx_model
from lowres_jax.report.comparison.wording import joined, printed

# An operating point that rests on fewer false accepts is hardly known.
_FEW_FALSE_ACCEPTS = 10


def described(subjects: EvaluationSet) -> str:
    """The images in words: "400 images of 40 people; 1,200 pairs in 10 folds"."""
    people = len(np.unique(subjects.labels))
    pairs = f"{len(subjects.pairs):,} pairs in {len(np.unique(subjects.folds))} folds"
    return f"{len(subjects.images):,} images of {people:,} people; {pairs}"


def notes(subjects: EvaluationSet, config: ConfigDict, made_pairs: bool) -> list[str]:
    """Remarks on the data and the run.

    Args:
      subjects: images and pairs that were measured.
      config: config of the comparison.
      made_pairs: true if the pairs were made here, not part of the set.
    """
    found = []
    if subjects.chosen_folds:
        chosen = joined([str(fold) for fold in subjects.chosen_folds])
        found.append(
            f"A subset: the pairs of folds {chosen}, and in open-set identification every image of the people in them. "
            "Every method was measured on the same images; figures of other subsets cannot be compared with these."
        )
    if config.images_per_person:
        found.append(
            f"Of each person the first {config.images_per_person} images were taken, to keep the run short: "
            "--config.images_per_person=0 takes all."
        )
    half = int(subjects.same.sum())
    found.append(
        f"The pairs were made from the identities by seed {config.seed}: folds of disjoint people, {half:,} pairs of "
        f"one person and {len(subjects.same) - half:,} of two."
        if made_pairs
        else f"The pairs are those of LFW's View 2: {half:,} of one person and {len(subjects.same) - half:,} of two."
    )
    impostors = len(subjects.same) - half
    if impostors < 10_000:
        found.append(
            f"TAR at FAR 0.1 % allows {impostors // 1000 or 'none'} of the {impostors:,} impostor pairs: it is a hint."
        )
    searches = len(subjects.labels)
    few = math.floor(FARS["dir_at_far_1e-2"] * searches + 1e-9)
    if few < _FEW_FALSE_ACCEPTS:
        found.append(
            f"FAR 1 % allows {few or 'none'} of the {searches:,} searches to be false: DIR there rests on "
            f"{'that one' if few == 1 else 'so few'}, and its interval cannot show all of its chance. It is a hint."
        )
    people, folds = len(np.unique(subjects.labels)), len(np.unique(subjects.folds))
    found.append(
        f"Intervals: {config.resamples:,} resamples of the {people:,} people (identification, picture) and of the "
        f"{folds} folds (pairs), the same for every method, thresholds chosen again in each."
    )
    if folds < verification_bootstrap.FEWEST_FOLDS:
        found.append(
            f"{folds} folds are too few to carry an interval, so pair accuracies stand without one: with fewer than "
            f"{verification_bootstrap.FEWEST_FOLDS} folds, all may differ in one direction by chance."
        )
    if config.flip_sum:
        found.append("Templates are the sum of the embeddings of an image and its mirror.")
    return found


def _taught_by(name: str, room: str) -> set[str]:
    """The recognizers in a model's losses."""
    return set(cards.load_card(name, room).training.get("judges", "").split(", ")) - {""}


def taught(upscalers: Sequence[str], recognizer: str) -> list[str]:
    """The upscalers in one of whose losses a recognizer was, by the model cards.

    A recognizer that has learned another's templates sees as that one does.
    """
    if recognizer == onnx_model.NAME:
        return []
    seen = {recognizer, *_taught_by(recognizer, "recognition")}
    return [name for name in upscalers if _taught_by(name, "super_resolution") & seen]


def trained_against(upscalers: Sequence[str], recognizers: Sequence[str]) -> list[str]:
    """A remark on every upscaler that was trained against a recognizer that judges it here."""
    found = []
    for name in upscalers:
        both = [printed(judge) for judge in recognizers if taught([name], judge)]
        if both:
            found.append(
                f"{joined(both)} {'was' if len(both) == 1 else 'were'} part of the training of {printed(name)}: what "
                f"{'it says' if len(both) == 1 else 'they say'} of that here is no independent judgement. Look at the "
                "other recognizers, or add one (--config.recognizers=sface,dlib)."
            )
    return found


def trained_on(upscalers: Sequence[str], recognizers: Sequence[str], dataset: str) -> list[str]:
    """A remark on every model that was trained on the set that it is compared on, by its card.

    Args:
      upscalers: names of their cards.
      recognizers: names of their cards; "onnx" has none.
      dataset: name of the prepared set, builder/variant; other variants of a builder are the same people.
    """
    found = []
    for room, names in (("super_resolution", upscalers), ("recognition", recognizers)):
        for name in names:
            data = "" if name == onnx_model.NAME else cards.load_card(name, room).training.get("data", "")
            if data and data.partition("/")[0] == dataset.partition("/")[0]:
                found.append(f"{printed(name)} was trained on this very set: what is said of it here is no test.")
    return found


def licenses(directory: Path, upscalers: Sequence[str], recognizers: Sequence[str]) -> dict[str, str]:
    """Licenses and sources, by name: of the prepared set, and of every model's weights, from its card."""
    info = json.loads((directory / "dataset_info.json").read_text(encoding="utf-8"))
    found = {"Faces": " ".join(info[key] for key in ("description", "citation") if info.get(key))}
    for room, names in (("super_resolution", upscalers), ("recognition", recognizers)):
        for name in names:
            if name == onnx_model.NAME:
                found["ONNX"] = "A file of the user's own, by config.onnx.path."
                continue
            card = cards.load_card(name, room)
            if card.weights:
                found[printed(name)] = f"{card.license}. {card.source}"
    return found


def command_line() -> str:
    """The command that the user typed, or "" where the comparison was called from Python."""
    if Path(sys.argv[0]).name != "main.py":
        return ""
    return f"python -m lowres_jax.main {shlex.join(sys.argv[1:])}"


def detectors(folder: Path) -> tuple[bytes | None, str]:
    """The picture gallery that a comparison of detectors left in its workdir, and a caption; None without one."""
    gallery, figures = folder / "gallery.png", folder / "detectors.json"
    if not (gallery.is_file() and figures.is_file()):
        return None, ""
    result = json.loads(figures.read_text(encoding="utf-8"))
    total, found, speed = result["images"], result["found"], result["images_per_second"]
    caption = (
        f"MTCNN finds a face in {found['mtcnn']:,} of {total:,} pictures ({speed['mtcnn']:.0f} images/s), "
        f"Haar in {found['haar']:,} ({speed['haar']:.0f} images/s). The kinds of outcome, with examples:"
    )
    return gallery.read_bytes(), caption
