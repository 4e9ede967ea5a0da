"""Takes home what a visit brought: models that an outside judge finds better, figures and plot."""

import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from ml_collections import ConfigDict

from lowres_jax import config_keys
from lowres_jax.data.degradations import low_resolution
from lowres_jax.data.records import open_records
from lowres_jax.errors import UserError
from lowres_jax.evaluation import image_quality
from lowres_jax.evaluation.validation import View1
from lowres_jax.pretrained import cards
from lowres_jax.recognition.recognizer import Recognizer, load_recognizer
from lowres_jax.report import visit_page
from lowres_jax.runtime import environment
from lowres_jax.settings.visits import RESULTS_KEYS as KEYS
from lowres_jax.super_resolution.upscaler import Upscaler, enlarge_to, load_upscaler, upscaler_of
from lowres_jax.training import origins
from lowres_jax.utils.files import write_atomically
from lowres_jax.visit import results

_FALLBACK = "bicubic"  # what a model for a new size has to beat


def run(config: ConfigDict, workdir: Path) -> None:
    """Judges the models of `config.visit`, takes the better ones, and writes a page and a plot; no workdir is used.

    Raises:
      UserError: there are no results, LFW is not prepared, the judge was in a model's loss, or a file is damaged.
    """
    config_keys.check(config, KEYS)
    del workdir
    folder = Path(config.visit)
    found = results.read(folder)
    if "parts" not in found:
        raise UserError(f"config.visit={config.visit}: no results of a visit there (no {results.FILE})")
    paths = sorted((folder / results.MODELS).glob("*.toml"))
    judged = _judged(config, [cards.read_card(path) for path in paths]) if config.judge and paths else []
    target = Path(config.cards) if config.cards else cards.shipped_folder()
    for each in judged:
        if each["taken"]:
            _take(folder / results.MODELS, target, each["name"])
        verdict = f"better: taken into {target}" if each["taken"] else "not shown to be better: left"
        print(
            f"{each['name']}, {each['size']} px: likeness {each['likeness']:.4f}, {each['before']} "
            f"{each['likeness_before']:.4f}, "
            f"{each['difference']:+.4f} [{each['low']:+.4f}, {each['high']:+.4f}]; {verdict}"
        )
    _write_page(config, found, judged)


def _judged(config: ConfigDict, brought: list[cards.Card]) -> list[dict[str, Any]]:
    judge = load_recognizer(config.judge)
    for card in brought:
        if judge.name in origins.judges_of(card.training):
            raise UserError(f"config.judge={judge.name}: was in the loss of {card.name}; choose another")
    source = open_records(environment.datasets_folder(config.data_dir) / config.view1)
    return [_compared(card, judge, source, config.pairs) for card in brought]


def _compared(card: cards.Card, judge: Recognizer, source: Any, pairs: int) -> dict[str, Any]:
    """A model beside the one of its name that comes with the program, or bicubic, on View 1."""
    size = int(card.training["lr_size"])

    def reduce(crops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        high = crops.astype(np.float32) / np.float32(255.0)
        return low_resolution(high, size), high

    view1 = View1.load(source, pairs, reduce)
    originals = judge.templates(view1.high)
    before = card.name if cards.is_shipped(card.name) else _FALLBACK

    def likeness(upscaler: Upscaler) -> np.ndarray:
        parts = np.array_split(view1.low, max(1, len(view1.low) // 64))
        images = np.concatenate([enlarge_to(upscaler, part, view1.high.shape[1]) for part in parts])
        return image_quality.identity_cosine(judge.templates(images), originals)

    own, other = likeness(upscaler_of(card)), likeness(load_upscaler(before))
    difference = own - other
    error = 1.96 * difference.std(ddof=1) / len(difference) ** 0.5
    return {
        "name": card.name,
        "judge": judge.name,
        "size": size,
        "images": len(difference),
        "likeness": float(own.mean()),
        "before": f"{before} before" if before == card.name else before,
        "likeness_before": float(other.mean()),
        "difference": float(difference.mean()),
        "low": float(difference.mean() - error),
        "high": float(difference.mean() + error),
        "taken": bool(difference.mean() - error > 0),
    }


def _take(models: Path, target: Path, name: str) -> None:
    """Weights first, so that a card never stands beside weights that it does not describe for longer than a moment."""
    for ending in ("safetensors", "toml"):
        with (models / f"{name}.{ending}").open("rb") as source, write_atomically(target / f"{name}.{ending}") as file:
            shutil.copyfileobj(source, file)


def _write_page(config: ConfigDict, found: dict[str, Any], judged: list[dict[str, Any]]) -> None:
    docs = Path(config.docs)
    machine = found.get("machine", {})
    words = f"{found.get('pack', {}).get('created', '')[:10]} {machine.get('device', 'unknown')}"
    name = re.sub(r"[^a-z0-9]+", "_", words.lower()).strip("_")
    picture = visit_page.plot(found.get("benchmark", {}))
    if picture is not None:
        with write_atomically(docs / f"{name}.png") as file:
            file.write(picture)
    with write_atomically(docs / f"{name}.md") as file:
        file.write(visit_page.page(found, judged, f"{name}.png" if picture is not None else "").encode())
    print(f"{docs / name}.md: figures" + (f", {name}.png beside it" if picture is not None else ""))
