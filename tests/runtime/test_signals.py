"""Requests to stop: never lost, never late, and a second one ends at once."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lowres_jax.runtime import signals

pytestmark = pytest.mark.slow

START = """
import gc, os, signal, sys, threading, time
from pathlib import Path
from lowres_jax.runtime import cli
from lowres_jax.runtime import signals
from lowres_jax.utils.files import write_atomically
signal.signal(signal.SIGINT, signal.default_int_handler)
folder = Path(sys.argv[1])
"""


def run(body: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Runs `program`, as the body defines it, the way every program of the package runs."""
    code = f"{START}\n{body}\ncli.run(program)\nprint('went on')"
    return subprocess.run([sys.executable, "-c", code, str(folder)], capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize(("name", "status"), [("SIGTERM", 143), ("SIGINT", 130)])
def test_a_signal_within_a_callback_of_the_garbage_collector_counts(tmp_path: Path, name: str, status: int) -> None:
    body = f"""
def program():
    def callback(phase, info):
        if not signals.requested():
            os.kill(os.getpid(), signal.{name})
    gc.callbacks.append(callback)
    gc.set_threshold(1)
    for number in signals.interruptible(iter(int, 1)):
        [[] for _ in range(100)]
"""
    result = run(body, tmp_path)
    assert result.returncode == status
    assert result.stderr == f"interrupted ({name}); complete results are kept\n"
    assert result.stdout == ""


def test_where_no_check_comes_the_process_is_ended_and_nothing_is_half_written(tmp_path: Path) -> None:
    body = """
def program():
    with write_atomically(folder / "whole") as file:
        file.write(b"whole")
    with signals.at_forced_end(lambda: (folder / "kept").write_text("kept")), \\
            write_atomically(folder / "half") as file:
        file.write(b"half")
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(600)  # as a compilation, which lets no exception in
"""
    result = run(body, tmp_path)
    assert result.returncode == 143
    assert result.stderr == "interrupted (SIGTERM); complete results are kept\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kept", "whole"]


def test_a_second_signal_ends_at_once(tmp_path: Path) -> None:
    body = """
def program():
    with signals.grace(600), signals.at_forced_end(lambda: (folder / "kept").write_text("kept")):
        os.kill(os.getpid(), signal.SIGTERM)
        while not signals.requested():
            time.sleep(0.001)
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(600)
"""
    result = run(body, tmp_path)
    assert result.returncode == 130
    assert (tmp_path / "kept").exists()


def test_last_words_that_fail_or_hang_do_not_keep_the_process_alive(tmp_path: Path) -> None:
    body = """
def program():
    with (
        signals.at_forced_end(lambda: time.sleep(600)),
        signals.at_forced_end(lambda: (folder / "second").write_text("said")),
        signals.at_forced_end(lambda: 1 / 0),
    ):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(600)
"""
    assert run(body, tmp_path).returncode == 143
    assert (tmp_path / "second").exists()


def test_an_ignored_signal_stays_ignored(tmp_path: Path) -> None:
    body = """
signal.signal(signal.SIGINT, signal.SIG_IGN)
def program():
    os.kill(os.getpid(), signal.SIGINT)
    os.kill(os.getpid(), signal.SIGTERM)
    while not signals.requested():
        time.sleep(0.001)
    signals.check()
"""
    assert run(body, tmp_path).returncode == 143


def test_without_a_request_everything_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    assert list(signals.interruptible([1, 2])) == [1, 2]
    assert not signals.requested()
    items = signals.interruptible([1, 2])
    assert next(items) == 1
    monkeypatch.setattr(signals._State, "requested", signal.SIGTERM)
    with pytest.raises(signals.Interrupted) as raised:
        next(items)
    assert raised.value.signal_number == signal.SIGTERM
