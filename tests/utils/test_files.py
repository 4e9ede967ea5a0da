"""One process at a time in a folder."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lowres_jax.errors import UserError
from lowres_jax.utils import files

_LOCK = "import sys; from pathlib import Path; from lowres_jax.utils import files\n"
_LOCK += "with files.locked(Path(sys.argv[1])): print('locked', flush=True); sys.stdin.read()"


def test_who_has_a_folder_is_named_and_leaves_nothing_behind(tmp_path: Path) -> None:
    with files.locked(tmp_path):
        assert (tmp_path / ".lock").read_text().startswith(f"{os.getpid()} of ")
        with pytest.raises(UserError, match=f"process {os.getpid()} of .* is at work in it"), files.locked(tmp_path):
            pass
        assert (tmp_path / ".lock").exists()
    assert list(tmp_path.iterdir()) == []


def test_a_lock_ends_with_its_process_however_that_ends(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _LOCK, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "locked\n"
        with pytest.raises(UserError, match=f"process {process.pid} of "), files.locked(tmp_path):
            pass
        process.kill()
        process.wait()
        with files.locked(tmp_path):
            pass
