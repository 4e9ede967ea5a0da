"""Compares upscalers, and tests the promises of `identify`; by a judge that no model was trained against.

    python -m lowres_jax.pretrained.fetch dlib && pip install 'lowres-jax[judges]'
    python benchmarks/quality.py view1 --size 32 bicubic srresnet identity
    python benchmarks/quality.py held_out --size 16 bicubic identity_x8 workdirs/MINE
    python benchmarks/quality.py promises

view1: LFW's View 1, which is for choosing (needs configs/prepare_lfw.py). The threshold is chosen on the first list of
pairs, accuracy is that of the second; the cosine of the templates of an enlarged face and of its HR tells models apart
with far fewer images. held_out: people held out of the trainings (needs configs/prepare_casia_webface.py): DIR at FAR
1 %, both small, and among originals, each less shares of its condition's mean; an upscaler is a model card, or the
workdir of a training. promises: half of LFW's people are the set that identify's threshold is measured on, the other
half a user's: 100 are enrolled with 1, 2, 4 or 6 pictures, everybody else is searched for, 1 % of false accepts asked.
"""

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from lowres_jax.data.degradations import Degradation, default_config, footage, low_resolution
from lowres_jax.data.records import open_records
from lowres_jax.data.splits import split_identities
from lowres_jax.evaluation import image_quality
from lowres_jax.evaluation.centering import centered, condition_mean
from lowres_jax.evaluation.identification import detection_and_identification_rate, probe_statistics, threshold_at_far
from lowres_jax.evaluation.measurement import crop_batches
from lowres_jax.evaluation.validation import View1
from lowres_jax.matching.simulation import assign, simulate
from lowres_jax.recognition.recognizer import load_recognizer
from lowres_jax.runtime import cli, environment
from lowres_jax.super_resolution.training import initial_weights, train_config, trainer
from lowres_jax.super_resolution.upscaler import enlarge_to, load_upscaler
from lowres_jax.training.checkpoints import RUN

_FAR, _SHARES = 0.01, (0.0, 0.5, 1.0)


def enlarger(name: str) -> Callable[[np.ndarray], np.ndarray]:
    """A model of a card, to 128 px by the rules of the comparison; or the generator of a training as it is now."""
    if not Path(name).is_dir():
        upscaler = load_upscaler(name)
        return lambda low: np.concatenate([enlarge_to(upscaler, part, 128) for part in _parts(low)])
    config = train_config.default_config()
    with config.unlocked():
        config.model.update(json.loads((Path(name) / RUN).read_text())["model"])
    predict = trainer.predict(train_config.build_generator(config))
    variables = initial_weights.of_training(Path(name))[1]
    return lambda low: np.concatenate([predict(variables, part)[..., :3] for part in _parts(low)])


def _parts(images: np.ndarray) -> list[np.ndarray]:
    return np.array_split(images, max(1, len(images) // 64))


def _with_error(values: np.ndarray) -> str:
    return f"{values.mean():.4f} ({values.std(ddof=1) / len(values) ** 0.5:.4f})"


def view1(given: argparse.Namespace) -> None:
    """Accuracy, cosine to HR and PSNR, with standard errors."""
    judge, degradation = load_recognizer(given.judge), Degradation.of(footage() if given.footage else default_config())

    def reduce(crops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        high = crops.astype(np.float32) / np.float32(255.0)
        return degradation.reduced(high, given.size, range(len(high))), high

    pairs = View1.load(open_records(environment.datasets_folder() / "lfw" / "mtcnn"), given.count or 300, reduce)
    originals = judge.templates(pairs.high)
    tested = len(pairs.same[1])
    print(f"View 1, {tested} test pairs, {len(pairs.low)} images, {given.size} px, judge {judge.name}")
    print(f"{'':20}accuracy (SE)    identity cosine (SE)   PSNR")
    for name in ("HR", *given.upscalers):
        images = pairs.high if name == "HR" else enlarger(name)(pairs.low)
        templates = originals if name == "HR" else judge.templates(images)
        accuracy = pairs.accuracy_of(templates)
        error = (accuracy * (1 - accuracy) / tested) ** 0.5
        psnr = np.minimum(image_quality.psnr(images, pairs.high), 100.0).mean()
        cosine = _with_error(image_quality.identity_cosine(templates, originals))
        print(f"{name:20}{accuracy:.3f} ({error:.3f})    {cosine}        {psnr:.2f}", flush=True)


def _rate(probes: np.ndarray, labels: np.ndarray, gallery: np.ndarray | None = None) -> float:
    """DIR at FAR 1 %, rank 1, in per cent."""
    statistics = probe_statistics(probes, labels, gallery)
    return 100.0 * detection_and_identification_rate(statistics, threshold_at_far(statistics, _FAR), 1)


def held_out(given: argparse.Namespace) -> None:
    """DIR of people held out, by the share of the condition's mean that is taken on both sides."""
    source, judge = open_records(environment.datasets_folder() / given.dataset), load_recognizer(given.judge)
    split = split_identities(source.labels, 0.05, 0)
    others = split.training[:: max(1, len(split.training) // (given.count or 400))]
    crops = [source.crops(part)[0].astype(np.float32) / np.float32(255) for part in (split.validation, others)]
    labels = source.labels[split.validation]
    originals = [judge.templates(each) for each in crops]
    high = {share: centered(originals[0], condition_mean(originals[1]), share) for share in _SHARES}
    shares = "".join(f"{share:8g}" for share in _SHARES)
    print(f"{len(labels)} crops of {len(np.unique(labels))} people held out, {given.size} px, judge {judge.name}")
    print(f"{'DIR at FAR 1 %, less':20}{shares}   originals enrolled{shares}   identity cosine (SE)")
    print(f"{'originals':20}" + "".join(f"{_rate(each, labels):8.1f}" for each in high.values()))
    for name in given.upscalers:
        enlarge = enlarger(name)
        own, rest = (judge.templates(enlarge(low_resolution(each, given.size))) for each in crops)
        probes = {share: centered(own, condition_mean(rest), share) for share in _SHARES}
        both = "".join(f"{_rate(each, labels):8.1f}" for each in probes.values())
        crossed = "".join(f"{_rate(probes[share], labels, high[share]):8.1f}" for share in _SHARES)
        cosine = _with_error(image_quality.identity_cosine(own, originals[0]))
        print(f"{name:20}{both}{'':21}{crossed}   {cosine}", flush=True)


def promises(given: argparse.Namespace) -> None:
    """False accepts at the threshold for as many pictures and for one; DIR of the mean template and of the best."""
    templates, labels = _known_templates(environment.datasets_folder() / "lfw" / "mtcnn", given.count or 4000)
    people = len(np.unique(labels))
    print(f"{len(labels):,} images of {people:,} people; half of them the user's, {given.people} enrolled")
    print("size  pictures  false accepts, measured with as many | with one each   DIR of the mean | of the best")
    for size in templates:
        for number in (1, 2, 4, 6):
            found = [_kept(templates[size], labels, (number,) * given.people, split) for split in range(given.splits)]
            promised, single, mean, best = np.mean(found, axis=0)
            said = f"{size} px" if size else "full"
            print(f"{said:5} {number:8}  {promised:33.2%} | {single:13.2%}   {mean:15.1%} | {best:.1%}", flush=True)


def _known_templates(directory: Path, images: int) -> tuple[dict[int, np.ndarray], np.ndarray]:
    """SFace's templates of crops as they are (0) and of 16 px, and labels; of the people with most pictures."""
    source, recognizer, upscaler = open_records(directory), load_recognizer("sface"), load_upscaler("bicubic")
    labels = source.labels
    counts = np.bincount(labels)
    positions = np.argsort(-counts[labels], kind="stable")
    # Of nobody more than ten, so that a few people do not make up the whole.
    number = np.concatenate([np.arange(count) for count in counts])[np.argsort(np.argsort(labels, kind="stable"))]
    positions = np.sort(positions[number[positions] < 10][:images])
    found: dict[int, list[np.ndarray]] = {0: [], 16: []}
    for crops in crop_batches(source, _parts(positions)):
        for size, own in found.items():
            own.append(recognizer.templates(enlarge_to(upscaler, low_resolution(crops, size), 128) if size else crops))
    return {size: np.concatenate(own) for size, own in found.items()}, labels[positions]


def _kept(templates: np.ndarray, labels: np.ndarray, pictures: tuple[int, ...], split: int) -> list[float]:
    """The figures of one way to split the people, means of ten galleries."""
    people = np.random.default_rng(split).permutation(np.unique(labels))
    own = np.isin(labels, people[::2])
    limits = [
        np.quantile(simulate({0: templates[own]}, templates[own], labels[own], recipe, split).impostor, _FAR)
        for recipe in (tuple((0,) * number for number in pictures), ((0,),) * len(pictures))
    ]
    theirs, their_labels, found = templates[~own], labels[~own], []
    for draw in range(10):
        gallery = _gallery(their_labels, pictures, np.random.default_rng((split, draw)))
        rates, promised = [], list[float]()
        for best_of in (False, True):
            strangers, mates, others = _scores(theirs, their_labels, gallery, best_of)
            threshold = np.quantile(strangers, 1 - _FAR)
            rates.append(float(np.mean((mates > threshold) & (mates > others))))
            promised = promised or [float(np.mean(1 - strangers <= limit)) for limit in limits]
        found.append([*promised, *rates])
    return np.mean(found, axis=0).tolist()


def _gallery(labels: np.ndarray, pictures: tuple[int, ...], draw: np.random.Generator) -> list[np.ndarray]:
    """The enrolled pictures of as many people as there are numbers, as positions."""
    people, inverse, counts = np.unique(labels, return_inverse=True, return_counts=True)
    drawn = assign(list(pictures), counts, draw.permutation(len(people)))
    return [draw.permutation(np.flatnonzero(inverse == person))[: pictures[0]] for person in drawn]


def _scores(
    templates: np.ndarray, labels: np.ndarray, gallery: list[np.ndarray], best_of: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Strangers' highest similarities; of other pictures of the enrolled the similarity to their own, and to others."""
    if best_of:
        similarity = np.stack([(templates @ templates[own].T).max(axis=1) for own in gallery], axis=1)
    else:
        means = np.stack([templates[own].sum(axis=0) for own in gallery])
        similarity = templates @ (means / np.linalg.norm(means, axis=1, keepdims=True)).T
    own = labels[:, None] == labels[[each[0] for each in gallery]]
    mated = own.any(axis=1) & ~np.isin(np.arange(len(labels)), np.concatenate(gallery))
    others = np.where(own, -np.inf, similarity)
    return similarity[~own.any(axis=1)].max(axis=1), similarity[mated][own[mated]], others[mated].max(axis=1)


WAYS: dict[str, Callable[[argparse.Namespace], None]] = {each.__name__: each for each in (view1, held_out, promises)}


def main(argv: Sequence[str] | None = None) -> None:
    """Measures and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("way", choices=WAYS)
    parser.add_argument("upscalers", nargs="*")
    parser.add_argument("--judge", default="dlib")
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--count", type=int, default=0, help="pairs of each list, crops for means, images; 0: usual")
    parser.add_argument("--footage", action="store_true", help="view1: blurred, noisy and compressed")
    parser.add_argument("--dataset", default="casia_webface/mtcnn_jpeg", help="held_out: set of the trainings")
    parser.add_argument("--splits", type=int, default=10, help="promises: ways to split the people")
    parser.add_argument("--people", type=int, default=100, help="promises: enrolled")
    given = parser.parse_intermixed_args(argv)
    environment.enable_compilation_cache()
    WAYS[given.way](given)


if __name__ == "__main__":
    cli.run(main)
