"""Processes of a run find each other, and none outlives another that has died: one line each, and soon.

Covers `runtime/cli.py` too.
"""

import json
import signal
import socket
import subprocess
import sys

import pytest

from lowres_jax import __version__
from lowres_jax.errors import UserError
from lowres_jax.runtime import lifeline

pytestmark = pytest.mark.slow

_PROGRAM = """
import sys
from lowres_jax.runtime import cli
from lowres_jax.runtime import lifeline
from lowres_jax.errors import UserError
address, number, count, seconds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
def program():
    lifeline.meet(address, number, count, seconds)
    print("met", flush=True)
    word = sys.stdin.readline().strip()
    if word == "fail":
        raise UserError("the disk is full")
    lifeline.leave()
cli.run(program)
"""


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("localhost", 0))
        return int(listener.getsockname()[1])


def start(port: int, number: int, count: int, seconds: float = 120.0) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", _PROGRAM, f"localhost:{port}", str(number), str(count), str(seconds)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)


def end(process: subprocess.Popen[str], word: str | None = None) -> tuple[int, str]:
    """Status and what the process said on stderr; its end is waited for."""
    _, error = process.communicate(None if word is None else f"{word}\n", timeout=120)
    return process.returncode, error.strip()


def met(count: int) -> list[subprocess.Popen[str]]:
    port = free_port()
    found = [start(port, number, count) for number in range(count)]
    for process in found:
        assert process.stdout is not None
        assert process.stdout.readline() == "met\n"
    return found


@pytest.mark.parametrize("victim", [0, 1])
def test_where_one_is_killed_all_end_and_say_which(victim: int) -> None:
    processes = met(3)
    processes[victim].send_signal(signal.SIGKILL)
    for number, process in enumerate(processes):
        if number == victim:
            process.communicate()
            continue
        # Nobody tells them anything: their standard input stays open until they have ended.
        process.wait(timeout=120)
        said = f"error: process {victim} has ended without a word (killed, or its machine is gone); what is saved stays"
        status, error = end(process)
        assert (status, error.startswith(said), len(error.splitlines())) == (1, True, 1), error


def test_an_error_of_one_is_told_to_all() -> None:
    processes = met(3)
    assert end(processes[1], "fail") == (1, "error: the disk is full")
    for process in (processes[0], processes[2]):
        process.wait(timeout=120)
        status, error = end(process)
        assert (status, error.startswith("error: process 1: the disk is full; what is saved stays")) == (1, True)


def test_who_leaves_ends_nobody() -> None:
    processes = met(3)
    assert [end(process, "leave") for process in (processes[1], processes[0], processes[2])] == [(0, "")] * 3


def test_a_number_given_twice() -> None:
    port = free_port()
    processes = [start(port, number, 3) for number in (0, 1, 1)]
    for process in processes:
        status, error = end(process)
        assert status == 1
        assert f"config.coordinator=localhost:{port}: process 1 at 127.0.0.1: there is such a number already" in error
        assert len(error.splitlines()) == 1


def test_a_port_that_is_taken() -> None:
    with socket.create_server(("", 0)) as listener:
        port = listener.getsockname()[1]
        status, error = end(start(port, 0, 2))
    assert status == 1
    assert error == (
        f"error: config.coordinator=localhost:{port}: the port cannot be listened at (Address already in use): another "
        "program is there, or another process 0; choose another port"
    )


def test_who_does_not_come_is_named() -> None:
    port = free_port()
    assert end(start(port, 0, 3, 0.5)) == (
        1,
        f"error: config.coordinator=localhost:{port}: process 1, 2 did not come within 0.5 s",
    )


def test_strangers_do_no_harm_and_other_versions_are_told() -> None:
    port = free_port()
    first = start(port, 0, 2)
    while True:
        try:
            stranger = socket.create_connection(("localhost", port))
            break
        except OSError:
            assert first.poll() is None
    stranger.sendall(b"GET / HTTP/1.1\r\n\r\n")
    assert stranger.recv(1) == b""
    stranger.close()
    with socket.create_connection(("localhost", port)) as other:
        other.sendall(json.dumps({"process": 1, "processes": 2, "version": "0.0.1"}).encode() + b"\n")
        refused = json.loads(other.makefile().readline())["refused"]
    assert refused.endswith(f"has 2 processes and version 0.0.1, process 0 2 and {__version__}")
    assert end(first) == (1, f"error: {refused}")


NONSENSE = (
    b"\x00\xff" * 100 + b"\n",
    b"[" * 60_000 + b"\n",
    b'"process"\n',
    b'{"process": 1}\n',
    b'{"process": [1], "processes": 2, "version": "x"}\n',
    b'{"process": true, "processes": 2, "version": "x"}\n',
    b'{"process": 1, "processes": "2", "version": "x"}\n',
    b'{"process": 1, "processes": 2, "version": 3}\n',
)


@pytest.mark.parametrize("said", NONSENSE)
def test_who_talks_nonsense_is_closed_and_ends_nothing(said: bytes) -> None:
    one, other = socket.socketpair()
    came: dict[int, socket.socket] = {}
    with one:
        one.sendall(said)
        lifeline._take_in(other, "here", 2, came, "localhost:1")
        assert one.recv(1) == b""
    assert came == {}


@pytest.mark.parametrize("number", [-1, 2, 99])
def test_numbers_out_of_range_are_refused(number: int) -> None:
    one, other = socket.socketpair()
    with one, other:
        one.sendall(json.dumps({"process": number, "processes": 2, "version": __version__}).encode() + b"\n")
        with pytest.raises(UserError, match=rf"process {number} at here: config\.process .* must be from 0 to 1"):
            lifeline._take_in(other, "here", 2, {}, "localhost:1")
        assert "must be from 0 to 1" in json.loads(one.makefile().readline())["refused"]


def test_a_program_that_is_no_process_0() -> None:
    with socket.create_server(("localhost", 0)) as listener:
        port = listener.getsockname()[1]
        process = start(port, 1, 2)
        peer, _ = listener.accept()
        peer.sendall(b"220 mail.example ready\n")
        status, error = end(process)
        peer.close()
    assert (status, error) == (
        1,
        f"error: config.coordinator=localhost:{port}: who answers there is no process 0 of this run, or it has ended",
    )
