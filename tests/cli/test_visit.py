"""A visit: parts that fail, hang or have no time cost the others nothing, and what is found stays."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import jax
import pytest

from lowres_jax import __version__
from lowres_jax.errors import UserError
from lowres_jax.runtime import configuration, signals
from lowres_jax.tasks import visit, visit_training
from lowres_jax.visit import pack, results

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


@pytest.fixture
def config(tmp_path: Path) -> Any:
    """Of a visit with a pack of nothing but its description."""
    (tmp_path / "pack").mkdir()
    described = {"format": pack.FORMAT, "version": __version__, "small": True, "dataset": "faces/made"}
    (tmp_path / "pack" / pack.DESCRIPTION).write_text(json.dumps(described))
    made = configuration.load("configs/visit.py")
    made.pack, made.output = str(tmp_path / "pack"), str(tmp_path / "out")
    made.queue = ("identity_x8", "identity")
    return made


def program(text: str, output: str = "") -> list[str]:
    """A part's command that runs a program; in it `add` adds to the results."""
    begin = "import sys, time, signal; from pathlib import Path; from lowres_jax.visit import results\n"
    return ["-c", begin + f"add = lambda **found: results.add(Path({output!r}), **found)\n" + text]


def set_parts(monkeypatch: pytest.MonkeyPatch, output: str, **programs: str) -> None:
    """Puts programs in the place of the parts."""

    def part(name: str) -> Any:
        return lambda *given: visit.Part(name, program(programs[name], output), given[-1])

    monkeypatch.setattr(visit, "_check", part("check"))
    monkeypatch.setattr(visit, "_benchmark", part("benchmark"))
    monkeypatch.setattr(
        visit,
        "_training",
        lambda *given: visit.Part(f"training {given[4]}", program(programs[given[4]], output), given[-1]),
    )


def test_a_part_that_fails_or_hangs_costs_the_others_nothing(
    config: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Any
) -> None:
    begun = tmp_path / "begun"
    stubborn = "signal.signal(signal.SIGTERM, signal.SIG_IGN); add(benchmark={'a': 1}); print('on', flush=True)\n"
    stubborn += f"Path({str(begun)!r}).touch(); "
    set_parts(
        monkeypatch,
        config.output,
        check="add(check={'right': True}); sys.exit('error: something is wrong')",
        benchmark=stubborn + "time.sleep(600)",
        identity_x8="add(trainings={'identity_x8': 1})",
        identity="add(trainings=results.read(Path(sys.argv[0]).parent) or {'identity_x8': 1, 'identity': 2})",
    )
    config.minutes, config.least_training_seconds = 60.0, 1.0
    monkeypatch.setattr(visit, "_is_over", lambda part, grace=0.0: part.name == "benchmark" and begun.exists())
    with pytest.raises(UserError, match=r"out: check failed \(see log\.txt\); the rest is there"):
        visit.run(config, tmp_path / "work")
    found = results.read(Path(config.output))
    assert found["check"] == {"right": True}
    assert found["benchmark"] == {"a": 1}
    assert found["trainings"] == {"identity_x8": 1, "identity": 2}
    parts = {part["part"]: part for part in found["parts"]}
    assert list(parts) == ["check", "benchmark", "training identity_x8", "training identity"]
    assert [part["status"] for part in parts.values()] == [1, -signal.SIGKILL, 0, 0]
    assert [part["stopped_for_time"] for part in parts.values()] == [False, True, False, False]
    log = (Path(config.output) / results.LOG).read_text()
    assert "error: something is wrong\non\n" in log
    assert "error: something is wrong" in capfd.readouterr().out


def test_too_little_time_for_a_training(config: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    set_parts(monkeypatch, config.output, check="pass", benchmark="pass", identity_x8="pass", identity="1/0")
    config.minutes, config.least_training_seconds = 60.0, 1e6
    visit.run(config, tmp_path / "work")
    parts = results.read(Path(config.output))["parts"]
    assert [part.get("status", "out") for part in parts] == [0, 0, "out", "out"]
    assert "s are left, 1e+06 are the least" in parts[2]["left_out"]


def test_trainings_share_the_time_as_many_as_have_enough(
    config: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    untils: dict[str, float] = {}
    set_parts(monkeypatch, config.output, check="pass", benchmark="pass", identity_x8="pass", identity="pass")
    monkeypatch.setattr(visit, "_training", lambda *given: untils.update({given[4]: given[-1] - time.time()}))
    monkeypatch.setattr(visit._Visit, "make", lambda self, part: None)
    config.minutes, config.least_training_seconds, config.trainings.identity.weight = 60.0, 100.0, 3.0
    visit.run(config, tmp_path / "work")
    # 3,595 s: a quarter for the first, whose weight is a third of the second's; then all that is left.
    assert untils == {"identity_x8": pytest.approx(3595 / 4, abs=60), "identity": pytest.approx(3595, abs=60)}
    config.least_training_seconds = 2000.0
    visit.run(config, tmp_path / "work")
    assert untils["identity_x8"] == pytest.approx(3595, abs=60)


def test_a_stop_ends_the_part_too(config: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    marker = tmp_path / "begun"
    begun = f"add(check={{'a': 1}}); Path({str(marker)!r}).touch(); time.sleep(600)"
    set_parts(monkeypatch, config.output, check=begun, benchmark="1/0", identity_x8="1/0", identity="1/0")
    config.minutes = 60.0
    monkeypatch.setattr(visit._Visit, "share", lambda self, share: time.time() + 600)

    def check() -> None:
        if marker.exists():
            raise signals.Interrupted(signal.SIGTERM)

    monkeypatch.setattr(visit.signals, "check", check)
    with pytest.raises(signals.Interrupted):
        visit.run(config, tmp_path / "work")
    assert results.read(Path(config.output))["check"] == {"a": 1}


def test_what_cannot_be_is_refused(config: Any, tmp_path: Path) -> None:
    config.minutes = 0.1
    with pytest.raises(UserError, match=r"config\.minutes=0\.1: too few for the first part; 0\.5 are the least"):
        visit.run(config, tmp_path)
    config.minutes, config.queue = 1.0, ("identiti",)
    with pytest.raises(UserError, match=r"config\.queue=identiti: no such training .* did you mean 'identity'"):
        visit.run(config, tmp_path)
    config.queue, config.pack = (), str(tmp_path / "absent")
    with pytest.raises(UserError, match=r"absent: no pack for a visit"):
        visit.run(config, tmp_path)
    config.output = ""
    with pytest.raises(UserError, match=r"config\.output is empty"):
        visit.run(config, tmp_path)


def test_a_training_that_does_not_fit_the_memory_goes_on_with_half(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []

    def speed(settings: Any) -> float:
        tried.append(settings.batch_size)
        if settings.batch_size > 20:
            raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory while trying to allocate 9 GiB")
        return 40.0

    def broken(settings: Any) -> float:
        raise jax.errors.JaxRuntimeError("INTERNAL: broken")

    monkeypatch.setattr(visit_training, "_speed", speed)
    settings = configuration.load("configs/identity.py:smoke")
    settings.batch_size = 64
    assert visit_training._measured(settings) == (40.0, 16)
    assert tried == [64, 32, 16]
    settings.batch_size = 12
    monkeypatch.setattr(visit_training, "_speed", broken)
    with pytest.raises(UserError, match=r"a step of 12 images: INTERNAL: broken"):
        visit_training._measured(settings)


@pytest.mark.parametrize("minutes", ["x", "", "-1"])
def test_the_script_s_usage(minutes: str) -> None:
    done = subprocess.run([ROOT / "launch" / "visit.sh", minutes, "out"], capture_output=True, text=True)
    assert done.returncode == 2
    assert "launch/visit.sh MINUTES OUT" in done.stderr


def test_the_script_without_a_pack(tmp_path: Path) -> None:
    environment = os.environ | {"PACK": str(tmp_path / "absent"), "PYTHON": sys.executable}
    done = subprocess.run(
        [ROOT / "launch" / "visit.sh", "1", tmp_path / "out"], capture_output=True, text=True, env=environment, cwd=ROOT
    )
    assert done.returncode == 1
    assert "no pack for a visit, or a damaged one; make it with: python -m lowres_jax.main" in done.stderr
    assert "Traceback" not in done.stderr
