"""Kills and stops trainings at random moments, over and over: does each end in what a straight run leaves behind?

    python benchmarks/killed_trainings.py workdirs/killed --kills 25 --stops 25

For each config a run that nobody disturbs; then runs that are killed (SIGKILL) or stopped (SIGTERM, Ctrl-C) at moments
drawn evenly from its duration, up to four times each, and then go on to the end. Parameters, optimizer's state,
evaluations, the best recognizer and the exported model with its card must be the same to the bit. Prints a line for
each run, and the exit status is 1 if any differed. Uses the embedded ORL faces, and LFW's View 1 where it is prepared.
"""

import argparse
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np

from lowres_jax.training.checkpoints import Checkpoints, flat_leaves

STEPS = ("--config.steps=20", "--config.evaluate_steps=5", "--config.checkpoint_seconds=1")
STEPS += ("--config.log_steps=5", "--config.grace_seconds=30")
# What makes one evaluation of a recognizer better than another.
OWN = {"recognizer": ("--config.view1_pairs=20",)}
PROMISED = {signal.SIGTERM: (143,), signal.SIGINT: (130,), signal.SIGKILL: (-9,)}
TIMES = 4


def train(config: str, workdir: Path) -> subprocess.Popen[str]:
    """Starts a training, or lets it go on."""
    command = [sys.executable, "-m", "lowres_jax.main", f"--config=configs/{config}.py:smoke", f"--workdir={workdir}"]
    return subprocess.Popen(
        [*command, *STEPS, *OWN.get(config, ())],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def left(workdir: Path) -> dict[str, bytes]:
    """What a finished training leaves behind, by name; everything that is worth something to its user."""
    checkpoints = Checkpoints(workdir, read_only=True)
    found = {name: np.asarray(leaf).tobytes() for name, leaf in flat_leaves(checkpoints.read()).items()}
    checkpoints.close()
    folder = workdir / "exported"
    shutil.rmtree(folder, ignore_errors=True)
    command = [sys.executable, "-m", "lowres_jax.main", "--config=configs/export_weights.py", "--config.name=killed"]
    subprocess.run(
        [*command, f"--config.training={workdir}", f"--config.folder={folder}"], check=True, capture_output=True
    )
    files = [workdir / "evaluations.json", workdir / "best.safetensors", *sorted((workdir / "grids").glob("*"))]
    for path in [path for path in files if path.exists()] + sorted(folder.iterdir()):
        found[str(path.relative_to(workdir))] = path.read_bytes()
    # Two runs of one program say of themselves what they are told; the workdir's name is another.
    found["run.json"] = (workdir / "run.json").read_bytes()
    return found


def disturbed(
    config: str, workdir: Path, number: signal.Signals, duration: float, generator: random.Random
) -> tuple[int, list[str]]:
    """A run that is signaled again and again, to its end; how often it was, and what was wrong on the way."""
    shutil.rmtree(workdir, ignore_errors=True)
    wrong, sent = [], 0
    for attempt in range(TIMES + 1):
        process = train(config, workdir)
        if attempt < TIMES:
            try:
                error = process.communicate(timeout=generator.uniform(0.0, duration))[1]
            except subprocess.TimeoutExpired:
                process.send_signal(number)
                error = process.communicate()[1]
                sent += 1
                # Before the program's first line Python's own handlers are there.
                documented = process.returncode in (*PROMISED[number], -number, 0)
                if not documented or ("Traceback" in error and process.returncode != -number):
                    wrong.append(f"status {process.returncode} after {number.name}: {error[-1500:]}")
                if process.returncode:
                    continue
        else:
            error = process.communicate()[1]
        if process.returncode:
            wrong.append(f"status {process.returncode}: {error[-1500:]}")
        break
    return sent, wrong


def main() -> None:
    """Runs all and prints what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--configs", default="canny,recognizer")
    parser.add_argument("--kills", type=int, default=25, help="of each config, at least")
    parser.add_argument("--stops", type=int, default=25, help="likewise, half of them SIGTERM, half Ctrl-C")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    generator, failed = random.Random(arguments.seed), False
    # A shell's background job ignores Ctrl-C, and so would the programs that it starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for config in arguments.configs.split(","):
        folder = arguments.folder / config
        shutil.rmtree(folder, ignore_errors=True)
        for each in ("warm", "straight"):  # the first one compiles
            begin = time.monotonic()
            process = train(config, folder / each)
            error = process.communicate()[1]
            duration = time.monotonic() - begin
            if process.returncode:
                sys.exit(error)
        expected = left(folder / "straight")
        print(f"{config}: a straight run takes {duration:.1f} s and leaves {len(expected)} things", flush=True)
        wanted = Counter({signal.SIGKILL: arguments.kills, signal.SIGTERM: arguments.stops // 2})
        wanted[signal.SIGINT] = arguments.stops - wanted[signal.SIGTERM]
        for number, count in wanted.items():
            sent = runs = 0
            while sent < count:
                again, wrong = disturbed(config, folder / "disturbed", number, duration, generator)
                sent, runs = sent + again, runs + 1
                if not wrong:
                    found = left(folder / "disturbed")
                    names = sorted(found.keys() | expected.keys())
                    wrong = [name for name in names if found.get(name) != expected.get(name)]
                failed = failed or bool(wrong)
                print(f"{config}, {number.name}, run {runs}, {again} times: {wrong or 'the same'}", flush=True)
                if wrong:
                    kept = folder / f"wrong_{number.name}_{runs}"
                    shutil.rmtree(kept, ignore_errors=True)
                    shutil.move(folder / "disturbed", kept)
            print(f"{config}: {sent} times {number.name} in {runs} runs", flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
