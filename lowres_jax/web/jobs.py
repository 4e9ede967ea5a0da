"""Jobs of minutes: the program's own command in a process beside the server, one at a time, that can be stopped."""

import re
import secrets
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lowres_jax.errors import UserError

_SECONDS_TO_STOP = 10.0
_LAST_BYTES = 4096  # of what a process says
# What jobs made is kept so long, of so many.
_SECONDS_KEPT, _MOST_KEPT = 3600.0, 8


@dataclass(frozen=True)
class Stage:
    """A part of a job's work.

    Attributes:
      line: pattern of the terminal's lines of that part; its last group is the percentage of the part.
      words: message for people.
      begin: percentage of the whole at which it begins.
      end: share of the job at which the stage ends.
    """

    line: re.Pattern[str]
    words: str
    begin: int
    end: int


@dataclass(frozen=True)
class Work:
    """The order of a job.

    Attributes:
      flags: flags of the program's command.
      result: path of the file that it makes.
      stages: parts of its work, in order.
    """

    flags: Sequence[str]
    result: Path
    stages: Sequence[Stage] = ()


@dataclass
class _Job:
    """A process, its folder, whose it is, and what it makes."""

    id: str
    owner: str
    process: subprocess.Popen[bytes]
    folder: Path
    work: Work
    kind: str
    percent: int = 0
    ended: float | None = None


class Jobs:
    """At most one process at a time; what it made stays for an hour, until it is removed, or eight others are made."""

    def __init__(self) -> None:
        self._jobs: dict[str, _Job] = {}
        self._starting = threading.Lock()

    def start(self, kind: str, owner: str, prepare: Callable[[Path], Work]) -> str:
        """Starts a command of the program; a refusal leaves everything as it was.

        Args:
          kind: name of the kind of job on the page.
          owner: cookie of the browser that starts it; "" for a program, which knows the number.
          prepare: fills a folder with what was uploaded.

        Returns:
          Number of the job, not to be guessed.

        Raises:
          UserError: another one runs, or `prepare` refuses.
        """
        with self._starting:
            for job in self._jobs.values():
                if job.process.poll() is None:
                    raise UserError(f"a {job.kind} is being made already: wait for it, or stop it")
            job = self._started(kind, owner, prepare)
            self._jobs[job.id] = job
        self._forget()
        return job.id

    @staticmethod
    def _started(kind: str, owner: str, prepare: Callable[[Path], Work]) -> _Job:
        folder = Path(tempfile.mkdtemp(prefix="lowres_jax-"))
        try:
            work = prepare(folder)
            with (folder / "said.txt").open("wb") as said:
                process = subprocess.Popen(
                    [sys.executable, "-m", "lowres_jax.main", *work.flags],
                    cwd=folder,
                    stdin=subprocess.DEVNULL,
                    stdout=said,
                    stderr=subprocess.STDOUT,
                )
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return _Job(secrets.token_urlsafe(16), owner, process, folder, work, kind)

    def _forget(self) -> None:
        """Removes what is older than an hour, and the oldest of too many."""
        ended = [job for job in list(self._jobs.values()) if job.process.poll() is not None]
        for job in ended:
            job.ended = job.ended or time.monotonic()
        old = [job for job in ended if job.ended and time.monotonic() - job.ended > _SECONDS_KEPT]
        for job in {each.id: each for each in [*old, *ended[: max(len(ended) - _MOST_KEPT, 0)]]}.values():
            self._end(job)

    def state(self, job_id: str) -> dict[str, object]:
        """Progress of a job: "running", "done" or "failed", one percentage, and words.

        Raises:
          KeyError: there is no such job.
        """
        self._forget()
        job = self._of(job_id)
        code = job.process.poll()
        said = job.folder / "said.txt"
        try:
            text = said.read_bytes()[-_LAST_BYTES:].decode("utf-8", "replace").replace("\r", "\n")
        except FileNotFoundError as error:
            raise KeyError(job_id) from error  # removed at this moment
        lines = [line.strip() for line in text.split("\n") if line.strip()]
        if code is not None:
            # The uploads are of no use any more.
            shutil.rmtree(job.folder / "uploaded", ignore_errors=True)
        state = "running" if code is None else "done" if code == 0 and job.work.result.is_file() else "failed"
        words = {"running": "Starting", "done": "Done", "failed": "It failed"}[state]
        if state == "running":
            percent, stage = _progress(job.work.stages, lines)
            words = stage or words
            job.percent = max(job.percent, percent)
        elif state == "done":
            job.percent = 100
        elif lines:
            words = lines[-1].replace(f"{job.folder}/", "").removeprefix("error: ")[-300:]
        return {"id": job.id, "kind": job.kind, "state": state, "percent": job.percent, "said": words}

    def of(self, owner: str) -> list[dict[str, object]]:
        """The states of somebody's jobs, the latest first."""
        self._forget()
        own = [job.id for job in self._jobs.values() if owner and secrets.compare_digest(job.owner, owner)]
        return [self.state(job_id) for job_id in reversed(own)]

    def result(self, job_id: str) -> Path:
        """The file that a finished job made.

        Raises:
          KeyError: there is no such job, or it is not done.
        """
        if self.state(job_id)["state"] != "done":
            raise KeyError(job_id)
        return self._of(job_id).work.result

    def remove(self, job_id: str) -> None:
        """Stops a job and removes what it made.

        Raises:
          KeyError: there is no such job.
        """
        self._end(self._of(job_id))

    def close(self) -> None:
        """Stops and removes all."""
        for job in list(self._jobs.values()):
            self._end(job)

    def _end(self, job: _Job) -> None:
        self._jobs.pop(job.id, None)
        if job.process.poll() is None:
            job.process.terminate()
            try:
                job.process.wait(_SECONDS_TO_STOP)
            except subprocess.TimeoutExpired:
                job.process.kill()
                job.process.wait()
        shutil.rmtree(job.folder, ignore_errors=True)

    def _of(self, job_id: str) -> _Job:
        for job in self._jobs.values():
            if secrets.compare_digest(job_id.encode(), job.id.encode()):
                return job
        raise KeyError(job_id)


def _progress(stages: Sequence[Stage], lines: Sequence[str]) -> tuple[int, str]:
    """Percentage of the whole, and the words of the stage, by the last line that tells of one."""
    for line in reversed(lines):
        for stage in reversed(stages):
            if found := stage.line.search(line):
                share = min(int(found[found.re.groups]), 100) / 100
                return round(stage.begin + share * (stage.end - stage.begin)), stage.words
    return 0, ""
