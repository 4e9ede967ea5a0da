"""The command line as a user meets it: every mistake is one line and a non-zero status.

Covers `tasks/models.py` too.
"""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from ml_collections import ConfigDict

import lowres_jax
from lowres_jax.errors import UserError
from lowres_jax.main import spelled_out
from lowres_jax.pretrained import cards
from lowres_jax.runtime import configuration

pytestmark = pytest.mark.slow

CONFIG = """
from ml_collections import ConfigDict

def get_config(variant=""):
    config = ConfigDict({"task": "%s", "upscaler": "bilinear", "batch_size": 3, "platform": ""})
    config.sub = ConfigDict({"alpha": 1.0})
    return config
"""


def run_main(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "lowres_jax.main", *arguments], capture_output=True, text=True, cwd=cwd, timeout=120
    )


@pytest.fixture
def config_file(tmp_path: Path) -> Path:
    path = tmp_path / "experiment.py"
    path.write_text(CONFIG % "compare")
    return path


def assert_one_line_error(result: subprocess.CompletedProcess[str], *parts: str) -> None:
    assert result.returncode == 1
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("error: ")
    for part in parts:
        assert part in lines[0]


@pytest.mark.parametrize(
    ("flag", "parts"),
    [
        ("--config.upscalr=srgan", ("'upscalr'", "did you mean 'upscaler'?")),
        ("--config.sub.alph=2", ("'sub.alph'", "did you mean 'sub.alpha'?")),
        ("--config.batch_size=many", ("batch_size", "many")),
        ("--wrokdir=x", ("wrokdir", "did you mean 'workdir'?")),
        ("--config.platform=tpu", ("tpu", "BUILD.md")),
        ("surplus", ("surplus",)),
    ],
)
def test_a_wrong_flag_is_one_line(config_file: Path, flag: str, parts: tuple[str, ...]) -> None:
    assert_one_line_error(run_main(f"--config={config_file}", flag), *parts)


def test_a_missing_config_is_one_line(tmp_path: Path) -> None:
    assert_one_line_error(run_main(f"--config={tmp_path / 'absent.py'}"), "absent.py", "no such file")
    assert_one_line_error(run_main("--workdir=x"), "no command given; try compare")


def test_a_broken_config_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "broken.py"
    path.write_text("def get_config(:\n")
    assert_one_line_error(run_main(f"--config={path}"), "broken.py", "cannot be loaded")
    path.write_text("value = 1\n")
    assert_one_line_error(run_main(f"--config={path}"), "broken.py", "get_config")


def test_an_unknown_task_names_the_nearest(tmp_path: Path) -> None:
    path = tmp_path / "experiment.py"
    path.write_text(CONFIG % "compar")
    assert_one_line_error(run_main(f"--config={path}"), "did you mean 'compare'?")


def test_without_arguments_the_four_commands() -> None:
    result = run_main()
    assert result.returncode == 0
    commands = [
        line.split()[3] for line in result.stdout.splitlines() if line.startswith("  python -m lowres_jax.main")
    ]
    assert commands == ["serve", "enhance", "identify", "compare"]
    assert run_main("--version").stdout == f"lowres_jax {lowres_jax.__version__}\n"


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ("enhance a b", "--config=enhance --config.input=a --config.output=b"),
        (
            "enhance a --config.paste_back=true b",
            "--config=enhance --config.input=a --config.output=b --config.paste_back=true",
        ),
        ("identify a b --workdir c", "--config=identify --config.gallery=a --config.probe=b --workdir c"),
        ("canny:smoke --config.seed 3", "--config=canny:smoke --config.seed 3"),
        ("--config=enhance a", "--config=enhance a"),
    ],
)
def test_short_forms(short: str, long: str) -> None:
    assert spelled_out(short.split()) == long.split()


def test_a_value_too_many_is_one_line() -> None:
    assert_one_line_error(run_main("enhance", "a", "b", "c"), "unexpected argument 'c'", "enhance takes FILE|DIR DIR")
    assert_one_line_error(run_main("enhanc", "a"), "did you mean 'enhance'?")
    # What is still missing is named as ever.
    assert_one_line_error(run_main("enhance", "a"), "give --config.output=DIR")


def test_a_reader_who_has_enough_ends_it_without_a_traceback() -> None:
    command = [sys.executable, "-u", "-m", "lowres_jax.main", "models"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.close()  # at the first line there is nobody left
        assert process.stderr is not None
        assert process.stderr.read() == ""
        assert process.wait() == 141


def test_models_lists_every_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOWRES_JAX_CACHE", str(tmp_path))
    (tmp_path / "cards").mkdir()
    # A card of the user's own that is older than this version does not keep the others from being shown.
    (tmp_path / "cards" / "old.toml").write_text('module = "recognition.sface"\nlicence = "mine"\n')
    result = run_main("models")
    assert result.returncode == 0
    assert "old.toml: the key licence is called license now" in result.stdout
    lines = {line.split()[0]: line for line in result.stdout.splitlines() if line}
    every = [*cards.names("super_resolution"), *cards.names("recognition")]
    every.remove("old")
    assert [name for name in lines if name in every] == every
    shown = [re.split(r"  +", lines[name]) for name in ("identity", "bicubic", "edsr_x2", "sface_small")]
    assert shown[0] == ["identity", "faces of 32 px", "research only", "3.1 MB", "32 px: +6.1 [+3.2, +9.7] by dlib"]
    assert [each[3] for each in shown[1:]] == ["no weights", shown[2][3], "0.3 MB"]
    assert shown[3][1] == "faces of up to 24 px"


def test_help_lists_the_configs_under_their_headings(tmp_path: Path) -> None:
    result = run_main("--help", cwd=tmp_path)
    assert result.returncode == 0
    lines = result.stdout.splitlines()
    for config in sorted(Path(__file__).parents[2].glob("configs/*.py")):
        assert sum(line.startswith(f"  {config.stem} ") for line in lines) == 1
    photographs = lines[lines.index("Photographs") + 1 : lines.index("Comparisons") - 1]
    assert [line.split()[0] for line in photographs] == ["serve", "enhance", "identify", "keep_gallery"]
    trainings = lines[lines.index("Trainings of recognizers") + 1 : lines.index("Models") - 1]
    assert [line.split()[0] for line in trainings] == [
        "recognizer",
        "recognizer_distilled",
        "recognizer_original",
        "recognizer_small",
        "sface_small",
    ]


def test_help_of_a_config_prints_its_header_and_keys(tmp_path: Path) -> None:
    result = run_main("--config=identify", "--help", cwd=tmp_path)
    assert result.returncode == 0
    assert result.stdout.startswith("python -m lowres_jax.main identify DIR FILE|DIR\n\nIdentify people: search")
    assert "  --config.far=0.01                         False accept rate at which the threshold lies" in result.stdout
    assert "[a number, above 0, below 1]" in result.stdout


@pytest.mark.parametrize("given", ["identify", "identify.py", "configs/identify.py"])
def test_a_config_that_comes_along_is_found_from_anywhere(
    given: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert Path(configuration.located(given)) == configuration.shipped_folder() / "identify.py"
    assert configuration.located(f"{given}:smoke").endswith("identify.py:smoke")
    # One's own goes first.
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "identify.py").touch()
    (tmp_path / "identify.py").touch()
    if "." in given:
        assert configuration.located(given) == given
    with pytest.raises(UserError, match=r"--config=/nowhere/identify\.py: no such file or config; did you mean"):
        configuration.located("/nowhere/identify.py")


def test_flags_of_jax_are_understood(config_file: Path) -> None:
    assert_one_line_error(run_main(f"--config={config_file}", "--jax_debug_nan=true"), "jax_debug_nan")
    result = run_main("--config=enhance", "--jax_debug_nans=true", cwd=config_file.parent)
    assert_one_line_error(result, "config.input is empty")


def test_importing_the_program_is_cheap() -> None:
    heavy = ("jax", "flax", "cv2", "tensorflow", "tensorflow_datasets", "matplotlib")
    code = f"import sys, lowres_jax.main; print([name for name in {heavy!r} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_keys_and_names_of_a_config() -> None:
    config = ConfigDict({"a": 1, "b": {"c": 2, "d": {"e": 3}}})
    assert configuration.keys_of(config) == ["a", "b.c", "b.d.e"]
    assert configuration.names(("bilinear", "srgan, edsr")) == ["bilinear", "srgan", "edsr"]
    assert configuration.names("bilinear") == ["bilinear"]
