"""Upscalers on people that no training saw, by recognizers of your choice: open-set identification, raw and centered.

    python benchmarks/held_out_identification.py --size=16 --judges dlib sface -- bicubic identity_x8 workdirs/mine

Needs CASIA-WebFace prepared as for the trainings: who is held out follows from their share and seed. An argument is the
name of a model card, or the workdir of a training. DIR at FAR 1 %, rank 1, over probes with a mate: with both sides
small, and with the originals enrolled; beside it the identity cosine with its standard error. A share is that of the
condition's mean, measured on people of the training, which is taken from the templates of each side.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np

from lowres_jax.data.degradations import low_resolution
from lowres_jax.data.records import open_records
from lowres_jax.data.splits import split_identities
from lowres_jax.evaluation import image_quality
from lowres_jax.evaluation.centering import centered, condition_mean
from lowres_jax.evaluation.identification import (
    detection_and_identification_rate,
    probe_statistics,
    threshold_at_far,
)
from lowres_jax.recognition.recognizer import load_recognizer
from lowres_jax.runtime import environment
from lowres_jax.super_resolution.training import initial_weights, train_config, trainer
from lowres_jax.super_resolution.upscaler import enlarge_to, load_upscaler
from lowres_jax.training.checkpoints import RUN

Enlarge = Callable[[np.ndarray], np.ndarray]


def of_training(workdir: Path) -> Enlarge:
    """The generator of a training as it is now."""
    import json

    config = train_config.default_config()
    with config.unlocked():
        config.model.update(json.loads((workdir / RUN).read_text())["model"])
    predict = trainer.predict(train_config.build_generator(config))
    variables = initial_weights.of_training(workdir)[1]
    return lambda images: predict(variables, images)[..., :3]


def of_card(name: str) -> Enlarge:
    """A model of a card, to 128 px by the rules of the comparison."""
    upscaler = load_upscaler(name)
    return lambda images: enlarge_to(upscaler, images, 128)


def rate(probes: np.ndarray, labels: np.ndarray, gallery: np.ndarray | None = None) -> float:
    """DIR at FAR 1 %, rank 1, in per cent."""
    statistics = probe_statistics(probes, labels, gallery)
    return 100.0 * detection_and_identification_rate(statistics, threshold_at_far(statistics, 0.01), 1)


def main() -> None:
    """Measures and prints a table for each judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("upscalers", nargs="+")
    parser.add_argument("--judges", nargs="+", default=["dlib"])
    parser.add_argument("--size", type=int, default=16)
    parser.add_argument("--shares", type=float, nargs="+", default=[0.5, 1.0])
    parser.add_argument("--for_means", type=int, default=400, help="crops of the training's people")
    parser.add_argument("--held_out", type=float, default=0.05)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--dataset", default="casia_webface/mtcnn_jpeg")
    arguments = parser.parse_args()
    environment.enable_compilation_cache()
    source = open_records(environment.datasets_folder() / arguments.dataset)
    split = split_identities(source.labels, arguments.held_out, arguments.seed)
    others = split.training[:: max(1, len(split.training) // arguments.for_means)]
    crops = [source.crops(part)[0].astype(np.float32) / np.float32(255) for part in (split.validation, others)]
    labels = source.labels[split.validation]
    low = [
        np.concatenate([low_resolution(part, arguments.size) for part in np.array_split(each, 32)]) for each in crops
    ]
    made = {}
    for name in arguments.upscalers:
        enlarge = of_training(Path(name)) if Path(name).is_dir() else of_card(name)
        made[name] = [np.concatenate([enlarge(part) for part in np.array_split(each, len(each) // 64)]) for each in low]
    print(f"{len(labels)} crops of {len(np.unique(labels))} people held out, {arguments.size} px; DIR at FAR 1 %")
    for judge in map(load_recognizer, arguments.judges):
        originals = [judge.templates(each) for each in crops]
        means = condition_mean(originals[1])
        high = {share: centered(originals[0], means, share) for share in (0.0, *arguments.shares)}
        shares = "".join(f"{share:>8g}" for share in high)
        print(f"\n{judge.name:28} both small, less the mean x  {shares}   originals enrolled {shares}   cosine (SE)")
        print(f"{'originals':58}" + "".join(f"{rate(each, labels):8.1f}" for each in high.values()))
        for name, images in made.items():
            templates = [judge.templates(each) for each in images]
            mean = condition_mean(templates[1])
            probes = {share: centered(templates[0], mean, share) for share in high}
            both = "".join(f"{rate(each, labels):8.1f}" for each in probes.values())
            crossed = "".join(f"{rate(probes[share], labels, high[share]):8.1f}" for share in high)
            cosine = image_quality.identity_cosine(templates[0], originals[0])
            error = cosine.std(ddof=1) / len(cosine) ** 0.5
            print(f"{name:58}{both}{'':22}{crossed}   {cosine.mean():.4f} ({error:.4f})", flush=True)


if __name__ == "__main__":
    main()
