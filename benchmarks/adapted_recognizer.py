"""An eye for enlarged faces: a small change of a recognizer, for the searched side only; what is enrolled stays.

    python benchmarks/adapted_recognizer.py --size=8 --upscaler=identity_x8 --kind=low_rank --steps=400

Needs CASIA-WebFace prepared as for the trainings, and LFW (whose people are only strangers here). The training's people
teach it: of an enlarged face, the recognizer with the change is to give what it gives, without it, of the original, and
to tell it from the nearest strangers (`losses.strangers`). Tried on the people held out, with originals enrolled among
them and among LFW's 5,749 people besides: DIR at FAR 1 % and rank 1, raw and centered. What came of it:
docs/experiments.md.
"""

import argparse
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from condition_shares import Trial
from tqdm import tqdm

from lowres_jax.data.degradations import low_resolution
from lowres_jax.data.records import open_records
from lowres_jax.data.splits import split_identities
from lowres_jax.evaluation.centering import condition_mean
from lowres_jax.evaluation.identification import cumulative_match, enrolled_search
from lowres_jax.evaluation.validation import evenly
from lowres_jax.recognition.recognizer import NetworkRecognizer, load_network
from lowres_jax.runtime import environment
from lowres_jax.super_resolution.training import losses
from lowres_jax.super_resolution.upscaler import Upscaler, enlarge_to, load_upscaler

_FIRST_LAYERS = ("conv_1", "conv_2_dw", "conv_2", "conv_3_dw", "conv_3", "conv_4_dw", "conv_4")
_BATCH = 32


def no_change(variables: Any, kind: str, rank: int, key: jax.Array) -> dict[str, Any]:
    """A change that changes nothing: of the first layers' kernels, or of low rank in every 1x1 convolution."""
    kernels = {name: layer.get("kernel") for name, layer in variables["params"].items() if name.startswith("conv_")}
    kernels = {name: kernel for name, kernel in kernels.items() if kernel is not None}
    if kind == "first_layers":
        return {name: jnp.zeros_like(kernels[name]) for name in _FIRST_LAYERS}
    flat = {name: kernel for name, kernel in kernels.items() if kernel.ndim == 2}
    keys = jax.random.split(key, len(flat))
    return {
        name: (
            jax.random.normal(each, (kernel.shape[0], rank)) / kernel.shape[0] ** 0.5,
            jnp.zeros((rank, kernel.shape[1])),
        )
        for each, (name, kernel) in zip(keys, flat.items(), strict=True)
    }


def changed(variables: Any, change: dict[str, Any]) -> Any:
    """Variables with a change added to the kernels that it names."""
    params = dict(variables["params"])
    for name, delta in change.items():
        delta = delta[0] @ delta[1] if isinstance(delta, tuple) else delta
        params[name] = params[name] | {"kernel": params[name]["kernel"] + delta}
    return variables | {"params": params}


def enlarged(source: Any, positions: np.ndarray, size: int, upscaler: Upscaler) -> np.ndarray:
    """Crops reduced and enlarged again, uint8."""
    found = []
    parts = np.array_split(positions, max(1, len(positions) // 64))
    for part in tqdm(parts, desc=f"{upscaler.name} at {size} px", mininterval=10):
        crops = source.crops(part)[0].astype(np.float32) / np.float32(255)
        found.append(np.rint(enlarge_to(upscaler, low_resolution(crops, size), 128) * 255).astype(np.uint8))
    return np.concatenate(found)


def templates_of(recognizer: NetworkRecognizer, variables: Any, images: np.ndarray) -> np.ndarray:
    """Templates of uint8 images by the recognizer with these variables."""
    own = NetworkRecognizer(recognizer.name, recognizer.module, variables, recognizer.input_size)
    parts = np.array_split(images, max(1, len(images) // 128))
    return np.concatenate([own.templates(part.astype(np.float32) / np.float32(255)) for part in parts])


def report(name: str, trial: Trial, probes: np.ndarray, mean: np.ndarray) -> None:
    """A line: DIR and rank 1 among few and among many, raw and with three quarters of the mean taken away."""
    first = np.unique(trial.labels, return_index=True)[1]
    searched = np.setdiff1d(np.arange(len(trial.labels)), first)
    found = []
    for strangers in (0, len(trial.strangers)):
        gallery = np.concatenate([trial.originals[first], trial.strangers[:strangers]])
        enrolled = np.concatenate([trial.labels[first], -1 - np.arange(strangers)])
        statistics = enrolled_search(probes[searched], trial.labels[searched], gallery, enrolled)
        rates = [trial.rate(probes, mean, share, share, strangers) for share in (0.0, 0.75)]
        found += [100 * each for each in (*rates, cumulative_match(statistics, 1)[0])]
    print(f"{name:24}" + "".join(f"{each:10.1f}" for each in found), flush=True)


def main() -> None:
    """Trains the change and prints what it is worth."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=8)
    parser.add_argument("--upscaler", default="identity_x8")
    parser.add_argument("--recognizer", default="sface")
    parser.add_argument("--kind", choices=("first_layers", "low_rank"), default="low_rank")
    parser.add_argument("--rank", type=int, default=4)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--evaluate", type=int, default=100, help="steps")
    parser.add_argument("--learning_rate", type=float, default=1e-3)
    parser.add_argument("--crops", type=int, default=0, help="of the training's people, evenly taken; 0: all")
    parser.add_argument("--most_strangers", type=int, default=0, help="people of LFW enrolled besides; 0: all")
    parser.add_argument("--for_means", type=int, default=400)
    parser.add_argument("--dataset", default="casia_webface/mtcnn_jpeg")
    parser.add_argument("--strangers", default="lfw/mtcnn")
    arguments = parser.parse_args()
    environment.enable_compilation_cache()
    folder = environment.datasets_folder()
    source, crowd = open_records(folder / arguments.dataset), open_records(folder / arguments.strangers)
    split = split_identities(source.labels, 0.05, 0)
    learned = split.training[evenly(len(split.training), arguments.crops or len(split.training))]
    others = learned[:: max(1, len(learned) // arguments.for_means)]
    first = np.unique(crowd.labels, return_index=True)[1][: arguments.most_strangers or None]
    recognizer, upscaler = load_network(arguments.recognizer), load_upscaler(arguments.upscaler)
    variables = recognizer.variables

    def originals(of: Any, positions: np.ndarray) -> np.ndarray:
        parts = tqdm(np.array_split(positions, max(1, len(positions) // 128)), desc="originals", mininterval=10)
        return np.concatenate([templates_of(recognizer, variables, of.crops(part)[0]) for part in parts])

    known = originals(source, learned)
    trial = Trial(
        source.labels[split.validation],
        originals(source, split.validation),
        originals(crowd, first),
        condition_mean(known),
    )
    small = enlarged(source, learned, arguments.size, upscaler)
    searched = enlarged(source, split.validation, arguments.size, upscaler)
    for_mean = small[np.isin(learned, others)]
    labels = source.labels[learned].astype(np.int32)
    unit = np.asarray(losses.centered(jnp.asarray(known), jnp.asarray(known.mean(axis=0))))
    strangers = losses.Strangers(unit, labels, known.mean(axis=0))

    change = no_change(variables, arguments.kind, arguments.rank, jax.random.key(0))
    count = sum(leaf.size for leaf in jax.tree.leaves(change))
    whole = sum(leaf.size for leaf in jax.tree.leaves(variables["params"]))
    print(f"{arguments.kind}: {count:,} of {whole:,} parameters ({100 * count / whole:.2f} %)")
    optimizer = optax.adam(optax.cosine_decay_schedule(arguments.learning_rate, arguments.steps))
    state = optimizer.init(change)

    def loss(change: Any, images: jax.Array, real: jax.Array, own: jax.Array) -> jax.Array:
        resized = jax.image.resize(images, (len(images), recognizer.input_size, recognizer.input_size, 3), "linear")
        made = recognizer.module.apply(changed(variables, change), resized)
        return losses.identity(made, real) + 0.3 * losses.strangers(made, real, own, strangers, 20, 0.1)

    @jax.jit
    def step(change: Any, state: Any, images: jax.Array, real: jax.Array, own: jax.Array) -> Any:
        value, gradient = jax.value_and_grad(loss)(change, images.astype(jnp.float32) / 255, real, own)
        updates, state = optimizer.update(gradient, state)
        return optax.apply_updates(change, updates), state, value

    size = len(np.unique(trial.labels))
    columns = "".join(f"{f'among {each:,}: raw':>20}  centered  rank-1" for each in (size, size + len(first)))
    print(f"{'':14}{columns}")
    generator = np.random.default_rng(0)
    seen = []
    for number in range(arguments.steps + 1):
        if number % arguments.evaluate == 0:
            now = changed(variables, change)
            mean = condition_mean(templates_of(recognizer, now, for_mean))
            report(f"{number} steps", trial, templates_of(recognizer, now, searched), mean)
        chosen = generator.choice(len(small), _BATCH, replace=False)
        images = np.where(generator.random(_BATCH)[:, None, None, None] < 0.5, small[chosen], small[chosen][:, :, ::-1])
        change, state, value = step(change, state, images, known[chosen], labels[chosen])
        seen.append(float(value))
        if number % 20 == 19:
            print(f"step {number + 1}/{arguments.steps}: loss {np.mean(seen[-20:]):.4f}", flush=True)


if __name__ == "__main__":
    main()
