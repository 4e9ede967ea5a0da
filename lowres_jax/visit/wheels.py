"""Packages for a machine without a network: fetched as wheels here, unpacked there where they are missing.

    python -m lowres_jax.visit.wheels WHEELS SITE

unpacks those of the folder WHEELS that the running Python has not into SITE. Nothing but the standard library is used:
it runs before there is anything else.
"""

import importlib.metadata
import re
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

# What a visit imports beside what a machine with JAX has (`MACHINE`), with what these need in turn.
NEEDED = (
    "absl-py",
    "array-record",
    "attrs",
    "cloudpickle",
    "dm-tree",
    "etils",
    "google-crc32c",
    "googleapis-common-protos",
    "grain",
    "immutabledict",
    "jaxtyping",
    "joblib",
    "lz4",
    "ml-collections",
    "onnx",
    "packaging",
    "pillow",
    "portpicker",
    "promise",
    "protobuf",
    "psutil",
    "pyyaml",
    "safetensors",
    "six",
    "tensorboardx",
    "tensorflow-datasets",
    "tensorflow-metadata",
    "toml",
    "tqdm",
    "typing-extensions",
    "wadler-lindig",
    "wrapt",
)
# What comes with jax, flax, optax, orbax-checkpoint and OpenCV.
MACHINE = ("absl-py", "etils", "protobuf", "psutil", "pyyaml", "typing-extensions")


def normalized(name: str) -> str:
    """A distribution's name as package registries compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def fetch(folder: Path, python: str, machine: Iterable[str]) -> list[str]:
    """Downloads wheels for a Linux machine with an x86-64 processor, in the versions that are installed here.

    Args:
      folder: where they go; must exist.
      python: version of the machine's Python, as "3.12".
      machine: distributions that the machine has already.

    Returns:
      Lines that say what could not be fetched, and why; empty if nothing is missing.
    """
    has = {normalized(name) for name in machine}
    platforms = [f"manylinux_2_{number}_x86_64" for number in (28, 27, 24, 17)] + ["manylinux2014_x86_64"]
    target = ["--only-binary=:all:", "--implementation=cp", f"--python-version={python}"]
    target += [f"--platform={each}" for each in platforms]
    common = ["--quiet", "--disable-pip-version-check", "--no-deps"]
    problems = []
    for name in NEEDED:
        if normalized(name) in has:
            continue
        try:
            requirement = f"{name}=={importlib.metadata.version(name)}"
        except importlib.metadata.PackageNotFoundError:
            problems.append(f"{name}: is not installed here, so that no version is known")
            continue
        found, why = _pip("download", *common, *target, "--dest", str(folder), requirement)
        if not found:
            # Packages without wheels: those of Python alone fit every machine.
            before = set(folder.iterdir())
            found, _ = _pip("wheel", *common, "--wheel-dir", str(folder), requirement)
            for made in set(folder.iterdir()) - before:
                if not made.name.endswith("-none-any.whl"):
                    made.unlink()
                    found = False
        if not found:
            problems.append(f"{requirement}: {why}")
    return problems


def _pip(*arguments: str) -> tuple[bool, str]:
    done = subprocess.run([sys.executable, "-m", "pip", *arguments], capture_output=True, text=True)
    lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
    return done.returncode == 0, (lines or [f"pip ended with status {done.returncode}"])[-1]


def main(arguments: Sequence[str]) -> int:
    """See the module; returns the exit status."""
    folder, site = map(Path, arguments)
    has = {normalized(each.metadata["Name"]) for each in importlib.metadata.distributions() if each.metadata["Name"]}
    wheels = {normalized(wheel.name.split("-")[0]): wheel for wheel in sorted(folder.glob("*.whl"))}
    lacking = [name for name in NEEDED if name not in has and name not in wheels]
    if lacking:
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        print(
            f"error: {folder}: neither this Python nor the pack has {', '.join(lacking)}; "
            f"make the pack with --config.python={version}, and without them in --config.machine",
            file=sys.stderr,
        )
        return 1
    wanted = [wheel for name, wheel in wheels.items() if name not in has]
    if not wanted:
        return 0
    print(f"unpacks {len(wanted)} packages: {', '.join(wheel.name.split('-')[0] for wheel in wanted)}", flush=True)
    settings = ["--quiet", "--disable-pip-version-check", "--no-index", "--no-deps", "--no-compile", "--no-cache-dir"]
    done, why = _pip("install", *settings, "--target", str(site), *map(str, wanted))
    if not done:
        print(f"error: {folder}: wheels do not fit this machine's Python: {why}", file=sys.stderr)
    return 0 if done else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
