"""One process at a time in a folder."""

import fcntl
import os

import pytest

from lowres_jax.errors import UserError
from lowres_jax.utils import files


def test_a_lock_that_is_taken_away_meanwhile_is_taken_anew(tmp_path, monkeypatch):
    lock, flock, taken = tmp_path / ".lock", fcntl.flock, []

    def late(file: object, how: int) -> None:
        taken.append(how)
        if len(taken) == 1:
            lock.unlink()  # by who had it, between opening and locking
        flock(file, how)  # type: ignore[call-overload]

    monkeypatch.setattr(fcntl, "flock", late)
    with files.locked(tmp_path):
        assert len(taken) == 2
        assert lock.read_text().startswith(f"{os.getpid()} of ")
        with pytest.raises(UserError, match=f"process {os.getpid()} of .* is at work in it"), files.locked(tmp_path):
            pass
        assert lock.exists()
    assert not lock.exists()
