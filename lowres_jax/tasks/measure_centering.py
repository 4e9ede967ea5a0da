"""Measures what templates of a condition have in common, and which share of it to take away, for the model cards."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from ml_collections import ConfigDict

from lowres_jax import config_keys
from lowres_jax.data.records import RecordSource, open_records
from lowres_jax.data.splits import split_identities
from lowres_jax.errors import UserError
from lowres_jax.evaluation import condition_shares
from lowres_jax.evaluation.centering import condition_mean
from lowres_jax.evaluation.condition_shares import Trial
from lowres_jax.evaluation.measurement import NONE, RAW, Method
from lowres_jax.evaluation.passes import Measurements, measure_all, planned_methods
from lowres_jax.evaluation.validation import evenly
from lowres_jax.localization.align import CROP_SIZE
from lowres_jax.pretrained import cards, conditions
from lowres_jax.pretrained.conditions import ORIGINAL, Condition
from lowres_jax.recognition.recognizer import load_recognizer
from lowres_jax.runtime import environment
from lowres_jax.settings.centering import KEYS
from lowres_jax.super_resolution.upscaler import load_upscaler
from lowres_jax.utils.files import try_folder, write_atomically

_ORIGINALS = Method(CROP_SIZE, NONE)


def run(config: ConfigDict, workdir: Path) -> None:
    """Measures; the workdir gets centering.json, and with `config.write` the cards what identify uses.

    Raises:
      UserError: a name that cannot be, a set that is not prepared, cards that cannot be written.
    """
    config_keys.check(config, KEYS)
    methods = [each for each in planned_methods(config.upscalers, config.lr_sizes) if each.upscaler != RAW]
    folder = environment.datasets_folder(config.data_dir)
    source = open_records(folder / config.dataset)
    crowd = open_records(folder / config.strangers) if config.strangers else None
    recognizers = {name: load_recognizer(name) for name in config.recognizers}
    upscalers = {name: load_upscaler(name) for name in dict.fromkeys(each.upscaler for each in methods) if name != NONE}
    try_folder(workdir)
    split = split_identities(source.labels, config.held_out, config.seed)
    others = split.training[evenly(len(split.training), config.images)]
    images = np.sort(np.concatenate([split.validation, others]))

    def measured(of: RecordSource, positions: np.ndarray, name: str, own: list[Method]) -> Measurements:
        kept = Path(config.measurements or workdir / "measurements") / name.replace("/", "-")
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
    with write_atomically(workdir / "centering.json") as file:
        file.write(json.dumps({"config": config.to_dict(), "judges": report}, indent=1).encode() + b"\n")
    print(workdir / "centering.json")


def _chosen(
    judge: str,
    trial: Trial,
    probes: dict[Method, np.ndarray],
    means: dict[Method, np.ndarray],
    shares: tuple[float, ...],
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
    enrolled = condition_shares.choose(sums)
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
        try:
            print(f"{conditions.write(cards.load_card(name, room), {judge: own})}: written")
        except OSError as error:
            raise UserError(f"{name}: its card cannot be written ({error}); the figures are in the workdir") from error
