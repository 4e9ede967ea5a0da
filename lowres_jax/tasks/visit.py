"""A visit to an accelerator: all its parts one after the other, in order of worth, within the minutes there are.

Every part is a program of its own, so that one that fails, hangs or fills the memory costs the others nothing. This one
never touches a device. What a part has found is in the output folder the moment it is there (`visit.results`).
"""

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from lowres_jax import config_keys
from lowres_jax.errors import UserError
from lowres_jax.runtime import configuration, signals
from lowres_jax.settings.visits import VISIT_KEYS as KEYS
from lowres_jax.training.checkpoints import flat
from lowres_jax.utils import files
from lowres_jax.visit import pack, results

_ENDS_BEFORE = 5.0  # the end of the minutes, so that results can be copied
_GRACE = 4.0  # for a part that is told to stop, before it is killed
_LEAST_MINUTES = 0.5


@dataclass(frozen=True)
class Part:
    """A program of a visit.

    Attributes:
      name: its name.
      command: after the interpreter's name.
      until: when it is told to stop, as `time.time()`.
    """

    name: str
    command: list[str]
    until: float


def run(config: ConfigDict, workdir: Path) -> None:
    """Runs the parts; `config.output` gets visit.json, log.txt and models.

    Raises:
      UserError: the pack is missing, the minutes are too few, or parts failed; the others have run all the same.
    """
    config_keys.check(config, KEYS)
    output, folder = Path(config.output), Path(config.pack)
    if config.minutes < _LEAST_MINUTES:
        raise UserError(
            f"config.minutes={config.minutes:g}: too few for the first part; {_LEAST_MINUTES:g} are the least"
        )
    for name in configuration.names(config.queue):
        if name not in config.trainings:
            nearest = configuration.nearest(name, list(config.trainings))
            raise UserError(f"config.queue={name}: no such training in config.trainings; {nearest}")
    described = pack.described(folder)
    files.try_folder(output)
    end = (config.began or time.time()) + 60.0 * config.minutes - _ENDS_BEFORE
    results.add(output, pack=described, minutes=config.minutes, parts=[])
    visit = _Visit(config, folder, output, workdir, end)
    visit.make(_check(config, folder, output, visit.share(config.check_share)))
    visit.make(_benchmark(config, described, output, visit.share(config.benchmark_share)))
    names = configuration.names(config.queue)
    weights = {name: config.trainings[name].weight for name in names}
    least = config.least_training_seconds
    while names:
        left = visit.end - time.time()
        # As many as can have the least that is worth while, and one at any rate.
        chosen = names[: max(1, int(left / least))]
        if left < least:
            visit.leave_out(f"training {names[0]}", f"{max(0.0, left):.0f} s are left, {least:g} are the least")
        else:
            seconds = left * weights[names[0]] / sum(weights[name] for name in chosen)
            visit.make(_training(config, described, output, visit.scratch, names[0], time.time() + seconds))
        names = names[1:]
    if visit.failed:
        raise UserError(f"{output}: {', '.join(visit.failed)} failed (see {results.LOG}); the rest is there")
    print(f"{output}: visit ended {visit.end - time.time():.0f} s before its time", flush=True)


def _is_over(part: Part, grace: float = 0.0) -> bool:
    return time.time() > part.until + grace


def _main(config_file: str, **settings: Any) -> list[str]:
    flags = [f"--config.{name}={value}" for name, value in settings.items() if value is not None]
    return ["-m", "lowres_jax.main", f"--config={config_file}", *flags]


def _check(config: ConfigDict, folder: Path, output: Path, until: float) -> Part:
    command = _main("configs/check_accelerator.py", pack=folder, output=output, platform=config.platform)
    return Part("check", command, until)


def _benchmark(config: ConfigDict, described: dict[str, Any], output: Path, until: float) -> Part:
    seconds = max(1.0, until - time.time() - 5.0)
    command = ["benchmarks/accelerator.py", f"--seconds={seconds:.0f}", f"--output={output}"]
    if config.platform:
        command.append(f"--platform={config.platform}")
    return Part("benchmark", command + (["--small"] if described["small"] else []), until)


def _training(
    config: ConfigDict, described: dict[str, Any], output: Path, scratch: Path, name: str, until: float
) -> Part:
    training = config.trainings[name]
    small = described["small"]
    file, _, variant = training.config.partition(":")
    variant = ",".join(filter(None, [variant, "smoke" if small else ""]))
    settings = {
        "training": f"{file}:{variant}" if variant else file,
        "name": name,
        "output": output,
        "until": f"{until:.1f}",
        "platform": config.platform,
        "changes.dataset": described["dataset"],
    }
    if not small:
        settings |= {f"changes.{key}": value for key, value in flat(training.changes.to_dict()).items()}
        settings["batch_size"] = training.batch_size
    command = [*_main("configs/visit_training.py", **settings), f"--workdir={scratch / name}"]
    return Part(f"training {name}", command, until)


class _Visit:
    """What has been done, and how much time is left.

    Attributes:
      end: when all has to be over, as `time.time()`.
      scratch: folder for what need not be brought home.
      failed: names of the parts that failed.
    """

    def __init__(self, config: ConfigDict, folder: Path, output: Path, workdir: Path, end: float):
        self.end, self.failed = end, list[str]()
        self._output = output
        self._done: list[dict[str, Any]] = []
        self._begin = time.time()
        workdir.mkdir(parents=True, exist_ok=True)
        self.scratch = Path(tempfile.mkdtemp(dir=workdir, prefix="visit-")).absolute()
        self._environment = os.environ | {
            "LOWRES_JAX_CACHE": str(folder.absolute()),
            "JAX_COMPILATION_CACHE_DIR": os.environ.get("JAX_COMPILATION_CACHE_DIR") or str(self.scratch / "compiled"),
            "PYTHONPATH": os.pathsep.join(filter(None, [os.getcwd(), os.environ.get("PYTHONPATH", "")])),
            "PYTHONUNBUFFERED": "1",
        }

    def share(self, share: float) -> float:
        """The time when a share of all minutes, from now on, is over; never beyond the end."""
        return min(self.end, time.time() + share * (self.end - self._begin))

    def leave_out(self, name: str, why: str) -> None:
        """Says that a part is not made."""
        print(f"--- {name}: left out, {why}", flush=True)
        self._note({"part": name, "left_out": why})

    def make(self, part: Part) -> None:
        """Runs a part to its end, or to the end of its time.

        Raises:
          Interrupted: a stop was requested; the part is stopped too.
        """
        begin = time.time()
        if part.until - begin < 1.0:
            self.leave_out(part.name, "no time is left")
            return
        print(f"--- {part.name}: at most {part.until - begin:.0f} s", flush=True)
        status, ended = self._run(part)
        # Its own stop after the time is over is no failure: what it had found is there.
        if status and not (ended and status in (128 + signal.SIGTERM, -signal.SIGTERM, -signal.SIGKILL)):
            self.failed.append(part.name)
        self._note(
            {"part": part.name, "seconds": round(time.time() - begin, 1), "status": status, "stopped_for_time": ended}
        )

    def _run(self, part: Part) -> tuple[int, bool]:
        """Exit status, and whether the part was stopped as its time was over."""
        process = subprocess.Popen(
            [sys.executable, *part.command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=self._environment
        )
        copier = threading.Thread(target=self._copy, args=(process,), daemon=True)
        copier.start()
        ended = False
        try:
            while process.poll() is None:
                signals.check()
                if _is_over(part) and not ended:
                    ended = True
                    process.terminate()
                if _is_over(part, _GRACE):
                    process.kill()
                time.sleep(0.1)
        except signals.Interrupted:
            process.terminate()
            try:
                process.wait(2.0)
            except subprocess.TimeoutExpired:
                process.kill()
            raise
        finally:
            copier.join(2.0)
            if process.stdout is not None and not copier.is_alive():
                process.stdout.close()
        return process.returncode, ended

    def _copy(self, process: subprocess.Popen[bytes]) -> None:
        """What a part says goes to the terminal and into the log, line by line."""
        assert process.stdout is not None
        with (self._output / results.LOG).open("ab", buffering=0) as log:
            for line in process.stdout:
                log.write(line)
                sys.stdout.buffer.write(line)
                sys.stdout.buffer.flush()

    def _note(self, entry: dict[str, Any]) -> None:
        self._done.append(entry)
        results.add(self._output, parts=self._done)
