"""The pack is made of real faces, checked on this machine, and taken through a visit of a minute."""

import itertools
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_records import write_pairs, write_set
from training_runs import write_faces

from lowres_jax.data import resize
from lowres_jax.data.records import open_records
from lowres_jax.errors import UserError
from lowres_jax.pretrained import cards
from lowres_jax.runtime import configuration
from lowres_jax.tasks import check_accelerator, pack_visit
from lowres_jax.visit import pack, reference, results

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
CHECKS = reference.checks


def first_checks(*given: Any, **settings: Any) -> Any:
    """The quickest of all checks."""
    return itertools.islice(CHECKS(*given, **settings), 2)


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pack of ten people of ORL and of their pictures as if they were LFW's, with values of two networks."""
    folder = tmp_path_factory.mktemp("packed")
    write_faces(folder / "data", 10, 4, lambda image: resize.resize(image[16:-4], 128, 128))
    source = open_records(folder / "data" / "faces" / "made")
    sources = [f"P{number // 4}/P{number // 4}_{number % 4 + 1:04d}.jpg" for number in range(40)]
    lfw = write_set(
        folder / "data" / "lfw" / "made", source.crops(np.arange(40))[0], source.labels.tolist(), sources=sources
    )
    write_pairs(lfw, 10)
    config = configuration.load("configs/pack_visit.py:smoke")
    config.data_dir, config.dataset, config.view1 = str(folder / "data"), "faces/made", "lfw/made"
    config.output, config.view1_pairs, config.trainings = str(folder / "pack"), 8, ()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reference, "checks", first_checks)
        pack_visit.run(config, folder)
    return folder / "pack"


def test_a_pack_of_real_faces(packed: Path) -> None:
    described = pack.described(packed)
    assert (described["dataset"], described["records"]) == ("faces/made", {"lfw/made": 14, "faces/made": 40})
    assert pack.size_of(packed) < 40 * 2**20
    assert len(open_records(packed / "datasets" / "faces" / "made")) == 40
    view1 = open_records(packed / "datasets" / "lfw" / "made")
    assert view1.pairs("view1_test").same.tolist() == [True] * 4 + [False] * 4
    expected = np.load(packed / pack.REFERENCE)
    assert expected["SFace templates"].shape == (reference.FACES, 128)
    faces = reference.with_mirrored(expected["faces"])
    assert faces.shape == (reference.FACES, 128, 128, 3)
    np.testing.assert_array_equal(faces[:32, :, ::-1], faces[32:])


def test_a_machine_that_computes_rightly_and_one_that_does_not(
    packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(reference, "checks", first_checks)
    config = configuration.load("configs/check_accelerator.py")
    config.pack, config.output = str(packed), str(tmp_path)
    check_accelerator.run(config, tmp_path)
    found = results.read(tmp_path)
    assert [(name, each["right"]) for name, each in found["check"].items()] == [
        ("SFace templates", True),
        ("SRResNet x4", True),
    ]
    assert found["machine"]["platform"] == "cpu"
    assert "right  SRResNet x4: " in capsys.readouterr().out

    def rough(*given: Any, **settings: Any) -> Any:
        for check in first_checks(*given, **settings):
            # As bfloat16 rounds, to eight bits.
            yield reference.Check(check.name, lambda way, check=check: check.compute(way) * (1 + 2e-3), check.trains)

    monkeypatch.setattr(reference, "checks", rough)
    with pytest.raises(UserError, match=r"1 of 2 differ from the processor's values: SRResNet x4"):
        check_accelerator.run(config, tmp_path)
    assert "WRONG  SRResNet x4: 2.0e-03 (at most 0.001)" in capsys.readouterr().out


def test_a_processor_is_no_accelerator(packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reference, "checks", lambda *given, **settings: iter(()))
    described = pack.described(packed) | {"small": False}
    monkeypatch.setattr(pack, "described", lambda folder: described)
    config = configuration.load("configs/check_accelerator.py")
    config.pack, config.output = str(packed), str(tmp_path)
    with pytest.raises(
        UserError, match=r"no accelerator: JAX finds this machine's processor only; .* driver new enough"
    ):
        check_accelerator.run(config, tmp_path)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"quality": 0}, r"config\.quality=0: must be a whole number, from 1 to 100"),
        ({"view1_pairs": 7}, r"config\.view1_pairs=7: must be even"),
        ({"mebibytes": 0.0}, r"config\.mebibytes=0: must be a number, .*above 0"),
        ({"dataset": "faces/absent"}, r"faces/absent: no prepared data set"),
    ],
)
def test_what_cannot_be_packed(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    config = configuration.load("configs/pack_visit.py:smoke")
    config.output, config.data_dir = str(tmp_path / "pack"), str(tmp_path)
    config.update(changes)
    with pytest.raises(UserError, match=said):
        pack_visit.run(config, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_visit_of_a_minute(packed: Path, tmp_path: Path) -> None:
    """From the script to the last line; how far each part comes in its seconds depends on the machine."""
    shares = ["--config.check_share=0.15", "--config.benchmark_share=0.15", "--config.least_training_seconds=5"]
    command = [ROOT / "launch" / "visit.sh", "1", tmp_path / "out", "--config.queue=identity_x8", *shares]
    environment = os.environ | {"PACK": str(packed), "PYTHON": sys.executable}
    environment |= {"JAX_COMPILATION_CACHE_DIR": str(Path.home() / ".cache" / "lowres_jax" / "compiled")}
    begin = time.monotonic()
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode in (0, 1), done.stderr
    # A minute of its own, and what a busy machine takes to start and to stop it.
    assert time.monotonic() - begin < 240
    found = results.read(tmp_path / "out")
    parts = {part["part"]: part for part in found["parts"]}
    assert list(parts) == ["check", "benchmark", "training identity_x8"]
    if "check" in found:
        assert all(each["right"] for each in found["check"].values())
    log = (tmp_path / "out" / results.LOG).read_text()
    assert "Traceback" not in log + done.stderr
    for path in (tmp_path / "out").glob("models/*.toml"):
        card = cards.read_card(path)
        assert cards.weight_path(card).is_file()
        assert found["trainings"]["identity_x8"]["best_step"] == card.training["steps"]
    assert json.loads((tmp_path / "out" / results.FILE).read_text())["pack"]["small"] is True
