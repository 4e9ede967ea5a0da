"""Jobs that are removed while somebody asks for them."""

import shutil
from pathlib import Path

import pytest

from lowres_jax.web.jobs import Jobs


def test_a_job_that_is_removed_while_it_is_asked_for() -> None:
    jobs, folders = Jobs(), []

    def prepare(folder: Path) -> tuple[list[str], Path]:
        folders.append(folder)
        return ["--help"], folder / "nothing"

    job = jobs.start("report", prepare)
    assert jobs.state(job)["kind"] == "report"
    # As by another thread, between looking the job up and reading what it said.
    shutil.rmtree(folders[0])
    with pytest.raises(KeyError):
        jobs.state(job)
    jobs.remove(job)
    with pytest.raises(KeyError):
        jobs.state(job)
