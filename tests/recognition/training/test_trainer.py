"""A recognizer's training: its step against a plain one, on eight devices as on one, and what must not move.

Covers `recognition/training/train_config.py`, `recognition/training/transform.py` too.
"""

import dataclasses
import functools
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import sharded_head
from ml_collections import ConfigDict

from lowres_jax.data import splits
from lowres_jax.errors import UserError
from lowres_jax.recognition import resnet
from lowres_jax.recognition.training import margins, train_config, trainer
from lowres_jax.recognition.training.transform import FaceTransform
from lowres_jax.training import devices, optimizers
from lowres_jax.training.loss_networks import FrozenNetwork
from lowres_jax.training.state import network

pytestmark = pytest.mark.slow

SCRIPT = Path(__file__).with_name("sharded_head.py")
KINDS = ("softmax", "arcface", "adaface")


@pytest.fixture(autouse=True)
def _one_block(monkeypatch: pytest.MonkeyPatch) -> None:
    """ResNet-18 has one block instead of eight: a step does the same for any number."""
    monkeypatch.setitem(resnet.DEPTHS, 18, ((1, 0, 0, 0), False))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[int, str], dict[str, np.ndarray]]:
    """(devices, kind) -> the state after four steps, and figures."""
    folder = tmp_path_factory.mktemp("sharded")
    running = {}
    for count in (1, 8):
        command = [sys.executable, str(SCRIPT), str(count), str(folder), *KINDS]
        running[count] = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    found = {}
    for count, process in running.items():
        _, error = process.communicate(timeout=200)
        assert process.returncode == 0, error
        for kind in KINDS:
            with np.load(folder / f"{count}_{kind}.npz") as kept:
                found[count, kind] = dict(kept)
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_classes_divided_between_eight_devices_give_what_one_gives(
    trained: dict[tuple[int, str], dict[str, np.ndarray]], kind: str
) -> None:
    one, eight = trained[1, kind], trained[8, kind]
    assert one.keys() == eight.keys()
    for name in one:
        np.testing.assert_allclose(eight[name], one[name], rtol=2e-4, atol=2e-5, err_msg=name)
    (name,) = (name for name in eight if name.endswith("params/sharded_classes"))
    # 120 classes in 128 places: the others only fill up, and nothing is learned there.
    assert eight[name].shape == (8, 128)
    np.testing.assert_array_equal(eight[name][:, sharded_head.CLASSES :], 0.0)
    assert np.abs(eight[name][:, : sharded_head.CLASSES]).max() > 0.01


@pytest.mark.parametrize("kind", KINDS)
def test_a_step_is_that_of_the_plain_loss(
    trained: dict[tuple[int, str], dict[str, np.ndarray]], kind: margins.Kind
) -> None:
    """The same four steps written down plainly: all classes at once, one optimizer over everything."""
    config, module = sharded_head.settings(kind), sharded_head.Small(axis_name=None)
    training = trainer.Trainer(sharded_head.Small(), None, sharded_head.CLASSES, config, sharded_head.STEPS)
    start = training.init()
    own, head = start.networks["recognizer"], start.networks["head"]
    params = {"own": own.params, "head": jax.tree.map(lambda leaf: leaf[:, : sharded_head.CLASSES], head.params)}
    stats, mean, deviation = own.batch_stats, 20.0, 100.0
    settings = config.losses.classification
    losses = []
    momentum = jax.tree.map(jnp.zeros_like, params)
    for batch in sharded_head.batches():
        images, right = batch["image"] / np.float32(255), jax.nn.one_hot(batch["label"] - 2, sharded_head.CLASSES) > 0
        if kind == "adaface":
            norms = jnp.linalg.norm(
                module.apply({"params": params["own"], "batch_stats": stats}, images, True, mutable=["batch_stats"])[0],
                axis=-1,
            )
            mean, deviation = 0.99 * mean + 0.01 * norms.mean(), 0.99 * deviation + 0.01 * norms.std()

        def loss(params, images=images, right=right, stats=stats, mean=mean, deviation=deviation):
            variables = {"params": params["own"], "batch_stats": stats}
            templates, changed = module.apply(variables, images, True, mutable=["batch_stats"])
            if kind == "softmax":
                logits = templates @ params["head"]["sharded_classes"] + params["head"]["sharded_bias"]
            else:
                cosine = margins.cosines(templates, params["head"]["sharded_classes"])
                lengths = jnp.linalg.norm(templates, axis=-1)
                logits = margins.margin_logits(
                    kind, cosine, right, settings.scale, settings.margin, lengths, mean, deviation
                )
            wanted = right * (1.0 - settings.smoothing) + settings.smoothing / logits.shape[-1]
            return -jnp.mean(jnp.sum(wanted * jax.nn.log_softmax(logits), axis=-1)), changed["batch_stats"]

        (value, stats), gradient = jax.value_and_grad(loss, has_aux=True)(params)
        losses.append(float(value))
        # Each network's gradient is clipped by its own norm, then weight decay is added: SGD, Nesterov momentum .9.
        norms = {name: optax.tree.norm(part) for name, part in gradient.items()}
        assert max(float(norm) for norm in norms.values()) > sharded_head.CLIP_NORM
        gradient = {
            name: jax.tree.map(lambda slope, n=norms[name]: slope * jnp.minimum(1.0, sharded_head.CLIP_NORM / n), part)
            for name, part in gradient.items()
        }
        gradient = jax.tree.map(lambda slope, leaf: slope + 1e-3 * leaf, gradient, params)
        momentum = jax.tree.map(lambda old, slope: 0.9 * old + slope, momentum, gradient)
        params = jax.tree.map(lambda leaf, slope, move: leaf - 0.3 * (slope + 0.9 * move), params, gradient, momentum)
    found = trained[1, kind]
    names = ["accuracy", "classification", "gradient_norm", "head_gradient_norm"]
    assert found["figures"].shape == (sharded_head.STEPS, len(names))
    np.testing.assert_allclose(found["figures"][:, 1], losses, rtol=1e-4)
    np.testing.assert_allclose(found["figures"][-1, 3], norms["head"], rtol=1e-3)
    second = next(name for name in found if name.endswith("networks/recognizer/params/second/kernel"))
    np.testing.assert_allclose(found[second], params["own"]["second"]["kernel"], rtol=2e-3, atol=1e-4)
    classes = next(name for name in found if name.endswith("networks/head/params/sharded_classes"))
    learnt = found[classes][:, : sharded_head.CLASSES]
    np.testing.assert_allclose(learnt, params["head"]["sharded_classes"], rtol=2e-3, atol=1e-4)


def test_of_a_recognizer_that_sees_everybody_alike_nothing_is_right() -> None:
    config = sharded_head.settings("arcface")
    training = trainer.Trainer(sharded_head.Small(), None, 5, config, 1)
    params = {"sharded_classes": jnp.eye(8, 128)}
    statistics = {"norm_mean": jnp.zeros(()), "norm_deviation": jnp.ones(())}

    def accuracy(templates: jax.Array) -> float:
        classes = jnp.arange(4)
        found = jax.vmap(
            lambda rows, labels: training._classification(rows, labels, params, statistics)[0]["accuracy"],
            axis_name=devices.AXIS,
        )(templates[None], classes[None])
        return float(found[0])

    assert accuracy(jnp.zeros((4, 8))) == 0.0
    assert accuracy(jnp.ones((4, 8))) == 0.0
    assert accuracy(jnp.eye(4, 8)) == 1.0
    # Class 3 for class 2: three of four.
    assert accuracy(jnp.eye(4, 8)[jnp.asarray([0, 1, 3, 3])]) == 0.75


@pytest.mark.parametrize("name", ["adam", "adamw"])
def test_a_backbone_that_thaws_moves_as_if_it_began_then(name: str) -> None:
    """Adam's first update is the learning rate, whatever the gradient; with the others' counts it was several times."""
    config = small_config(frozen_steps=50)
    config.optimizer.update({"name": name, "weight_decay": 0.0, "learning_rate": 0.01, "warmup_steps": 4})
    optimizer = optimizers.make_optimizer(config.optimizer, 100, frozen_steps=50)
    params = {"backbone": {"w": jnp.ones(3)}, "embedding": {"w": jnp.ones(3)}}
    own = network({"params": params}, optimizer)
    gradient = {"backbone": {"w": jnp.asarray([1.0, -2.0, 0.1])}, "embedding": {"w": jnp.asarray([1.0, -2.0, 0.1])}}
    for step in range(52):
        seen = gradient if step >= 50 else gradient | {"backbone": {"w": jnp.zeros(3)}}
        before = own
        own = trainer._thawed(before, before.updated(optimizer, seen, {}), jnp.asarray(step >= 50))
        moved = np.asarray(own.params["backbone"]["w"] - before.params["backbone"]["w"])
        # Warm-up counts updates: a quarter of the rate, then a half.
        expected = 0.0 if step < 50 else 0.0025 * (step - 49)
        np.testing.assert_allclose(np.abs(moved), expected, rtol=1e-3, atol=1e-7)


def small_config(**changes: object) -> ConfigDict:
    config = train_config.default_config()
    config.size, config.steps, config.model.fields.depth, config.model.fields.embedding = 32, 4, 18, 8
    config.optimizer.learning_rate = 0.01
    config.update(changes)
    return config


def test_a_frozen_backbone_stays_and_the_embedding_moves() -> None:
    config = small_config(frozen_steps=1, batch_size=4)
    config.model.fields.dropout = 0.0  # which is drawn by the step's number
    training = trainer.make(config, 3, 4)
    before = training.init()
    batch = {"image": np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), np.uint8), "label": np.arange(4) % 3}
    step, constants = devices.data_parallel(training.step, before), devices.replicate(training.constants(np.arange(3)))
    was, found, metrics = before.networks["recognizer"], [], []
    for number in (0, 1):  # one step from the same state, said to be the first and, thawed, the second
        start = dataclasses.replace(before, step=np.asarray(number, np.int32))
        state, figures = step(devices.replicate(start), constants, devices.divide(batch))
        own = devices.fetch(state).networks["recognizer"]
        moved = optax.tree.norm(jax.tree.map(np.subtract, own.params["backbone"], was.params["backbone"]))
        assert (float(moved) > 0) == (number == 1)
        changed = own.batch_stats["backbone"]["conv1_bn"]["mean"] - was.batch_stats["backbone"]["conv1_bn"]["mean"]
        assert (np.abs(changed).max() > 0) == (number == 1)
        assert np.abs(own.params["embedding"]["kernel"] - was.params["embedding"]["kernel"]).max() > 1e-4
        found.append(own)
        metrics.append(devices.fetch(figures))
    # What the embedding learns is the same, whether the backbone learns or not.
    close = functools.partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-6)
    for name in ("embedding", "norm_in", "norm_out"):
        jax.tree.map(close, found[0].params[name], found[1].params[name])
    close(metrics[0]["classification"], metrics[1]["classification"])
    assert metrics[0]["gradient_norm"] < 0.9 * metrics[1]["gradient_norm"]  # of what moves


def test_dropout_is_another_in_every_step_and_the_same_when_a_step_is_repeated() -> None:
    config = small_config(batch_size=4)
    config.model.fields.dropout = 0.5
    training = trainer.make(config, 3, 4)
    before = training.init()
    batch = {"image": np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), np.uint8), "label": np.arange(4) % 3}
    step, constants = devices.data_parallel(training.step, before), devices.replicate(training.constants(np.arange(3)))
    found = []
    for number in (0, 1, 0):
        start = dataclasses.replace(before, step=np.asarray(number, np.int32))
        _, figures = step(devices.replicate(start), constants, devices.divide(batch))
        found.append(float(devices.fetch(figures)["classification"]))
    assert found[0] == found[2]
    assert abs(found[0] - found[1]) > 1e-3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            ("losses.classification.kind", "arcfase"),
            "losses.classification.kind=arcfase: did you mean 'arcface'",
        ),
        (("model.fields.depth", 51), "config.model.fields.depth=51: choose of 18, 34, 50, 100"),
        (("losses.classification.weight", 0.0), "nothing is learned"),
        (("held_out_images", 1.0), "config.held_out_images=1: must be a number, 0 or more, below 1"),
        (("size", 8), "config.size=8: must be a whole number, from 32 to 1,024"),
        (("zoom", 0.6), r"config\.zoom=0\.6: must be a number, from 0 to 0\.5"),
        (("zoom", -0.1), r"config\.zoom=-0\.1: must be a number, from 0 to 0\.5"),
        (("losses.classification.scale", 0.0), "config.losses.classification.scale=0: must be a number, above 0"),
        (("low_resolution.degraded", 1.5), "config.low_resolution.degraded=1.5: must be a number, from 0 to 1"),
        (("low_resolution.degraded", 0.5), "config.degradation degrades nothing"),
        (("model.fields.stem", "fase"), "'fase': did you mean 'face'"),
        (("ema", 1.0), "config.ema=1: must be a number, 0 or more, below 1"),
    ],
)
def test_settings_that_cannot_be(change: tuple[str, object], message: str) -> None:
    config = small_config()
    config.update_from_flattened_dict(dict([change]))
    with pytest.raises(UserError, match=message):
        train_config.check(config)


def test_only_a_resnet_has_a_backbone_to_freeze() -> None:
    config = small_config(frozen_steps=2)
    train_config.check(config)
    config.model = ConfigDict({"module": "recognition.sface", "fields": {}}, convert_dict=True)
    with pytest.raises(UserError, match=r"frozen_steps=2: recognition\.sface has no backbone"):
        train_config.check(config)


def test_learners_by_hand() -> None:
    labels = np.asarray([0, 0, 0, 1, 1, 2, 2, 2, 2, 3, 3])
    folders = [f"n{label:06d}" for label in labels]
    found = splits.split_classes(labels, folders, 3, 0.0, 0.25, seed=0)
    assert found.classes == 3
    assert found.class_of.tolist() == [0, 1, 2, -1]
    assert np.bincount(labels[found.validation]).tolist() == [1, 1, 1]
    assert sorted([*found.training, *found.validation]) == list(range(9))
    half = splits.split_classes(labels, folders, 0, 0.5, 0.0, seed=0)
    assert half.classes == 2
    assert set(np.unique(labels[half.training])) == set(np.flatnonzero(half.class_of >= 0))
    alone = np.asarray([0, 1, 1, 2]), ["Ann", "Bob", "Bob", "Cid"]
    with pytest.raises(UserError, match=r"2 of 3 people have too few images to hold one out: Ann, Cid; choose 0"):
        splits.split_classes(*alone, 0, 0.0, 0.2, seed=0)
    with pytest.raises(UserError, match="two people or more"):
        splits.split_classes(labels, folders, 1, 0.0, 0.0, seed=0)


def test_rows_of_a_batch() -> None:
    crop = np.random.default_rng(0).integers(0, 256, (128, 128, 3), np.uint8)
    config = small_config(size=128, flip=False)
    np.testing.assert_array_equal(FaceTransform(config)(crop, np.random.default_rng(0))["image"], crop)
    config.flip = True
    rows = [FaceTransform(config)(crop, np.random.default_rng(seed))["image"] for seed in range(40)]
    mirrored = [np.array_equal(row, crop[:, ::-1]) for row in rows]
    assert all(np.array_equal(row, crop) or each for row, each in zip(rows, mirrored, strict=True))
    assert 10 < sum(mirrored) < 30
    config.update({"flip": False, "low_resolution": {"share": 1.0, "sizes": (16,)}})
    row = FaceTransform(config)(crop, np.random.default_rng(0))["image"].astype(float)
    # What is left is what 16 x 16 pixels can hold: the area means, and hardly any of the noise.
    blocks = crop.reshape(16, 8, 16, 8, 3).mean((1, 3))
    np.testing.assert_allclose(row.reshape(16, 8, 16, 8, 3).mean((1, 3)), blocks, atol=25)
    assert row.std() < 0.3 * crop.std()
    # Degraded besides: noise of a known strength, drawn again for every row.
    config.update({"degradation": {"noise": (20.0, 20.0)}})
    config.low_resolution.update({"sizes": (64,), "degraded": 0.5})
    gray = np.full_like(crop, 128)
    spread = [FaceTransform(config)(gray, np.random.default_rng(seed))["image"].std() for seed in range(40)]
    assert 10 < sum(each > 0 for each in spread) < 30
    assert all(10 < each < 20 for each in spread if each > 0)  # enlarging smoothes it
    config.low_resolution.degraded = 0.0
    config.update({"low_resolution": {"share": 0.0, "sizes": ()}, "brightness": 0.5, "size": 64})
    rows = [FaceTransform(config)(crop, np.random.default_rng(seed))["image"] for seed in range(20)]
    assert rows[0].shape == (64, 64, 3)
    means = np.asarray([row.mean() for row in rows]) / crop.mean()
    assert means.min() < 0.75
    assert means.max() > 1.2
    np.testing.assert_allclose(FaceTransform(config).plain(crop[None])[0].mean(), crop.mean() / 255, atol=0.01)


def test_a_zoomed_row_is_a_square_of_the_face() -> None:
    # Each pixel says where it is: red its column, green its row.
    column, row = np.meshgrid(np.arange(128), np.arange(128))
    crop = np.stack([column, row, 0 * row], axis=-1).astype(np.uint8)
    config = small_config(size=128, flip=False, zoom=0.5)
    spans = []
    for seed in range(40):
        image = FaceTransform(config)(crop, np.random.default_rng(seed))["image"].astype(int)
        left, right = image[64, [0, -1], 0]
        top, bottom = image[[0, -1], 64, 1]
        assert abs((right - left) - (bottom - top)) <= 1  # as high as it is wide
        assert 0 <= left < right <= 127
        spans.append((right - left + 1, left, top, 127 - right, 127 - bottom))
    widths, *margins = np.asarray(spans).T
    assert 63 <= widths.min() < 75
    assert 117 < widths.max() <= 128
    # From anywhere: every side of the face is reached, and left well alone.
    assert all(each.min() <= 3 and each.max() > 25 for each in margins)


def test_the_teacher_is_shown_the_crop_before_it_was_made_small() -> None:
    crop = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    config = small_config(size=64, flip=True)
    config.low_resolution.update({"share": 1.0, "sizes": (8,)})
    config.zoom = 0.2
    assert set(FaceTransform(config)(crop, np.random.default_rng(0))) == {"image"}
    config.losses.distillation.weight = 1.0
    for seed in range(4):
        row = FaceTransform(config)(crop, np.random.default_rng(seed))
        mirrored = np.random.default_rng(seed).random() < 0.5
        np.testing.assert_array_equal(row["teacher_image"], crop[:, ::-1] if mirrored else crop)
        assert row["image"].std() < 0.5 * crop.std()


def test_what_is_learned_of_a_teacher() -> None:
    """One less the mean cosine of the student's template of one image and the teacher's of the other."""
    config = small_config()
    config.losses.classification.weight, config.losses.distillation.weight = 0.0, 1.0
    teacher = FrozenNetwork(
        "teacher", 1.0, lambda variables, images: variables * images[:, 0, :4].reshape(len(images), -1)[:, :8], 2.0
    )
    training = trainer.Trainer(sharded_head.Small(), teacher, 3, config, 4)
    state = training.init()
    images, shown = np.random.default_rng(0).integers(0, 256, (2, 8, 32, 32, 3), np.uint8)
    own = state.networks["recognizer"]
    student, _ = sharded_head.Small(axis_name=None).apply(
        {"params": own.params, "batch_stats": own.batch_stats}, images / np.float32(255), True, mutable=["batch_stats"]
    )
    known = shown[:, 0, :4].reshape(8, -1)[:, :8] / 255
    student = np.asarray(student)
    cosines = (student * known).sum(1) / np.linalg.norm(student, axis=1) / np.linalg.norm(known, axis=1)
    batch = {"image": images, "teacher_image": shown, "label": np.zeros(8, np.int32)}
    step = devices.data_parallel(training.step, state)
    constants = devices.replicate(training.constants(np.arange(3)))
    _, metrics = step(devices.replicate(state), constants, devices.divide(batch))
    assert float(metrics["distillation"]) == pytest.approx(1 - cosines.mean(), abs=1e-5)
