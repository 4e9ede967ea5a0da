"""Jobs: whose they are, how far they are, what a refusal leaves, and those that are removed meanwhile."""

import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lowres_jax.errors import UserError
from lowres_jax.web import jobs as jobs_module
from lowres_jax.web.app import _CLIP_STAGES, _REPORT_STAGES
from lowres_jax.web.jobs import Jobs, Stage, Work, _progress


class Kept:
    """Prepares jobs that end at once with a result, and remembers their folders."""

    def __init__(self) -> None:
        self.folders: list[Path] = []

    def __call__(self, folder: Path) -> Work:
        self.folders.append(folder)
        (folder / "result.html").write_text("made")
        return Work(["--help"], folder / "result.html")


@pytest.fixture
def jobs() -> Iterator[Jobs]:
    made = Jobs()
    yield made
    made.close()


def finished(jobs: Jobs, job: str) -> dict[str, object]:
    while jobs.state(job)["state"] == "running":
        time.sleep(0.05)
    return jobs.state(job)


def test_a_job_that_is_removed_while_it_is_asked_for(jobs: Jobs) -> None:
    prepare = Kept()
    job = jobs.start("report", "", prepare)
    assert jobs.state(job)["kind"] == "report"
    # As by another thread, between looking the job up and reading what it said.
    shutil.rmtree(prepare.folders[0])
    with pytest.raises(KeyError):
        jobs.state(job)
    jobs.remove(job)
    with pytest.raises(KeyError):
        jobs.state(job)


def test_a_refused_upload_removes_nobodys_result(jobs: Jobs) -> None:
    prepare = Kept()
    first = jobs.start("report", "anna", prepare)
    assert finished(jobs, first)["percent"] == 100

    def refuse(folder: Path) -> Work:
        raise UserError("no clip")

    with pytest.raises(UserError, match="no clip"):
        jobs.start("clip", "bert", refuse)
    assert jobs.result(first).read_text() == "made"
    # Nor does a later one that is made.
    second = jobs.start("clip", "bert", prepare)
    finished(jobs, second)
    assert jobs.result(first).read_text() == "made"
    assert [each["id"] for each in jobs.of("anna")] == [first]
    assert [each["id"] for each in jobs.of("bert")] == [second]
    assert jobs.of("") == jobs.of("nobody") == []
    jobs.remove(first)
    assert not prepare.folders[0].exists()


def test_one_at_a_time(jobs: Jobs) -> None:
    first = jobs.start("report", "", lambda folder: Work(["--config=serve", "--config.port=0"], folder / "x"))
    with pytest.raises(UserError, match="a report is being made already"):
        jobs.start("clip", "", Kept())
    jobs.remove(first)
    jobs.start("clip", "", Kept())


def test_what_is_old_or_too_much_is_removed(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs_module, "_MOST_KEPT", 1)
    prepare = Kept()
    for _ in range(2):
        last = jobs.start("clip", "anna", prepare)
        finished(jobs, last)
    assert [each["id"] for each in jobs.of("anna")] == [last]
    assert [folder.exists() for folder in prepare.folders] == [False, True]
    monkeypatch.setattr(jobs_module, "_SECONDS_KEPT", -1.0)
    assert jobs.of("anna") == []
    assert not prepare.folders[1].exists()


def test_what_failed_is_said_without_paths_and_prefixes(jobs: Jobs) -> None:
    job = jobs.start(
        "clip", "", lambda folder: Work(["--config=enhance", f"--config.input={folder}/none.mp4"], folder / "x")
    )
    state = finished(jobs, job)
    assert state["state"] == "failed"
    assert not str(state["said"]).startswith("error")
    assert "lowres_jax-" not in str(state["said"])


def test_one_bar_in_words_of_a_person() -> None:
    """Lines as the terminal has them."""
    clip = ["clip.mp4:  50%|#####     | 5/10", "enlarge clip.mp4:  50%|#####     | 5/10 [00:01"]
    assert [_progress(_CLIP_STAGES, clip[: end + 1]) for end in range(2)] == [
        (15, "Finding the faces"),
        (64, "Enlarging them"),
    ]
    report = [
        "people: 100%|####| 18/18 [00:03",
        "2/7 bicubic at 32 px, 18 images  20%|##  | 00:01, 00:04 left",
        "protocols, sface:  14%|# | 1/7 [00:00",
    ]
    assert [_progress(_REPORT_STAGES, report[: end + 1])[0] for end in range(3)] == [25, 38, 91]
    assert _progress((Stage(re.compile(r"(\\d+)%"), "x", 0, 9),), ["nothing"]) == (0, "")
