"""The frame of every program of the package: signals, errors and the exit status."""

import io
import os
import sys
import traceback
from collections.abc import Callable

from lowres_jax.errors import UserError
from lowres_jax.runtime import lifeline, signals


def run(program: Callable[[], object]) -> None:
    """Runs a program: bad input ends in one line and status 1, an interruption in status 130 (Ctrl-C) or 143 (SIGTERM).

    Args:
      program: the work; the signals are requests meanwhile (see `signals`).
    """
    signals.install()
    for stream in (sys.stdout, sys.stderr):
        # A file's name need not be text of the terminal's encoding.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        program()
    except UserError as error:
        # A collective operation, or a checkpoint, that another's death broke off.
        lifeline.await_verdict()
        if lifeline.fail(str(error)):
            signals.end_now(f"error: {error}", 1)
        sys.exit(f"error: {error}")
    except BrokenPipeError:
        # Who read the output has enough of it, as in "lowres-jax --help | head".
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except Exception as error:
        lifeline.await_verdict()
        if lifeline.fail(f"{type(error).__name__}, see what it says itself"):
            traceback.print_exc()
            signals.end_now("", 1)
        raise
    except signals.Interrupted as error:
        lifeline.fail("was asked to stop")
        signals.end(error.signal_number)
