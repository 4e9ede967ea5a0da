"""A request to stop: SIGTERM or Ctrl-C, which long tasks look at between their pieces of work.

An exception raised by a signal handler is lost when the signal strikes inside a callback (JAX has one for the garbage
collector, see jax-ml/jax issue 18246, and there is `__del__`): it is printed as ignored, and the program runs on. Nor
does a handler run at all while the main thread is inside a compilation. So no handler here raises or works: it
and a thread that the interpreter's C handler wakes note the request, and

- the next `check()` of the main thread raises `Interrupted`, so that `finally` and `with` tidy up;
- where no `check()` comes within the time of grace (inside a compilation, say), the thread says the last words
  (`at_forced_end`: save what is complete, remove what is half-written) and ends the process;
- a second signal does the same at once.

The exit status is 128 + the signal's number: 143 after SIGTERM, 130 after Ctrl-C.
"""

import contextlib
import os
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from types import FrameType
from typing import NoReturn, TypeVar

Item = TypeVar("Item")

# What another process was asked for, this one ends with as if it had been asked too.
BY_ANOTHER_PROCESS = signal.SIGTERM

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
# Grace and last words together stay under the five seconds that a person or a scheduler is patient for.
_GRACE = 2.5
_LAST_WORDS_SECONDS = 1.5


class Interrupted(KeyboardInterrupt):
    """A stop was requested. Libraries let it pass as they do Ctrl-C.

    Attributes:
      signal_number: SIGTERM or SIGINT.
    """

    def __init__(self, signal_number: int):
        super().__init__(signal.Signals(signal_number).name)
        self.signal_number = signal_number


class _State:
    requested: int | None = None  # as the watching thread has seen it
    noted: int | None = None  # as the handler has: in the main thread, at once, however busy the machine is
    grace: float = _GRACE
    # In the order in which they were asked for; the last is said first. A dict has no duplicates and quick removal.
    last_words: dict[object, Callable[[], object]] = {}  # noqa: RUF012 (one state for the process)


def install() -> None:
    """Makes SIGTERM and SIGINT requests, from now on; call it once, in the main thread.

    A signal that the process was told to ignore (Ctrl-C in a shell's background job) stays ignored.
    """
    receiving, sending = socket.socketpair()
    sending.setblocking(False)
    signal.set_wakeup_fd(sending.fileno(), warn_on_full_buffer=False)
    for number in _SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _note)
    threading.Thread(target=_watch, args=(receiving, sending), name="interruption", daemon=True).start()


def requested() -> bool:
    """True if a stop was requested."""
    return _State.requested is not None or _State.noted is not None


def check() -> None:
    """Raises `Interrupted` if a stop was requested, `AbandonedError` if nobody waits: a place where work may end."""
    number = _State.noted if _State.requested is None else _State.requested
    if number is not None:
        raise Interrupted(number)
    tells = getattr(_work, "tells", None)
    if tells is not None and tells():
        raise AbandonedError


class AbandonedError(Exception):
    """Nobody waits any longer for the work of this thread."""


_work = threading.local()


@contextlib.contextmanager
def abandoned_when(tells: Callable[[], bool]) -> Iterator[None]:
    """Has `check` of this thread raise `AbandonedError` from when a function tells so, while the block runs."""
    _work.tells = tells
    try:
        yield
    finally:
        _work.tells = None


def interruptible(items: Iterable[Item]) -> Iterator[Item]:
    """The items, each after a `check`."""
    for item in items:
        check()
        yield item


@contextlib.contextmanager
def at_forced_end(last_words: Callable[[], object]) -> Iterator[None]:
    """Has a function called before the process is ended from outside the main thread, while the block runs.

    Args:
      last_words: quick and safe to call from another thread at any moment, as saving whole or not at all is.
    """
    key = object()
    _State.last_words[key] = last_words
    try:
        yield
    finally:
        del _State.last_words[key]


@contextlib.contextmanager
def grace(seconds: float) -> Iterator[None]:
    """Gives the block longer than usual to come to a `check`: where saving takes its time."""
    before, _State.grace = _State.grace, seconds
    try:
        yield
    finally:
        _State.grace = before


def quick() -> contextlib.AbstractContextManager[None]:
    """A block, within a longer `grace`, in which a stop waits for nothing: what counts is saved already."""
    return grace(_GRACE)


def end(signal_number: int) -> NoReturn:
    """Says that the program was interrupted and ends it, without waiting for what still computes in the background."""
    _say_and_exit(f"interrupted ({signal.Signals(signal_number).name}); complete results are kept", 128 + signal_number)


def end_now(line: str, status: int) -> NoReturn:
    """Ends the process from a thread beside the main one: last words first, then a line.

    Args:
      line: line to print.
      status: exit status.
    """
    _say_last_words()
    _say_and_exit(line, status)


def _say_and_exit(line: str, status: int) -> NoReturn:
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
    with contextlib.suppress(OSError, ValueError):
        print(line, file=sys.stderr, flush=True)
    os._exit(status)


def _note(signal_number: int, frame: FrameType | None) -> None:
    """The handler: no more than a note for `check`, which comes earlier than the thread where that has to wait."""
    _State.noted = signal_number


def _watch(receiving: socket.socket, sending: socket.socket) -> None:
    """Waits for signals. `sending` is held open for the interpreter, which knows its number only."""
    forced: float | None = None
    while True:
        left = None if forced is None else max(0.0, forced - time.monotonic())
        numbers = receiving.recv(64) if select.select([receiving], [], [], left)[0] else b""
        for number in numbers:
            if number not in _SIGNALS:
                continue
            if _State.requested is not None:
                _force(number)
            _State.requested = number
            forced = time.monotonic() + _State.grace
        if forced is not None and time.monotonic() >= forced:
            assert _State.requested is not None
            _force(_State.requested)


def _force(signal_number: int) -> NoReturn:
    """Ends the process from the watching thread."""
    _say_last_words()
    end(signal_number)


def _say_last_words() -> None:
    def say_all() -> None:
        for each in reversed(list(_State.last_words.values())):
            with contextlib.suppress(Exception):
                each()

    # In a thread of their own, lest a disk that does not answer keep the process alive.
    speaking = threading.Thread(target=say_all, daemon=True)
    speaking.start()
    speaking.join(_LAST_WORDS_SECONDS)
