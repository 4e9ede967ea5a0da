"""`serve` as a command: what keeps it from starting, and how it ends."""

import re
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from lowres_jax import config_keys
from lowres_jax.errors import UserError
from lowres_jax.settings.serve import KEYS
from lowres_jax.tasks import serve


def test_a_busy_port(tmp_path: Path) -> None:
    config = config_keys.new(KEYS, "serve")
    with socket.create_server(("127.0.0.1", 0)) as other:
        config.port = other.getsockname()[1]
        with pytest.raises(
            UserError, match=rf"config\.port={config.port}: cannot be listened at \(Address already in use\)"
        ):
            serve.run(config, tmp_path)
    config.host = "203.0.113.7"
    with pytest.raises(UserError, match=r"config\.host=203\.0\.113\.7 .*: cannot be listened at"):
        serve.run(config, tmp_path)


def test_a_missing_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(UserError, match=r"uvicorn is not installed; run: pip install 'lowres-jax\[web\]'"):
        serve.run(config_keys.new(KEYS, "serve"), tmp_path)


@pytest.mark.whole
@pytest.mark.slow
def test_it_asks_others_for_the_token_and_ends_when_told(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "lowres_jax.main", "--config=serve"]
    flags = ["--config.host=0.0.0.0", "--config.port=0", "--config.open=false"]
    server = subprocess.Popen(
        [*command, *flags], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert server.stdout is not None
    said = ""
    for line in server.stdout:
        said += line
        if "Ctrl-C ends it" in line:
            break
    found = re.search(r"http://0\.0\.0\.0:(\d+)/\?token=(\S+)", said)
    assert found, said
    assert "not encrypted" in said
    request = urllib.request.Request(
        f"http://127.0.0.1:{found[1]}/state", headers={"Authorization": f"Bearer {found[2]}"}
    )
    assert b'"known":0' in urllib.request.urlopen(request, timeout=120).read()
    server.send_signal(signal.SIGTERM)
    _, errors = server.communicate(timeout=120)
    assert server.returncode == 143
    assert errors.endswith("interrupted (SIGTERM); complete results are kept\n")
    assert "Traceback" not in errors
    assert list(tmp_path.iterdir()) == []
