"""What takes minutes: the program's own command in a process beside the server, one at a time, that can be stopped."""

import re
import secrets
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lowres_jax.errors import UserError

_PERCENT = re.compile(r"(\d{1,3})%")
_SECONDS_TO_STOP = 10.0
_LAST_BYTES = 4096  # of what a process says


@dataclass
class _Job:
    """A process, its folder, and what it makes."""

    id: str
    process: subprocess.Popen[bytes]
    folder: Path
    result: Path
    kind: str


class Jobs:
    """At most one process at a time; what it made stays until the next, or until it is removed."""

    def __init__(self) -> None:
        self._job: _Job | None = None
        self._starting = threading.Lock()

    def start(self, kind: str, prepare: Callable[[Path], tuple[Sequence[str], Path]]) -> str:
        """Starts a command of the program.

        Args:
          kind: what it is, as the page names it.
          prepare: fills a folder with what was uploaded, and gives flags and the path of the result.

        Returns:
          Number of the job, not to be guessed.

        Raises:
          UserError: another one runs, or `prepare` refuses.
        """
        with self._starting:
            if self._job is not None and self._job.process.poll() is None:
                raise UserError(f"a {self._job.kind} is being made already: wait for it, or stop it")
            self.remove()
            self._job = self._started(kind, prepare)
            return self._job.id

    @staticmethod
    def _started(kind: str, prepare: Callable[[Path], tuple[Sequence[str], Path]]) -> _Job:
        folder = Path(tempfile.mkdtemp(prefix="lowres_jax-"))
        try:
            flags, result = prepare(folder)
            with (folder / "said.txt").open("wb") as said:
                process = subprocess.Popen(
                    [sys.executable, "-m", "lowres_jax.main", *flags],
                    cwd=folder,
                    stdin=subprocess.DEVNULL,
                    stdout=said,
                    stderr=subprocess.STDOUT,
                )
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return _Job(secrets.token_urlsafe(16), process, folder, result, kind)

    def state(self, job_id: str) -> dict[str, object]:
        """How far a job is: "running", "done" or "failed", and what it last said.

        Raises:
          KeyError: there is no such job.
        """
        job = self._of(job_id)
        code = job.process.poll()
        said = job.folder / "said.txt"
        try:
            text = said.read_bytes()[-_LAST_BYTES:].decode("utf-8", "replace").replace("\r", "\n")
        except FileNotFoundError as error:
            raise KeyError(job_id) from error  # removed at this moment
        lines = [line.strip() for line in text.split("\n") if line.strip()]
        last = lines[-1].replace(f"{job.folder}/", "") if lines else ""
        percents = _PERCENT.findall(last)
        if code is not None:
            # The uploads are of no use any more.
            shutil.rmtree(job.folder / "uploaded", ignore_errors=True)
        state = "running" if code is None else "done" if code == 0 and job.result.is_file() else "failed"
        return {
            "id": job.id,
            "kind": job.kind,
            "state": state,
            "percent": int(percents[-1]) if percents and state == "running" else None,
            "said": last[-300:],
        }

    def result(self, job_id: str) -> Path:
        """The file that a finished job made.

        Raises:
          KeyError: there is no such job, or it is not done.
        """
        if self.state(job_id)["state"] != "done":
            raise KeyError(job_id)
        return self._of(job_id).result

    def remove(self, job_id: str | None = None) -> None:
        """Stops a job and removes what it made; whichever there is where no number is given.

        Raises:
          KeyError: there is no such job.
        """
        if job_id is not None:
            self._of(job_id)
        if self._job is None:
            return
        job, self._job = self._job, None
        if job.process.poll() is None:
            job.process.terminate()
            try:
                job.process.wait(_SECONDS_TO_STOP)
            except subprocess.TimeoutExpired:
                job.process.kill()
                job.process.wait()
        shutil.rmtree(job.folder, ignore_errors=True)

    def _of(self, job_id: str) -> _Job:
        if self._job is None or not secrets.compare_digest(job_id.encode(), self._job.id.encode()):
            raise KeyError(job_id)
        return self._job
