"""Programs that send themselves a signal at a certain moment: an event, not a time, so that no load changes a test."""

import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]

_PROGRAM = """
import gc, importlib, os, runpy, signal, sys
# A shell's background job, as tests may be, ignores Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)
program, place, calls, number, collecting, *arguments = sys.argv[1:]
module, _, path = place.partition(":")
*owners, name = path.split(".")
owner = importlib.import_module(module)
for each in owners:
    owner = getattr(owner, each)
original, calls, number = getattr(owner, name), int(calls), int(number)
seen = []

def in_callback(phase, info):
    if len(seen) >= calls and not sent:
        sent.append(True)
        os.kill(os.getpid(), number)

def wrapper(*positional, **named):
    seen.append(True)
    if len(seen) == calls:
        gc.collect() if collecting == "yes" else os.kill(os.getpid(), number)
    return original(*positional, **named)

sent = []
setattr(owner, name, wrapper)
if collecting == "yes":
    # Before JAX's own callback, so that a handler that raises would do so inside it.
    gc.callbacks.insert(0, in_callback)
    gc.set_threshold(100)
sys.argv = [program, *arguments]
runpy.run_module(program, run_name="__main__", alter_sys=True)
"""


@dataclass(frozen=True)
class Ended:
    """End of the program: exit code and output."""

    status: int
    output: str
    error: str


def run_signalled(
    *arguments: str,
    place: str,
    calls: int = 1,
    signal_number: signal.Signals = signal.SIGTERM,
    collecting: bool = False,
    program: str = "lowres_jax.main",
) -> Ended:
    """Runs a program that signals itself when a function is called.

    Args:
      arguments: arguments of the program.
      place: the function, as "package.module:name" or "package.module:Class.name".
      calls: at which call of it.
      signal_number: number of the signal.
      collecting: send it inside a callback of the garbage collector, which is made to run all the time.
      program: module to run.
    """
    command = [sys.executable, "-c", _PROGRAM, program, place, str(calls), str(int(signal_number))]
    process = subprocess.run(
        [*command, "yes" if collecting else "no", *arguments], capture_output=True, text=True, cwd=ROOT, timeout=300
    )
    return Ended(process.returncode, process.stdout, process.stderr)
