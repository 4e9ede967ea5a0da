"""One training by one process, by several, killed and gone on with by others: are losses and parameters the same?

    python -m lowres_jax.main --config=configs/prepare_orl_faces.py
    python benchmarks/many_processes.py canny 2x2 4x2
    python benchmarks/many_processes.py recognizer 2x2 4x2

PROCESSESxDEVICES, all on this machine. Each is compared with one process of one device; then the first of them is begun
again, one of its processes killed after a few steps, and what it saved is gone on with by one process with two devices.

That one process and several give the same is exact but for the order of sums. On one machine two devices in each of two
processes are slow where a network has many small collectives (batch normalization): XLA's CPU client waits, idle.
"""

import argparse
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from lowres_jax.training.checkpoints import Checkpoints, flat_leaves

_STEP = re.compile(r"^step (\d+)/\d+  (.*?)(?:  [\d.]+ images/s.*)?$", re.MULTILINE)
_COMMON = ("dataset=orl_faces/mtcnn", "log_steps=1", "evaluate_steps=0", "checkpoint_seconds=0", "view1_pairs=0")
# Plain steps: Adam makes much of the order of sums, and dropout is drawn by each device for its own rows.
_FLAGS = {
    "canny": ("batch_size=8", "discriminator_optimizer.name=sgd", "discriminator_optimizer.b1=0"),
    "recognizer": ("batch_size=8", "size=32", "model.fields.dropout=0", "frozen_steps=0", "optimizer.warmup_steps=0"),
}


def start(training: str, workdir: Path, steps: int, processes: int, devices: int) -> list[subprocess.Popen[str]]:
    """Starts a training; what it says goes into files beside its workdir."""
    with socket.socket() as listener:
        listener.bind(("localhost", 0))
        address = f"localhost:{listener.getsockname()[1]}"
    shared = ("shared_workdir=true",) if training == "recognizer" else ()
    flags = [*_COMMON, *_FLAGS[training], *shared, f"cpu_devices={devices}", f"steps={steps}", "optimizer.name=sgd"]
    command = [sys.executable, "-m", "lowres_jax.main", f"--config=configs/{training}.py:smoke"]
    command += [f"--workdir={workdir}", *(f"--config.{flag}" for flag in (*flags, "optimizer.b1=0"))]
    started = []
    for number in range(processes):
        environment = os.environ | {"PYTHONUNBUFFERED": "1"}
        if processes > 1:
            environment |= {"LOWRES_JAX_COORDINATOR": address, "LOWRES_JAX_PROCESSES": str(processes)}
            environment |= {"LOWRES_JAX_PROCESS": str(number)}
        with said(workdir, number).open("w") as output:
            started.append(
                subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, text=True, env=environment)
            )
    return started


def said(workdir: Path, number: int) -> Path:
    """Output of a process."""
    return workdir.with_name(f"{workdir.name}.{number}.txt")


def figures(workdir: Path) -> dict[int, list[float]]:
    """Step -> the figures of its line."""
    lines = dict(_STEP.findall(said(workdir, 0).read_text()))
    return {
        int(step): [float(each) for each in re.findall(r" (-?[\d.]+(?:e-?\d+)?)", f" {line}")]
        for step, line in lines.items()
    }


def leaves(workdir: Path) -> dict[str, np.ndarray]:
    """Parameters of the newest checkpoint."""
    checkpoints = Checkpoints(workdir, read_only=True)
    found = flat_leaves(checkpoints.read())
    checkpoints.close()
    return {name: leaf for name, leaf in found.items() if "/params/" in name}


def saved_steps(workdir: Path) -> list[int]:
    """Steps whose checkpoints are whole."""
    return [int(path.name) for path in workdir.glob("checkpoints/*") if path.name.isdigit()]


def compare(workdir: Path, straight: Path) -> str:
    """Distance of two trainings."""
    one, other = leaves(workdir), leaves(straight)
    assert one.keys() == other.keys()
    far = max(float(np.abs(one[name] - other[name]).max()) for name in one)
    lines, expected = figures(workdir), figures(straight)
    losses = max(
        (abs(a - b) / max(abs(b), 1e-9) for step in lines for a, b in zip(lines[step], expected[step], strict=True)),
        default=float("nan"),
    )
    return f"figures differ by {losses:.1e} at most, parameters by {far:.1e}"


def wait(processes: list[subprocess.Popen[str]], workdir: Path) -> None:
    """Waits for all, which have to end well."""
    for number, process in enumerate(processes):
        if process.wait():
            sys.exit(f"process {number} ended with {process.returncode}: {said(workdir, number).read_text()}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("training", choices=sorted(_FLAGS))
    parser.add_argument("shapes", nargs="+", help="as 2x2: processes x devices of each")
    parser.add_argument("--steps", type=int, default=6)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        straight = Path(name) / "1x1"
        wait(start(given.training, straight, given.steps, 1, 1), straight)
        print(f"{given.training}, {given.steps} steps; 1x1: {figures(straight)[given.steps]}", flush=True)
        for shape in given.shapes:
            workdir, (processes, devices) = Path(name) / shape, map(int, shape.split("x"))
            begin = time.monotonic()
            wait(start(given.training, workdir, given.steps, processes, devices), workdir)
            print(f"{shape} ({time.monotonic() - begin:.0f} s): {compare(workdir, straight)}", flush=True)
        workdir, (processes, devices) = Path(name) / "killed", map(int, given.shapes[0].split("x"))
        running = start(given.training, workdir, given.steps, processes, devices)
        while not saved_steps(workdir) or max(figures(workdir), default=0) < 2:
            time.sleep(0.2)
        running[-1].send_signal(signal.SIGKILL)
        begin = time.monotonic()
        status = [process.wait() for process in running[:-1]]
        print(f"one of {given.shapes[0]} killed: the others ended with {status} after {time.monotonic() - begin:.1f} s")
        saved = max(saved_steps(workdir))
        wait(start(given.training, workdir, given.steps, 1, 2), workdir)
        print(f"gone on with after step {saved} by 1x2: {compare(workdir, straight)}", flush=True)


if __name__ == "__main__":
    main()
