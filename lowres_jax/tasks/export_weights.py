"""Turns a training's result into a weight file and a model card: from then on it has a name."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from ml_collections import ConfigDict

from lowres_jax import __version__, config_keys
from lowres_jax.data.degradations import Degradation, low_resolution
from lowres_jax.data.records import RecordSource, open_records, version_directory
from lowres_jax.data.splits import split_identities
from lowres_jax.errors import UserError
from lowres_jax.evaluation.centering import condition_mean
from lowres_jax.evaluation.small_face_trial import largest_face
from lowres_jax.evaluation.validation import evenly
from lowres_jax.pretrained import cards, conditions, safetensors_weights
from lowres_jax.recognition.recognizer import NetworkRecognizer, load_network
from lowres_jax.recognition.sface_small import BASE
from lowres_jax.recognition.training.train_config import SMALL
from lowres_jax.runtime import environment, signals
from lowres_jax.settings.exports import KEYS
from lowres_jax.super_resolution.training import initial_weights
from lowres_jax.super_resolution.upscaler import enlarge_to, load_upscaler, load_upscaler_by_size, upscaler_of
from lowres_jax.training.checkpoints import RUN
from lowres_jax.training.progress import BEST, EVALUATIONS
from lowres_jax.utils.files import write_atomically

_CENTERING_IMAGES = 600


@dataclass(frozen=True)
class Trained:
    """Facts of a training about its result.

    Attributes:
      settings: config of the training, from `run.json`.
      step: step of the weights.
      figures: figures of people held out; may be empty.
      figures_step: step of the figures.
      reference: figures of the recognizer that a recognizer of small faces belongs to; empty for other models.
    """

    settings: dict[str, Any]
    step: int
    figures: Mapping[str, float]
    figures_step: int
    reference: Mapping[str, float] = field(default_factory=dict)


def run(config: ConfigDict, workdir: Path) -> None:
    """Writes NAME.safetensors and NAME.toml into `config.folder`; `workdir` is not used.

    A generator's card gets what its faces' templates have in common too, which `identify` takes away.

    Raises:
      UserError: the training has no checkpoint, the name is taken or no name, or the disk is full.
    """
    config_keys.check(config, KEYS)
    training, folder = Path(config.training), Path(config.folder or cards.own_folder())
    cards.check_new_name(config.name)
    if (folder / f"{config.name}.toml").exists() and not config.overwrite:
        raise UserError(f"{folder / config.name}.toml: exists; choose another name, or --config.overwrite=true")
    settings = _settings(training)
    recognizes = settings["task"] == "train_recognizer"
    if settings["task"] == "train_recognizer":
        # The best of its evaluations, which may be another step's than the last.
        trained, tree = _best(training, settings)
    else:
        step, tree = initial_weights.of_training(training)
        evaluations = json.loads((training / EVALUATIONS).read_text()) if (training / EVALUATIONS).is_file() else []
        # A training that was stopped has figures of an earlier step, and its card says so.
        before = [each for each in evaluations if each["step"] <= step]
        trained = Trained(
            settings, step, before[-1]["figures"] if before else {}, before[-1]["step"] if before else step
        )
    weights = write_model(folder, config, trained, tree)
    if config.centering and recognizes and settings["model"]["module"] == SMALL:
        _add_centering_of_small_faces(folder, config, ConfigDict(settings))
    if config.centering and not recognizes:
        _add_centering(cards.read_card(weights.with_suffix(".toml")), ConfigDict(settings), config.data_dir)
    size = f"{weights.stat().st_size / 1e6:.1f} MB"
    if folder != cards.own_folder():
        print(f"{weights}: {size}; both files belong into {cards.own_folder()}, or into the package's cards")
        return
    # Reads both files, so that a name that is said to work does.
    if recognizes:
        load_network(config.name)
        print(f"{weights}: {size}. Its name works now: --config.recognizers=sface,{config.name} in compare")
        if trained.reference:
            largest = cards.load_card(config.name, "recognition").largest_face
            print(f"identify --config.recognizer={config.name}: it reads searched faces of up to {largest} px")
        return
    load_upscaler(config.name)
    print(
        f"{weights}: {size}. Its name works now: --config.upscaler={config.name} in enhance and identify, "
        f"--config.upscalers=bicubic,{config.name} in compare"
    )


def write_model(folder: Path, config: ConfigDict, trained: Trained, tree: Any) -> Path:
    """Writes a model's weights and its card.

    Args:
      folder: folder for both.
      config: the model's `name`, `summary` and `license`.
      trained: facts for the card.
      tree: variables of the network, as host arrays.

    Returns:
      The weight file.

    Raises:
      UserError: see `safetensors_weights.write`.
    """
    # The edge head is of use in training only.
    params = {name: layer for name, layer in tree["params"].items() if name != "conv_edges"}
    weights = folder / f"{config.name}.safetensors"
    # A change of SFace is kept without SFace itself.
    whole = tree.get("batch_stats") and trained.settings["model"]["module"] != SMALL
    safetensors_weights.write(weights, {"params": params} | ({"batch_stats": tree["batch_stats"]} if whole else {}))
    with write_atomically(folder / f"{config.name}.toml") as file:
        file.write(_card(config, trained, weights).encode())
    return weights


def _add_centering(card: cards.Card, settings: ConfigDict, data_dir: str | None) -> None:
    """Puts on a generator's card what templates of its faces have in common, by the recognizers that are centered.

    The mean is that of crops that the training learned from; as much of it is taken as the recognizer's own card says.
    """
    if (learned := _learned(card.name, settings, data_dir)) is None:
        return
    source, positions = learned
    degradation, upscaler, judges = Degradation.of(settings.degradation), upscaler_of(card), []
    size = source[0]["image"].shape[0] // upscaler.scale
    for name in cards.names("recognition"):
        own = cards.load_card(name, "recognition").centering.get(name, {}).get(str(conditions.ORIGINAL))
        if own and own["share"]:
            judges.append((load_network(name), float(own["share"])))
    templates: list[list[np.ndarray]] = [[] for _ in judges]
    for part in signals.interruptible(np.array_split(positions, max(1, len(positions) // 64))):
        high = source.crops(part)[0].astype(np.float32) / np.float32(255)
        enlarged = enlarge_to(upscaler, degradation.reduced(high, size, part.tolist()), high.shape[1])
        for found, (judge, _) in zip(templates, judges, strict=True):
            found.append(judge.templates(enlarged))
    measured = {
        judge.name: {size: conditions.Condition(share, condition_mean(np.concatenate(found)))}
        for found, (judge, share) in zip(templates, judges, strict=True)
    }
    conditions.write(card, measured)
    print(f"centering for {', '.join(measured)} at {size} px, of {len(positions):,} crops of {settings.dataset}")


def _learned(name: str, settings: ConfigDict, data_dir: str | None) -> tuple[RecordSource, np.ndarray] | None:
    """A training's set, and some of the crops it learned from; None, which is said, where the set is not there."""
    directory = environment.datasets_folder(data_dir or settings.data_dir) / settings.dataset
    if version_directory(directory) is None:
        print(f"{directory}: not there, so that identify compares templates of {name} without centering")
        return None
    source = open_records(directory)
    learned = split_identities(source.labels, settings.held_out, settings.seed).training
    return source, learned[evenly(len(learned), _CENTERING_IMAGES)]


def _add_centering_of_small_faces(folder: Path, config: ConfigDict, settings: ConfigDict) -> None:
    """Puts on the card of a recognizer of small faces what its templates of each size and upscaler have in common.

    As much of it is taken as plain SFace's card says of originals.
    """
    if (learned := _learned(config.name, settings, config.data_dir)) is None:
        return
    source, positions = learned
    card = cards.read_card(folder / f"{config.name}.toml")
    variables = cards.load_variables(card, module := cards.build_module(card), (1, settings.size, settings.size, 3))
    recognizer = NetworkRecognizer(card.name, module, variables, settings.size)
    own = cards.load_card(BASE, "recognition").centering[BASE][str(conditions.ORIGINAL)]
    upscalers = load_upscaler_by_size(settings.small_faces.upscalers)
    crops = source.crops(positions)[0].astype(np.float32) / np.float32(255)
    measured: dict[str, dict[int, conditions.Condition]] = {}
    for side in signals.interruptible(settings.small_faces.sides):
        low = low_resolution(crops, side)
        for upscaler in {upscalers.of(side), load_upscaler("bicubic")}:
            templates = recognizer.templates(enlarge_to(upscaler, low, crops.shape[1]))
            condition = conditions.Condition(float(own["share"]), condition_mean(templates))
            measured.setdefault(upscaler.name, {})[side] = condition
    conditions.write(card, measured)
    print(f"centering at {', '.join(map(str, settings.small_faces.sides))} px, of {len(positions):,} crops")


def _settings(training: Path) -> dict[str, Any]:
    """The config of a training, as it wrote it down."""
    if not (training / "checkpoints").is_dir():
        raise UserError(f"{training}: no training (it has no folder checkpoints)")
    path = training / RUN
    try:
        settings = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read ({error}); it is written by the task train") from error
    if "module" not in settings.get("model", {}):
        raise UserError(f"{path}: names no module: of a version before recognizers had one; train it again")
    if "judges" not in settings:
        raise UserError(f"{path}: does not say who judged it: of an earlier version; train it again")
    return settings


def _degraded(settings: dict[str, Any]) -> bool:
    """True for a generator that learned from blurred, noisy or compressed faces."""
    return not Degradation.of(ConfigDict(settings["degradation"])).plain


def _best(training: Path, settings: dict[str, Any]) -> tuple[Trained, Any]:
    """A recognizer's best evaluation, and its variables.

    Raises:
      UserError: there was none yet.
    """
    path = training / BEST
    if not path.is_file():
        raise UserError(f"{path}: there was no evaluation yet; let the training run to its first")
    told = safetensors_weights.told(path)
    trained = Trained(settings, told["step"], told["figures"], told["step"], told.get("reference", {}))
    return trained, safetensors_weights.variables(path)


def _card(config: ConfigDict, trained: Trained, weights: Path) -> str:
    """The model card, as TOML."""
    settings, figures = trained.settings, trained.figures
    losses = {
        name: {key: value for key, value in loss.items() if value not in ("", [], ())}
        for name, loss in settings["losses"].items()
        if loss["weight"]
    }
    recognizes = settings["task"] == "train_recognizer"
    module, fields = settings["model"]["module"], dict(settings["model"]["fields"])
    if recognizes:
        size = settings["size"]
        fields.pop("dropout", None)
        summary = config.summary or f"{module.split('.')[-1]} trained on faces of {size} px"
    else:
        size = 0
        summary = config.summary or f"{module.split('.')[-1]} x{fields['scale']} trained on faces"
    facts = {
        "data": settings["dataset"],
        "steps": trained.step,
        "batch_size": settings["batch_size"],
        "start": settings["start"] or "random",
        **({} if recognizes else {"lr_size": settings["hr_size"] // fields["scale"]}),
        **({"degraded": True} if not recognizes and _degraded(settings) else {}),
        "losses": ", ".join(f"{loss['weight']:g} {name}" for name, loss in losses.items()),
        "judges": ", ".join(settings["judges"]),
        **({"figures_step": trained.figures_step} if figures and trained.figures_step != trained.step else {}),
    }
    return cards.written(
        {
            "summary": summary,
            "module": module,
            **({"input_size": size} if size else {}),
            **({"largest_face": largest_face(figures, trained.reference)} if trained.reference else {}),
            "license": config.license,
            "source": f"trained with lowres_jax {__version__}",
            "model": fields,
            "weights": {
                "reader": "small_change.variables" if module == SMALL else "safetensors_weights.variables",
                "file": weights.name,
                "sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
            },
            # What it was trained on and for; figures on people held out, by the training's own judge.
            "training": {**facts, "figures": {name: round(value, 4) for name, value in figures.items()}},
        }
    )
