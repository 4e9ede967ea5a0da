"""Preparation by the workers of Apache Beam: the same files, whatever happens to a worker.

Covers `preparation/shards.py` too.
"""

import contextlib
import fcntl
import io
import json
import os
import runpy
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data
import tensorflow_datasets as tfds
from etils import epath

from lowres_jax.data.records import open_records
from lowres_jax.errors import UserError
from lowres_jax.preparation import beam, shards
from lowres_jax.preparation.alignment import Alignment, Counts
from lowres_jax.preparation.photographs import Photographs, read_files
from lowres_jax.tasks import prepare as tasks_prepare

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


def prepare(data_dir: Path, **settings: object) -> str:
    values = runpy.run_path(str(ROOT / "configs" / "prepare_casia_webface.py"))["get_config"]()
    with values.unlocked():
        values.update({"data_dir": str(data_dir), "detector": "haar", "shard_size": 3} | settings)
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        tasks_prepare.run(values, data_dir)
    return output.getvalue()


@pytest.fixture(scope="module")
def faces(tmp_path_factory) -> Path:
    """Twelve pictures of three people, in four files of records: one without a face, one that is none."""
    folder = tmp_path_factory.mktemp("faces") / "faces"
    for number in range(10):
        path = folder / f"{number % 3}" / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), skimage.data.astronaut()[20 + number : 220 + number, 120:320, ::-1])
    (folder / "1" / "bad.png").write_text("no picture")
    cv2.imwrite(str(folder / "2" / "blank.png"), np.full((60, 60, 3), 99, np.uint8))
    return folder


@pytest.fixture(scope="module")
def by_one_process(faces, tmp_path_factory) -> dict[str, bytes]:
    data_dir = tmp_path_factory.mktemp("one")
    prepare(data_dir, source=str(faces))
    return files(data_dir)


def files(data_dir: Path) -> dict[str, bytes]:
    """Every file of the prepared set, by its name; nothing else may be there."""
    (built,) = data_dir.iterdir()
    (made,) = built.iterdir()
    return {path.name: path.read_bytes() for path in (made / "1.0.0").iterdir()}


@pytest.mark.whole
def test_workers_write_what_one_process_writes_though_one_of_them_dies(faces, by_one_process, tmp_path):
    flag, data_dir = tmp_path / "flag", tmp_path / "data"
    program = [sys.executable, str(Path(__file__).with_name("dying_worker.py")), str(faces), str(data_dir)]
    environment = os.environ | {"FLAG": str(flag), "PYTHONPATH": str(Path(__file__).parent)}
    ended = subprocess.run(program, capture_output=True, text=True, env=environment, cwd=ROOT, check=False)

    assert ended.returncode == 0, ended.stderr
    assert flag.read_text() == "x"
    # Which of its threads tells first is chance, and so is the text in the brackets.
    assert "casia_webface: a worker failed (" in ended.stderr
    assert ended.stderr.count("going on with the others") == 1
    made = files(data_dir)
    assert sorted(name for name in made if "tfrecord" in name) == [
        f"casia_webface-train.tfrecord-0000{number}-of-00004" for number in range(4)
    ]
    assert made == by_one_process
    summary = json.loads(made["preparation.json"])
    assert summary["undetected"][-1] == "2/blank.png"
    assert summary["unreadable"] == ["1/bad.png: not a picture of a known format"]
    assert "11 records of 3 people" in ended.stdout


def test_workers_that_come_no_further_are_given_up(faces, tmp_path, monkeypatch, capsys):
    runs = []

    def dying(self: beam.Workers, function: Callable[[str], object], items: Sequence[str]) -> None:
        runs.append(items)
        if len(runs) in (2, 4):
            function(items[0])
        raise beam.WorkersFailedError(
            "Traceback ...\n  File x\nRuntimeError: Channel closed. [while running 'Map(write)']\n"
        )

    monkeypatch.setattr(beam.Workers, "run", dying)
    with pytest.raises(UserError, match=r"failed 3 times without a file .* between .RuntimeError: Channel closed"):
        prepare(tmp_path, source=str(faces), beam="--direct_num_workers=2")

    # Counted again after each that was finished, and only what is missing is asked for again.
    assert [len(each) for each in runs] == [4, 4, 3, 3, 2, 2, 2]
    assert "(RuntimeError: Channel closed.); 1 of 4 files of records are written" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("--direct_num_worker=2", "config.beam: --direct_num_worker=2 is no flag of Apache Beam"),
        ("--direct_num_workers=two", "config.beam: argument --direct_num_workers: invalid int value: 'two'"),
        ("--runner=Hadoop", r"config.beam: --runner=Hadoop cannot be used \(.*DirectRunner.*FlinkRunner"),
        ("--runner=DataflowRunner", "config.beam: --runner=DataflowRunner: its machines share no disk with this one"),
        ("--runner='Direct", r"config.beam=.*: No closing quotation"),
    ],
)
def test_wrong_flags_are_one_line(tmp_path, faces, flags, message):
    with pytest.raises(UserError, match=message) as raised:
        prepare(tmp_path / "data", source=str(faces), beam=flags)
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "data").exists()


def test_without_beam_the_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "apache_beam", None)
    with pytest.raises(UserError, match=r"needs Apache Beam .* pip install 'lowres-jax\[prepare,beam\]'"):
        beam.Workers("--direct_num_workers=2")


def test_what_a_worker_says_to_the_user_is_said_once(tmp_path, monkeypatch, faces):
    told = "Traceback ...\nlowres_jax.errors.UserError: /a.tgz: damaged [while running 'Map(write)']\n\nmore"
    attempts = []

    def failing(self: beam.Workers, function: object, items: Sequence[str]) -> None:
        attempts.append(items)
        raise beam.WorkersFailedError(told)

    monkeypatch.setattr(beam.Workers, "run", failing)
    with pytest.raises(UserError, match=r"^/a.tgz: damaged$"):
        prepare(tmp_path, source=str(faces), beam="--direct_num_workers=2")
    assert len(attempts) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_worker_of_another_version_is_refused(tmp_path):
    part = Photographs(["a"], ["a/1.png"], [Path("a/1.png")], read_files)
    path, features = epath.Path(tmp_path / "x"), tfds.features.FeaturesDict({})
    shard = shards.Shard(part, {"a": 0}, Alignment(), features, path, path, None, "9.9", ("cluster", 1))
    with pytest.raises(UserError, match=r"this worker has lowres_jax .*, cluster has 9\.9; install the same version"):
        shard.write()


def test_counts_are_those_of_all_parts(tmp_path):
    path = epath.Path(tmp_path / "1.counts.json")
    path.write_text('{"photographs": 3, "people": ["b", "c"], "undetected": ["b/2"], "unreadable": ["c/1: empty"]}')
    counts = Counts(2, {"a", "b"}, ["a/1"], [])
    counts.merge(shards.read_counts(path))
    assert counts == Counts(5, {"a", "b", "c"}, ["a/1", "b/2"], ["c/1: empty"])


def test_one_preparation_of_a_set_at_a_time(tmp_path, faces):
    tmp_path.joinpath("data").mkdir()
    with (tmp_path / "data" / ".casia_webface-haar_jpeg.lock").open("w") as file:
        file.write("4711 of elsewhere")
        file.flush()
        fcntl.flock(file, fcntl.LOCK_EX)
        message = (
            "process 4711 of elsewhere prepares casia_webface as haar_jpeg; wait for it, stop it, or choose another"
        )
        with pytest.raises(UserError, match=message):
            prepare(tmp_path / "data", source=str(faces))
    # A file that is left locks nothing, and another way to prepare the set is another set.
    prepare(tmp_path / "data", source=str(faces))
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["casia_webface"]


def test_a_lost_file_of_records_is_named(tmp_path, faces):
    prepare(tmp_path, source=str(faces))
    made = tmp_path / "casia_webface" / "haar_jpeg" / "1.0.0"
    (made / "casia_webface-train.tfrecord-00002-of-00004").unlink()
    with pytest.raises(UserError, match="1 of 4 files of records are missing, tfrecord-00002-of-00004 among them"):
        open_records(made)
