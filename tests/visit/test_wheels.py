"""Packages for a machine without a network: which are fetched, and which are unpacked."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from lowres_jax.visit import wheels

pytestmark = pytest.mark.slow


def make_wheel(folder: Path, name: str) -> None:
    """A wheel of one module of the same name."""
    information = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w") as archive:
        archive.writestr(f"{name}.py", "here = True\n")
        archive.writestr(f"{information}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        archive.writestr(f"{information}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{information}/RECORD", "")


def test_what_is_missing_is_unpacked_and_what_is_there_is_not(tmp_path: Path) -> None:
    folder, site = tmp_path / "wheels", tmp_path / "site"
    folder.mkdir()
    make_wheel(folder, "no_such_distribution")
    make_wheel(folder, "numpy")
    done = subprocess.run(
        [sys.executable, "-m", "lowres_jax.visit.wheels", folder, site], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "unpacks 1 packages: no_such_distribution\n"
    assert (site / "no_such_distribution.py").read_text() == "here = True\n"
    assert not (site / "numpy.py").exists()


def test_a_pack_without_what_the_machine_lacks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wheels, "NEEDED", ("numpy", "no-such-thing", "nor-this"))
    assert wheels.main([str(tmp_path), str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert "neither this Python nor the pack has no-such-thing, nor-this; make the pack with --config.python=3." in said


def test_versions_are_those_installed_here_and_problems_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, ...]] = []

    def pip(*arguments: str) -> tuple[bool, str]:
        asked.append(arguments)
        if arguments[-1].startswith("promise"):
            # No wheel of it is published; one that pip makes for this machine alone is of no use.
            if arguments[0] == "wheel":
                (tmp_path / "promise-1-cp311-cp311-linux_x86_64.whl").write_bytes(b"")
            return arguments[0] == "wheel", "ERROR: no wheel"
        return True, ""

    monkeypatch.setattr(wheels, "_pip", pip)
    monkeypatch.setattr(wheels, "NEEDED", ("numpy", "Tqdm", "promise", "absl-py", "no-such-thing"))
    problems = wheels.fetch(tmp_path, "3.12", ["absl_py", "numpy"])
    assert [line.split(":")[0].split("==")[0] for line in problems] == ["promise", "no-such-thing"]
    assert not list(tmp_path.iterdir())
    names = [arguments[-1].partition("==")[0] for arguments in asked]
    assert names == ["Tqdm", "promise", "promise"]
    assert asked[0][0] == "download"
    assert "--python-version=3.12" in asked[0]


def test_all_that_the_program_needs_is_installed_here() -> None:
    """So that `fetch` knows a version of each."""
    import importlib.metadata

    for name in wheels.NEEDED:
        assert importlib.metadata.version(name)
    assert set(wheels.MACHINE) <= set(wheels.NEEDED)
