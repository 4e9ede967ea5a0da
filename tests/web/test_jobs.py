"""Jobs that are removed while somebody asks for them."""

import shutil
import time
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


def test_a_new_job_takes_the_place_of_what_the_one_before_made() -> None:
    jobs, folders = Jobs(), []

    def prepare(folder: Path) -> tuple[list[str], Path]:
        folders.append(folder)
        (folder / "result.html").write_text("made")
        return ["--help"], folder / "result.html"

    first = jobs.start("report", prepare)
    while jobs.state(first)["state"] == "running":
        time.sleep(0.05)
    assert jobs.result(first).read_text() == "made"
    second = jobs.start("clip", prepare)
    assert not folders[0].exists()
    assert folders[1].exists()
    with pytest.raises(KeyError):
        jobs.state(first)
    jobs.remove(second)
    assert not folders[1].exists()
