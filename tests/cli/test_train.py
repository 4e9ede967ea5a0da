"""`train` from the command line on real faces: stopped, killed, resumed, on two processes, and what it refuses."""

import json
import re
import runpy
import shlex
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ml_collections import ConfigDict
from signalled import run_signalled
from tensorboardX.proto import event_pb2
from training_runs import assert_equal, finish, leaves, start, start_together, write_faces

from lowres_jax.data import images
from lowres_jax.data.degradations import low_resolution
from lowres_jax.data.records import open_records
from lowres_jax.data.splits import split_identities
from lowres_jax.errors import UserError
from lowres_jax.pretrained import conditions
from lowres_jax.recognition.recognizer import load_network
from lowres_jax.super_resolution.training import trainer
from lowres_jax.super_resolution.upscaler import load_upscaler
from lowres_jax.tasks import export_weights, train
from lowres_jax.training.checkpoints import Checkpoints, flat_leaves

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
PEOPLE, PICTURES, STEPS = 8, 3, 8
# Adam divides a gradient by its own size: where it is nothing but rounding (a bias before a batch normalization) the
# order of sums decides a whole step. Runs that add in another order are compared after plain gradient steps.
PLAIN = {"optimizer.name": "sgd", "optimizer.learning_rate": 0.05, "optimizer.b1": 0.0}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of prepared sets: eight people of ORL, three pictures each, 32 pixels."""
    return write_faces(tmp_path_factory.mktemp("data"), PEOPLE, PICTURES, lambda face: face[14:106:2, :92:2][:32, 7:39])


def settings(data: Path, **changes: Any) -> dict[str, Any]:
    found = {
        "data_dir": str(data),
        "dataset": "faces/made",
        "hr_size": 32,
        "held_out": 0.2,
        "steps": STEPS,
        "evaluate_steps": 5,
        "cpu_devices": 1,
        "grace_seconds": 60.0,  # a loaded machine may take its time to save
    }
    return found | changes


def arguments(data: Path, workdir: Path, **changes: Any) -> list[str]:
    flags = [f"--config.{name}={value}" for name, value in settings(data, **changes).items()]
    return ["--config=configs/srresnet.py:smoke", f"--workdir={workdir}", *flags]


@pytest.fixture(scope="module")
def straight(data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Workdir and output of a run that nobody stopped."""
    workdir = tmp_path_factory.mktemp("straight")
    return workdir, finish(start(*arguments(data, workdir)))


@pytest.fixture(scope="module")
def straight_plain(data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Workdir and output of the same with plain gradient steps."""
    workdir = tmp_path_factory.mktemp("straight_plain")
    return workdir, finish(start(*arguments(data, workdir, **PLAIN)))


def test_a_run_says_what_it_does(straight: tuple[Path, str]) -> None:
    workdir, output = straight
    lines = output.splitlines()
    assert "generator 0.0335 million parameters; 1 cpu device in 1 process" in lines[0]
    assert lines[1].startswith("faces/made: 18 crops of 6 people to learn from (sharpness at least 0), 6 of 2 held out")
    assert lines[2] == f"curves after each evaluation: {workdir}/curves.png"
    assert lines[3] == f"curves: python -m tensorboard.main --logdir {workdir}/tensorboard"
    assert (workdir / "curves.png").is_file()
    assert f"export_weights {workdir} NAME 'LICENSE" in lines[-1]
    assert [line.split()[1] for line in lines if "images/s" in line] == ["2/8", "4/8", "6/8", "8/8"]
    validations = [line for line in lines if "validation:" in line]
    assert [line.split()[1] for line in validations] == ["5", "8"]
    evaluations = json.loads((workdir / "evaluations.json").read_text())
    assert [each["step"] for each in evaluations] == [5, 8]
    # Bicubic is the same at every evaluation; the generator is not.
    assert evaluations[0]["reference"] == evaluations[1]["reference"]
    assert evaluations[0]["figures"]["psnr"] != evaluations[1]["figures"]["psnr"]
    assert 20 < evaluations[0]["reference"]["psnr"] < 40


def test_pictures_and_tensorboard(straight: tuple[Path, str]) -> None:
    workdir, _ = straight
    grid = images.read_image(workdir / "grids" / "step_0000008.png")
    # Three faces of 32 pixels in four columns, gaps of 6, a title of 22.
    assert grid.shape == (22 + 3 * 38, 6 + 4 * 38, 3)
    assert images.read_image(workdir / "sharpness.png").shape[2] == 3
    tags = set()
    for file in (workdir / "tensorboard").iterdir():
        content, offset = file.read_bytes(), 0
        while offset < len(content):
            length = int.from_bytes(content[offset : offset + 8], "little")
            event = event_pb2.Event.FromString(content[offset + 12 : offset + 12 + length])
            tags |= {value.tag for value in event.summary.value}
            offset += 16 + length
    assert {"train/pixel", "train/images_per_second", "validation/psnr", "validation/faces"} <= tags
    assert {"validation_bicubic/psnr", "train/learning_rate"} <= tags


def test_tensorboard_of_this_environment_starts() -> None:
    """Its modules are imported: what setuptools or protobuf lack ends it here."""
    command = [sys.executable, "-m", "tensorboard.main", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"\d+\.\d+\.\d+", done.stdout.split()[-1])


@pytest.mark.whole
def test_the_curves_can_be_looked_at(straight: tuple[Path, str]) -> None:
    """The command of a training's first lines, but for the port."""
    (line,) = [line for line in straight[1].splitlines() if line.startswith("curves: ")]
    command = shlex.split(line.removeprefix("curves: python "))
    with subprocess.Popen(
        [sys.executable, *command, "--port=0"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        while not (found := re.search(r"at (http://\S+?/) ", line)):
            line = process.stderr.readline()
            assert line, "TensorBoard has ended"
        with urllib.request.urlopen(f"{found[1]}data/plugin/scalars/tags") as answer:
            tags = json.load(answer)
        process.terminate()
    assert "train/pixel" in next(iter(tags.values()))


@pytest.mark.parametrize(
    ("number", "status", "collecting", "place", "calls"),
    [
        (signal.SIGTERM, 143, False, "lowres_jax.training.loop:_Run.read_pending", 3),
        pytest.param(
            signal.SIGINT, 130, True, "lowres_jax.training.loop:_Run.read_pending", 7, marks=pytest.mark.whole
        ),
        # Between steps, while an evaluation runs.
        pytest.param(
            signal.SIGTERM, 143, False, "lowres_jax.evaluation.image_quality:ssim", 2, marks=pytest.mark.whole
        ),
        # In the last evaluation, when all steps are done and saved.
        pytest.param(
            signal.SIGTERM, 143, False, "lowres_jax.evaluation.image_quality:ssim", 3, marks=pytest.mark.whole
        ),
        # Nobody can save anything: goes on from the last whole checkpoint. The third save waits for the first.
        (signal.SIGKILL, -9, False, "lowres_jax.training.checkpoints:Checkpoints.save", 3),
    ],
)
def test_a_stopped_run_goes_on_to_the_same_bits(
    straight: tuple[Path, str],
    data: Path,
    tmp_path: Path,
    number: signal.Signals,
    status: int,
    collecting: bool,
    place: str,
    calls: int,
    capsys: pytest.CaptureFixture[str],
) -> None:
    often = {"checkpoint_seconds": 0.0} if number == signal.SIGKILL else {}
    ended = run_signalled(
        *arguments(data, tmp_path, **often), place=place, calls=calls, signal_number=number, collecting=collecting
    )
    assert ended.status == status, ended.error
    assert "Traceback" not in ended.error
    step = int(leaves(tmp_path)["step"])
    assert 0 < step <= STEPS
    if number != signal.SIGKILL:
        assert f"{tmp_path}: step {step} of {STEPS} is saved; to resume: python -m lowres_jax.main" in (ended.output)

    train.run(config_of("srresnet:smoke", **settings(data)), tmp_path)

    assert f"resumes after step {step} of {STEPS}" in capsys.readouterr().out
    assert_equal(leaves(tmp_path), leaves(straight[0]))
    figures = [json.loads((folder / "evaluations.json").read_text()) for folder in (tmp_path, straight[0])]
    assert figures[0][-1] == figures[1][-1]


def test_a_run_goes_on_with_another_number_of_devices(
    straight_plain: tuple[Path, str], data: Path, tmp_path: Path
) -> None:
    ended = run_signalled(
        *arguments(data, tmp_path, cpu_devices=4, **PLAIN), place="lowres_jax.training.loop:_Run.read_pending", calls=4
    )
    assert ended.status == 143, ended.error
    assert "4 cpu devices in 1 process" in ended.output
    config = config_of("srresnet:smoke", **settings(data))
    config.update_from_flattened_dict(PLAIN)
    train.run(config, tmp_path)
    assert_close(leaves(tmp_path), leaves(straight_plain[0]))


def assert_close(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> None:
    """Equal but for the order of sums, as large as the weights; the steps themselves are some thousand times that."""
    assert one.keys() == other.keys()
    for name in one:
        if "/params/" in name:
            np.testing.assert_allclose(one[name], other[name], atol=1e-5, err_msg=name)


def test_two_processes_give_what_one_gives(straight_plain: tuple[Path, str], data: Path, tmp_path: Path) -> None:
    first, second = start_together(arguments(data, tmp_path, **PLAIN))
    output = finish(first)
    assert "step" not in finish(second)
    assert "2 cpu devices in 2 processes" in output
    assert_close(leaves(tmp_path), leaves(straight_plain[0]))
    figures = [
        [line.split()[3] for line in text.splitlines() if "images/s" in line] for text in (output, straight_plain[1])
    ]
    np.testing.assert_allclose(np.asarray(figures[0], float), np.asarray(figures[1], float), rtol=2e-3)


@pytest.mark.whole
def test_when_one_of_two_processes_is_stopped_both_save_the_same_step(
    straight: tuple[Path, str], data: Path, tmp_path: Path
) -> None:
    first, second = start_together(arguments(data, tmp_path, steps=100_000, evaluate_steps=0))
    assert first.stdout is not None
    # The event that is waited for: the first figures.
    while "step 2/" not in (line := first.stdout.readline()):
        assert line, first.communicate()[1]
    second.send_signal(signal.SIGTERM)
    errors = [process.communicate(timeout=120)[1] for process in (first, second)]
    assert [process.returncode for process in (first, second)] == [143, 143], errors
    assert int(leaves(tmp_path)["step"]) > 2


@pytest.mark.whole
def test_processes_with_different_configs_end_before_the_first_step(data: Path, tmp_path: Path) -> None:
    processes = start_together(arguments(data, tmp_path), arguments(data, tmp_path, seed=1))
    for process in processes:
        output, error = process.communicate(timeout=120)
        assert process.returncode == 1
        assert "error: the config differs between processes (process 0 and 1)" in error
        assert "step" not in output


@pytest.mark.whole
def test_processes_need_no_disk_that_they_share(straight_plain: tuple[Path, str], data: Path, tmp_path: Path) -> None:
    """As on the machines of a TPU pod: each has a workdir of its own, and only the first has anything to go on from."""
    each = [tmp_path / "first", tmp_path / "second"]
    for steps in (STEPS // 2, STEPS):
        first, second = start_together(
            *(arguments(data, folder, steps=steps, evaluate_steps=0, **PLAIN) for folder in each)
        )
        output = finish(first)
        finish(second)
    assert f"resumes after step {STEPS // 2} of {STEPS}" in output
    assert not each[1].exists()
    assert_close(leaves(each[0]), leaves(straight_plain[0]))


@pytest.mark.whole
def test_where_one_of_two_processes_is_killed_the_other_ends_in_a_line(data: Path, tmp_path: Path) -> None:
    first, second = start_together(arguments(data, tmp_path, steps=100_000, evaluate_steps=0, checkpoint_seconds=0.0))
    assert first.stdout is not None
    while "step 6/" not in (line := first.stdout.readline()):
        assert line, first.communicate()[1]
    second.kill()
    second.communicate()
    _, error = first.communicate(timeout=120)
    assert first.returncode == 1
    assert "error: process 1 has ended without a word (killed, or its machine is gone); what is saved stays" in error
    assert "Traceback" not in error
    assert int(leaves(tmp_path)["step"]) > 0


def test_the_result_gets_a_name(
    straight: tuple[Path, str], data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setenv("LOWRES_JAX_CACHE", str(tmp_path))
    config = runpy.run_path(str(ROOT / "configs" / "export_weights.py"))["get_config"]()
    config.training, config.name, config.license = str(straight[0]), "mine", "ours alone"
    export_weights.run(config, tmp_path)

    said = capsys.readouterr().out
    assert "0.1 MB. Its name works now" in said
    assert "centering for sface at 8 px, of 18 crops of faces/made" in said
    upscaler = load_upscaler("mine")
    assert (upscaler.scale, upscaler.card.training["steps"]) == (4, STEPS)
    assert upscaler.card.training["losses"] == "1 pixel"
    assert upscaler.card.license == "ours alone"
    checkpoints = Checkpoints(straight[0])
    variables = checkpoints.read()["ema"]
    checkpoints.close()
    module = trainer.train_config.build_generator(config_of("srresnet:smoke"))
    low = np.random.default_rng(0).random((2, 8, 8, 3)).astype(np.float32)
    exact = np.clip(module.apply(variables, low), 0, 1)
    difference = np.abs(upscaler(low) - exact).max() * 255
    assert 0 < difference < 1.0
    # What its faces' templates have in common is on the card: the mean over the crops that were learned from.
    source = open_records(data / "faces" / "made")
    learned = split_identities(source.labels, 0.2, 0).training
    high = source.crops(learned)[0].astype(np.float32) / np.float32(255)
    templates = load_network("sface").templates(upscaler(low_resolution(high, 8)))
    (condition,) = conditions.read(upscaler.card, "sface", 128).items()
    assert (condition[0], condition[1].share) == (8, 1.0)
    np.testing.assert_allclose(condition[1].mean, templates.mean(axis=0), atol=2e-3)
    with pytest.raises(UserError, match=r"mine\.toml: exists; .*overwrite=true"):
        export_weights.run(config, tmp_path)
    (tmp_path / "cards" / "mine.safetensors").write_bytes(b"damaged")
    with pytest.raises(UserError, match=r"mine\.safetensors: .*damaged"):
        load_upscaler("mine")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"training": ""}, r"config\.training is empty"),
        ({"license": ""}, r"config\.license is empty: give --config\.license=TEXT"),
        ({"name": "My model"}, "use small letters"),
        ({"name": "srgan"}, "comes with the program"),
        ({"training": "nowhere"}, r"nowhere: no training"),
    ],
)
def test_exports_that_cannot_be(tmp_path: Path, changes: dict, said: str) -> None:
    config = runpy.run_path(str(ROOT / "configs" / "export_weights.py"))["get_config"]()
    config.update({"training": str(tmp_path), "name": "mine", "folder": str(tmp_path), "license": "ours"} | changes)
    with pytest.raises(UserError, match=said):
        export_weights.run(config, tmp_path)
    assert list(tmp_path.iterdir()) == []


def config_of(name: str, **changes: Any) -> ConfigDict:
    file, _, variant = name.partition(":")
    config = runpy.run_path(str(ROOT / "configs" / f"{file}.py"))["get_config"](variant)
    config.update(changes)
    return config


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"hr_size": 30}, r"config\.hr_size=30: cannot be divided by the scale, 4; choose a multiple, .*hr_size=28"),
        ({"hr_size": 64}, r"config\.hr_size=64: the crops of .* have 32 pixels"),
        ({"sharpness": 1700.0, "crops": 9}, r"config\.sharpness=1700: only \d of \d+ crops are that sharp, .*crops=9"),
        ({"held_out": 0.99}, r"config\.held_out=0\.99"),
        ({"batch_size": 0}, r"config\.batch_size=0: must be a whole number, 1 or more"),
        ({"steps": 0}, r"config\.steps=0, config\.epochs=0: give one of them"),
        ({"ema": 1.0}, r"config\.ema=1: must be a number, 0 or more, below 1"),
        ({"start": "srgn"}, r"upscaler 'srgn': no such model; did you mean 'srgan'"),
        ({"start": "bicubic"}, r"config\.start=bicubic: has no weights"),
        ({"start": "esrgan"}, r"config\.start=esrgan: another network than config\.model: params/block_0"),
        ({"start": "/nowhere/at/all"}, r"/nowhere/at/all: no training"),
        ({"dataset": "faces/other"}, r"no prepared data set"),
        ({"compute_dtype": "float16"}, r"config\.compute_dtype=float16: .*bfloat16"),
        ({"model.module": "super_resolution.srresnt"}, r"config\.model: super_resolution\.srresnt"),
        ({"losses.pixel.kind": "l2"}, r"config\.losses\.pixel\.kind=l2: .*\(valid: l1, mse, charbonnier\)"),
        ({"losses.perceptual.weight": 1.0, "losses.perceptual.layer": "conv_99"}, r"sface has no such layer"),
        (
            {"losses.perceptual.weight": 1.0, "losses.perceptual.network": "vgg19"},
            r"perceptual\.weights is empty: VGG19",
        ),
        ({"losses.identity.weight": 1.0, "losses.identity.recognizers": ("sfac",)}, r"'sfac': no such model"),
        ({"losses.identity.weight": 1.0, "losses.identity.shares": (1.0, 2.0)}, r"identity\.shares=\(1\.0, 2\.0\)"),
        ({"losses.identity.strangers.weight": 1.0}, r"strangers\.weight: .* --config\.losses\.identity\.weight=0\.1"),
        ({"losses.adversarial.weight": 1.0, "discriminator.sees": "rgb_and_edges"}, r"tells no edges"),
        ({"degradation.blur": (2.0, 1.0)}, r"config\.degradation\.blur=\(2\.0, 1\.0\)"),
        ({"optimizer.name": "lion"}, r"config\.optimizer\.name=lion: .*adam, adamw, sgd"),
    ],
    ids=str,
)
def test_what_cannot_be_is_refused_in_a_line(data: Path, tmp_path: Path, changes: dict, said: str) -> None:
    config = config_of("srresnet:smoke", **settings(data))
    with config.ignore_type():
        config.update_from_flattened_dict(changes)
    with pytest.raises(UserError, match=said) as caught:
        train.run(config, tmp_path / "work")
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.rglob("run.json"))


def test_a_workdir_of_another_training_is_refused(straight: tuple[Path, str], data: Path) -> None:
    before = leaves(straight[0])
    config = config_of("srresnet:smoke", **settings(data))
    config.optimizer.learning_rate = 0.5
    with pytest.raises(UserError, match=r"another config \(optimizer\.learning_rate: 0\.0001 there, 0\.5 now\)"):
        train.run(config, straight[0])
    assert_equal(leaves(straight[0]), before)


def test_a_finished_training_has_nothing_to_do(straight: tuple[Path, str], data: Path, capsys: Any) -> None:
    before = leaves(straight[0])
    train.run(config_of("srresnet:smoke", **settings(data)), straight[0])
    assert "8 steps done" in capsys.readouterr().out
    assert_equal(leaves(straight[0]), before)


def test_fine_tuning_starts_from_another_training(straight: tuple[Path, str], data: Path, tmp_path: Path) -> None:
    config = config_of("srresnet:smoke", **settings(data, start=str(straight[0])))
    state = trainer.make(config, STEPS).init(
        train.initial_weights.variables(config, trainer.train_config.build_generator(config))
    )
    kept = leaves(straight[0])
    for name, leaf in flat_leaves(state.networks["generator"].params).items():
        np.testing.assert_array_equal(leaf, kept[f"ema/params/{name}"], err_msg=name)
    with_edges = config_of("canny:rgb,smoke", **settings(data, start=str(straight[0])))
    module = trainer.train_config.build_generator(with_edges)
    found = train.initial_weights.variables(with_edges, module)
    assert found is not None
    assert {"conv_edges", "conv_first"} <= found["params"].keys()


def test_what_fine_tuning_starts_from_is_evaluated_first(
    straight: tuple[Path, str], data: Path, tmp_path: Path, capsys: Any
) -> None:
    changes = {"start": str(straight[0]), "steps": 2, "evaluate_steps": 0, "losses": {"pixel": {"weight": 2.0}}}
    config = config_of("srresnet:smoke", **settings(data))
    config.update(changes)
    train.run(config, tmp_path)
    first, last = json.loads((tmp_path / "evaluations.json").read_text())
    assert (first["step"], last["step"]) == (0, 2)
    # Of the same weights as the last evaluation of the training they come from.
    before = json.loads((straight[0] / "evaluations.json").read_text())[-1]
    assert first["figures"] == pytest.approx(before["figures"], abs=1e-4)
    beside = f"(start {first['figures']['psnr']:.4g}, bicubic {first['reference']['psnr']:.4g})"
    assert beside in capsys.readouterr().out
