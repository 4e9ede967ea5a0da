"""Connection of the processes of a run, by which each learns at once when another one has ended.

JAX's own coordination ends a process with a dump of its stack where a port is taken, a number is given twice or another
process has died, and the last only after minutes. So before it there is a meeting at the same address: every process
sends its number to process 0, and all continue together or end with one line each. The connections stay. The system
closes that of a killed process; the others print so and end before JAX notices. What was saved stays.
"""

import contextlib
import json
import os
import selectors
import socket
import threading
import time
from typing import Any

from lowres_jax import __version__
from lowres_jax.errors import UserError
from lowres_jax.runtime import signals

_POLL = 0.2
_POLITE = 1.0
_VERDICT_SECONDS = 3.0
# A machine that vanished without a word is missed after 10 + 3 * 5 seconds.
_KEEPALIVE = ((socket.TCP_KEEPIDLE, 10), (socket.TCP_KEEPINTVL, 5), (socket.TCP_KEEPCNT, 3))
_AGAIN = "what is saved stays; start all processes again to resume"


class Lifeline:
    """This process's connections to the others: of process 0 to all, of the others to process 0.

    Attributes:
      number: number of this process.
    """

    def __init__(self, number: int, peers: dict[int, socket.socket]):
        """Begins to watch; see `meet`."""
        self.number = number
        self._peers = peers
        self._left: set[int] = set()
        for peer in peers.values():
            peer.settimeout(None)
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for option, seconds in _KEEPALIVE:
                peer.setsockopt(socket.IPPROTO_TCP, option, seconds)
        threading.Thread(target=self._watch, name="lifeline", daemon=True).start()

    def leave(self) -> None:
        """Says that this process ends as it should: nobody has to end because of it."""
        self._say({"leaves": self.number})

    def fail(self, reason: str) -> None:
        """Says that this process ends because of an error, so that the others end too."""
        self._say({"ended": f"process {self.number}: {reason}"})

    def _say(self, message: dict[str, Any]) -> None:
        for peer in self._peers.values():
            with contextlib.suppress(OSError):
                _send(peer, message)

    def _watch(self) -> None:
        with selectors.DefaultSelector() as selector:
            for number, peer in self._peers.items():
                selector.register(peer, selectors.EVENT_READ, (number, peer.makefile("rb")))
            while selector.get_map():
                for key, _ in selector.select():
                    number, file = key.data
                    message = _received(file)
                    if "leaves" in message:
                        self._left.add(number)
                    elif "ended" in message:
                        # What ends them all may be this one's own finding, which says it better.
                        time.sleep(_POLITE)
                        self._end(message["ended"])
                    elif not message:
                        selector.unregister(key.fileobj)
                        if number not in self._left:
                            self._end(f"process {number} has ended without a word (killed, or its machine is gone)")

    def _end(self, reason: str) -> None:
        if self.number == 0:
            self._say({"ended": reason})
        signals.end_now(f"error: {reason}; {_AGAIN}", 1)


class _State:
    own: Lifeline | None = None


def leave() -> None:
    """See `Lifeline.leave`; nothing where there are no others."""
    if _State.own is not None:
        _State.own.leave()
        _State.own = None


def fail(reason: str) -> bool:
    """See `Lifeline.fail`.

    Args:
      reason: one line.

    Returns:
      Whether there are others. Then the process has to end at once: what JAX does at an exit waits for them.
    """
    if _State.own is None:
        return False
    _State.own.fail(reason)
    return True


def await_verdict() -> None:
    """Gives the watching thread time to end this process where another one has died.

    For after an error: that a collective operation broke off says less.
    """
    if _State.own is not None:
        time.sleep(_VERDICT_SECONDS)


def meet(address: str, number: int, count: int, seconds: float) -> None:
    """Waits until all processes of a run are there, each once, and watches them from then on.

    Args:
      address: "host:port" of process 0.
      number: number of this process.
      count: number of all processes.
      seconds: time to wait.

    Raises:
      UserError: the address is none or taken, not all came in time, two have the same number, or they are of different
        programs; on every process that came.
    """
    host, _, port_text = address.rpartition(":")
    if not host or not port_text.isdigit() or not 0 < int(port_text) < 65536:
        raise UserError(f"config.coordinator={address}: must be HOST:PORT")
    deadline = time.monotonic() + seconds
    if number == 0:
        peers = _gather(address, int(port_text), count, deadline, seconds)
    else:
        peers = {0: _join(address, number, count, deadline, seconds)}
    _State.own = Lifeline(number, peers)


def _gather(address: str, port: int, count: int, deadline: float, seconds: float) -> dict[int, socket.socket]:
    """Process 0's part: takes in the others and tells them to continue, or why not."""
    came: dict[int, socket.socket] = {}
    with contextlib.ExitStack() as on_error:
        try:
            listener = on_error.enter_context(socket.create_server(("", port), backlog=count))
        except OSError as error:
            why = os.strerror(error.errno or 0)
            raise UserError(
                f"config.coordinator={address}: the port cannot be listened at ({why}): another program is there, or "
                "another process 0; choose another port"
            ) from error
        on_error.callback(_close, came)
        listener.settimeout(_POLL)
        while len(came) < count - 1:
            signals.check()
            if time.monotonic() > deadline:
                missing = ", ".join(str(each) for each in range(1, count) if each not in came)
                late = f"process {missing} did not come within {seconds:g} s"
                raise _refusal(came, f"config.coordinator={address}: {late}")
            with contextlib.suppress(TimeoutError):
                peer, sender = listener.accept()
                _take_in(peer, f"{sender[0]}", count, came, address)
        # JAX's own service comes to this port now; whoever is let go must not find the old one.
        listener.close()
        for peer in came.values():
            _send(peer, {"all": count})
        on_error.pop_all()
    return came


def _close(came: dict[int, socket.socket]) -> None:
    for peer in came.values():
        peer.close()


def _take_in(peer: socket.socket, sender: str, count: int, came: dict[int, socket.socket], address: str) -> None:
    peer.settimeout(5.0)
    with contextlib.suppress(OSError, ValueError):
        said = _received(peer.makefile("rb"))
        number, processes, version = (said.get(name) for name in ("process", "processes", "version"))
        if type(number) is not int or type(processes) is not int or not isinstance(version, str):
            # No process of ours: somebody who looked whether a port is open, or took it for another one's.
            peer.close()
            return
        wrong = f"process {number} at {sender}: "
        if (processes, version) != (count, __version__):
            own = f"process 0 {count} and {__version__}"
            wrong += f"has {processes} processes and version {version}, {own}"
        elif not 0 <= number < count:
            wrong += f"config.process (LOWRES_JAX_PROCESS) must be from 0 to {count - 1}"
        elif number in came or number == 0:
            wrong += "there is such a number already; config.process (LOWRES_JAX_PROCESS) must differ"
        else:
            came[number] = peer
            return
        raise _refusal(came | {-1: peer}, f"config.coordinator={address}: {wrong}")
    # Who says nothing in time, or breaks off.
    peer.close()


def _refusal(came: dict[int, socket.socket], reason: str) -> UserError:
    """Tells everybody who came, and gives the error for process 0 itself."""
    for peer in came.values():
        with contextlib.suppress(OSError):
            _send(peer, {"refused": reason})
    return UserError(reason)


def reached(address: str, seconds: float) -> socket.socket:
    """A connection to whoever listens at an address, as soon as somebody does.

    Args:
      address: "host:port".
      seconds: time to try.

    Raises:
      UserError: nobody answered in time.
    """
    host, _, port = address.rpartition(":")
    deadline = time.monotonic() + seconds
    while True:
        signals.check()
        try:
            return socket.create_connection((host, int(port)), timeout=1.0)
        except OSError as error:
            if time.monotonic() > deadline:
                raise UserError(
                    f"config.coordinator={address}: nobody answers there since {seconds:g} s "
                    f"({error.strerror or error}); start process 0 first, or correct the address"
                ) from error
        time.sleep(_POLL)


def _join(address: str, number: int, count: int, deadline: float, seconds: float) -> socket.socket:
    """The others' part: finds process 0 and waits for its word."""
    peer = reached(address, seconds)
    with contextlib.suppress(OSError):
        _send(peer, {"process": number, "processes": count, "version": __version__})
    said: dict[str, Any] = {}
    peer.settimeout(_POLL)
    content = b""
    while not content.endswith(b"\n"):
        signals.check()
        try:
            part = peer.recv(1)  # what follows the line is for who watches
        except TimeoutError:
            if time.monotonic() > deadline + 5:
                raise UserError(f"config.coordinator={address}: process 0 does not let the run begin") from None
            continue
        except OSError:
            part = b""
        content += part
        if not part:
            break
    with contextlib.suppress(ValueError):
        found = json.loads(content)
        said = found if isinstance(found, dict) else {}
    if "refused" in said:
        raise UserError(said["refused"])
    if "all" not in said:
        raise UserError(f"config.coordinator={address}: who answers there is no process 0 of this run, or it has ended")
    return peer


def _send(peer: socket.socket, message: dict[str, Any]) -> None:
    peer.sendall(json.dumps(message).encode() + b"\n")


def _received(file: Any) -> dict[str, Any]:
    """The next message; empty where there comes none any more."""
    try:
        found = json.loads(file.readline(65536) or b"{}")
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
