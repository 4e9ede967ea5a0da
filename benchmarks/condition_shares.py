"""Measures the mean of templates of small faces, and which share of it to take away, for the cards that come along.

    python benchmarks/condition_shares.py [--upscalers bicubic identity@24+32] [--write]

Needs the set of the trainings (configs/prepare_casia_webface.py), and LFW for its strangers (configs/prepare_lfw.py).
Originals are enrolled, small faces searched for, among the people held out and among them and all the strangers:
against few people more is nearly always better, in a large gallery it can harm. A share is chosen where it harms in
neither. Templates are kept; centering.json has the figures; with --write the cards have the result, and identify uses
it from then on. What was measured: docs/identify.md. A model of one's own gets its mean by export_weights.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from lowres_jax.data.records import RecordSource, open_records
from lowres_jax.data.splits import split_identities
from lowres_jax.evaluation.centering import centered, condition_mean
from lowres_jax.evaluation.identification import (
    detection_and_identification_rate,
    enrolled_search,
    threshold_at_far,
)
from lowres_jax.evaluation.measurement import NONE, RAW, Method
from lowres_jax.evaluation.passes import Measurements, measure_all, planned_methods
from lowres_jax.evaluation.validation import evenly
from lowres_jax.localization.align import CROP_SIZE
from lowres_jax.pretrained import cards, conditions
from lowres_jax.pretrained.conditions import ORIGINAL, Condition
from lowres_jax.recognition.recognizer import load_recognizer
from lowres_jax.runtime import cli, environment
from lowres_jax.super_resolution.upscaler import load_upscaler
from lowres_jax.utils.files import write_atomically
from lowres_jax.utils.shapes import Labels, Templates

FAR = 0.01
_ORIGINALS = Method(CROP_SIZE, NONE)


@dataclass(frozen=True)
class Trial:
    """People to be found, of whom the first image is enrolled and every other one searched for.

    Attributes:
      labels: (N,) identities of the images.
      originals: (N, D) templates of the images as they are.
      strangers: (S, D) templates of people enrolled besides, one each, who are never searched for.
      mean: (D,) mean of the condition of all of these.
    """

    labels: Labels
    originals: Templates
    strangers: Float[np.ndarray, "strangers dimension"]
    mean: np.ndarray

    def rate(self, probes: Templates, mean: np.ndarray, share: float, enrolled_share: float, strangers: int) -> float:
        """DIR at FAR 1 %, rank 1.

        Args:
          probes: (N, D) templates of the same images as they are searched for.
          mean: (D,) mean of their condition.
          share: share of it that is taken from them.
          enrolled_share: share of the originals' mean that is taken from what is enrolled.
          strangers: number of strangers that are enrolled.
        """
        first = np.unique(self.labels, return_index=True)[1]
        searched = np.setdiff1d(np.arange(len(self.labels)), first)
        gallery = centered(
            np.concatenate([self.originals[first], self.strangers[:strangers]]), self.mean, enrolled_share
        )
        # Nobody who is searched for has a label below 0.
        enrolled = np.concatenate([self.labels[first], -1 - np.arange(strangers)])
        found = enrolled_search(centered(probes[searched], mean, share), self.labels[searched], gallery, enrolled)
        return detection_and_identification_rate(found, threshold_at_far(found, FAR), 1)


def choose(rates: Mapping[float, Sequence[float]]) -> float:
    """The share with the greatest sum of rates among those that are below those of share 0 in no trial.

    Args:
      rates: share -> rate of each trial; share 0 must be there.
    """
    before = rates[0.0]
    harmless = [share for share, own in rates.items() if all(a >= b for a, b in zip(own, before, strict=True))]
    return max(harmless, key=lambda share: (sum(rates[share]), -share))


def measure(config: argparse.Namespace) -> None:
    """Measures; the output folder gets centering.json, and with `write` the cards what identify uses.

    Raises:
      UserError: a name that cannot be, a set that is not prepared, cards that cannot be written.
    """
    methods = [each for each in planned_methods(config.upscalers, config.lr_sizes) if each.upscaler != RAW]
    folder = environment.datasets_folder()
    source = open_records(folder / config.dataset)
    crowd = open_records(folder / config.strangers) if config.strangers else None
    recognizers = {name: load_recognizer(name) for name in config.recognizers}
    upscalers = {name: load_upscaler(name) for name in dict.fromkeys(each.upscaler for each in methods) if name != NONE}
    split = split_identities(source.labels, config.held_out, config.seed)
    others = split.training[evenly(len(split.training), config.images)]
    images = np.sort(np.concatenate([split.validation, others]))

    def measured(of: RecordSource, positions: np.ndarray, name: str, own: list[Method]) -> Measurements:
        kept = config.output / "measurements" / name.replace("/", "-")
        return measure_all(of, positions, kept, own, upscalers, recognizers)

    found = measured(source, images, config.dataset, methods)
    first = np.unique(crowd.labels, return_index=True)[1] if crowd else np.zeros(0, np.int64)
    strangers = measured(crowd, first, config.strangers, [_ORIGINALS])[_ORIGINALS] if crowd else {}
    report = {}
    for judge in recognizers:
        templates = {method: each[judge].templates for method, each in found.items()}
        trial = Trial(
            source.labels[split.validation],
            templates[_ORIGINALS][split.validation],
            strangers[judge].templates[first] if crowd else templates[_ORIGINALS][:0],
            condition_mean(templates[_ORIGINALS][others]),
        )
        probes = {method: each[split.validation] for method, each in templates.items()}
        means = {method: condition_mean(each[others]) for method, each in templates.items()}
        report[judge] = _chosen(judge, trial, probes, means, config.shares)
        if config.write:
            _write(judge, means, report[judge])
    with write_atomically(config.output / "centering.json") as file:
        file.write(json.dumps({"config": vars(config), "judges": report}, indent=1, default=str).encode() + b"\n")
    print(config.output / "centering.json")


def _chosen(
    judge: str,
    trial: Trial,
    probes: dict[Method, np.ndarray],
    means: dict[Method, np.ndarray],
    shares: Sequence[float],
) -> list[dict[str, Any]]:
    """Chooses and prints: first the share of what is enrolled, one for all, then with it that of each condition."""
    sizes = sorted({0, len(trial.strangers)})
    small = [method for method in probes if method.upscaler != NONE] or list(probes)
    rates = {
        share: [trial.rate(probes[each], means[each], share, share, size) for each in small for size in sizes]
        for share in (0.0, *shares)
    }
    # One condition that loses a little is not to keep all the others from gaining: the sum over them, by gallery.
    sums = {share: [sum(own[place :: len(sizes)]) for place in range(len(sizes))] for share, own in rates.items()}
    enrolled = choose(sums)
    people = [f"{len(np.unique(trial.labels)) + size:,} enrolled" for size in sizes]
    print(f"\n{judge}: originals enrolled less {enrolled:g} of their mean; DIR at FAR 1 %, %")
    columns = "".join(f"{f'less {share:g}':>12}" for share in shares) if enrolled else ""
    print(f"{'':30}{'':14}{'as they are':>12}{columns}   chosen")
    rows = []
    for method, own in probes.items():
        # What is enrolled and what is searched for are centered both, or neither.
        by_share = {
            share: [trial.rate(own, means[method], share, enrolled if share else 0.0, size) for size in sizes]
            for share in (0.0, *(shares if enrolled else ()))
        }
        share = enrolled
        if enrolled and method.upscaler != NONE:
            share = max(shares, key=lambda each: sum(by_share[each]))
        for place, label in enumerate(people):
            values = "".join(f"{100 * each[place]:12.1f}" for each in by_share.values())
            print(f"{'' if place else str(method):30}{label:>14}{values}" + ("" if place else f"   {share:g}"))
        rows.append(
            {
                "upscaler": method.upscaler,
                "lr_size": method.lr_size,
                "share": share,
                "mean_length": float(np.linalg.norm(means[method])),
                "rates": [
                    {"share": share, "enrolled": int(len(np.unique(trial.labels)) + size), "dir_at_far_1e-2": rate}
                    for share, each in by_share.items()
                    for size, rate in zip(sizes, each, strict=True)
                ],
            }
        )
    return rows


def _write(judge: str, means: dict[Method, np.ndarray], rows: list[dict[str, Any]]) -> None:
    """Puts a judge's conditions into the cards: the originals' into its own, the others into the upscalers'."""
    measured: dict[str, dict[int, Condition]] = {}
    for row in rows:
        method = Method(row["lr_size"], row["upscaler"])
        card, size = (judge, ORIGINAL) if method == _ORIGINALS else (method.upscaler, method.lr_size)
        measured.setdefault(card, {})[size] = Condition(row["share"], means[method])
    for name, own in measured.items():
        room = "recognition" if name == judge else "super_resolution"
        print(f"{conditions.write(cards.load_card(name, room), {judge: own})}: written")


def main(given: Sequence[str] | None = None) -> None:
    """Reads the command line, and measures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", default="casia_webface/mtcnn_jpeg")
    parser.add_argument("--held_out", type=float, default=0.05, help="share of its people, on whom shares are chosen")
    parser.add_argument("--images", type=int, default=600, help="images of the others, whose mean it is")
    parser.add_argument("--strangers", default="lfw/mtcnn", help='set enrolled besides; "": none')
    default = ["bicubic", "srresnet", "identity@24+32+48+64", "identity_x8@8+16"]
    parser.add_argument("--upscalers", nargs="+", default=default)
    parser.add_argument("--lr_sizes", type=int, nargs="+", default=[8, 16, 24, 32, 48, 64])
    parser.add_argument("--recognizers", nargs="+", default=["sface"])
    parser.add_argument("--shares", type=float, nargs="+", default=[0.25, 0.5, 0.75, 1.0])
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=Path("workdirs/condition_shares"))
    environment.enable_compilation_cache()
    measure(parser.parse_args(given))


if __name__ == "__main__":
    cli.run(main)
