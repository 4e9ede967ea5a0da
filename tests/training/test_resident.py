"""Crops that stay on the devices, several steps a call: the same training as crop by crop, step by step."""

from pathlib import Path

import numpy as np
import pytest
from training_runs import leaves, write_faces

from lowres_jax.data import resize
from lowres_jax.data.records import open_records
from lowres_jax.errors import UserError
from lowres_jax.recognition.training import train_config as recognition_recipe
from lowres_jax.recognition.training.transform import FaceTransform
from lowres_jax.super_resolution.training import train_config
from lowres_jax.super_resolution.training.transform import Transform
from lowres_jax.tasks import train
from lowres_jax.training import session

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four people with five faces of 32 px each."""
    return write_faces(tmp_path_factory.mktemp("data"), 4, 5, lambda image: resize.resize(image[16:-4], 32, 32))


def config(data: Path) -> "train_config.ConfigDict":
    """A small training with edge maps, which the host makes."""
    made = train_config.default_config()
    made.data_dir, made.dataset, made.held_out = str(data), "faces/made", 0.0
    made.model.fields.update({"blocks": 1, "features": 8})
    made.losses.edge.weight = 1.0
    made.hr_size, made.batch_size, made.steps, made.ema = 32, 4, 6, 0.9
    made.evaluate_steps, made.log_steps = 0, 2
    # Not Adam, which brings the last bits of a gradient of zero up to its rate.
    for each in (made.optimizer, made.discriminator_optimizer):
        each.update({"name": "sgd", "learning_rate": 1e-2, "b1": 0.0})
    return made


def test_the_devices_make_the_rows_that_the_host_makes(data: Path) -> None:
    source, samples = open_records(data / "faces" / "made"), Transform(config(data))
    crops = source.crops(np.arange(len(source)))[0]
    drawn = [samples.choices(np.random.default_rng(number)) for number in range(len(crops))]
    batch = {"row": np.arange(len(crops)), "mirrored": np.stack([each["mirrored"] for each in drawn])}
    assert 0 < batch["mirrored"].sum() < len(crops)
    made = samples.rows_on_device(samples.resident(crops), batch)
    rows = [samples(crop, np.random.default_rng(number)) for number, crop in enumerate(crops)]
    assert set(made) == {"image", "edges"}
    for name, values in made.items():
        np.testing.assert_array_equal(values, np.stack([row[name] for row in rows]), err_msg=name)


def test_the_same_training_from_resident_crops_and_in_calls_of_three(data: Path, tmp_path: Path) -> None:
    streamed, resident = config(data), config(data)
    resident.resident, resident.steps_per_call = True, 3
    train.run(streamed, tmp_path / "streamed")
    train.run(resident, tmp_path / "resident")
    one, other = leaves(tmp_path / "streamed"), leaves(tmp_path / "resident")
    assert one.keys() == other.keys()
    assert int(one["step"]) == int(other["step"]) == 6
    for name in one:
        # Another program, so another order of additions.
        np.testing.assert_allclose(one[name], other[name], atol=1e-5, rtol=1e-4, err_msg=name)


def test_what_the_host_has_to_do_does_not_stay(data: Path) -> None:
    plain, footage, face = config(data), config(data), recognition_recipe.default_config()
    footage.degradation.blur = (0.3, 0.9)
    assert not session.is_resident(plain, Transform(plain))  # On a CPU it is not asked for.
    for each, samples in ((footage, Transform(footage)), (face, FaceTransform(face))):
        assert not session.is_resident(each, samples)
        each.resident = True
        with pytest.raises(UserError, match=r"config\.resident=True: what this config does .* on the host"):
            session.is_resident(each, samples)
    plain.resident = True
    assert session.is_resident(plain, Transform(plain))


def test_steps_of_a_call_that_cannot_be(data: Path) -> None:
    wrong = config(data)
    wrong.steps_per_call = 0
    with pytest.raises(UserError, match=r"config\.steps_per_call=0: must be a whole number, 1 or more"):
        train_config.check(wrong)
    wrong.steps_per_call, wrong.matmul_precision = 1, "hihgest"
    with pytest.raises(UserError, match=r"config\.matmul_precision=hihgest: did you mean 'highest'"):
        train_config.check(wrong)
