"""Opens a page in the browser that does what the terminal does, and the same as an API."""

import contextlib
import os
import secrets
import socket
import sys
import webbrowser
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ml_collections import ConfigDict

from lowres_jax import config_keys
from lowres_jax.errors import UserError
from lowres_jax.runtime import signals
from lowres_jax.settings.serve import KEYS

_SECONDS_TO_END = 2  # for answers that are on their way


def run(config: ConfigDict, workdir: Path) -> None:
    """Serves until it is stopped; nothing is written, `workdir` is not used.

    Raises:
      UserError: the extra "web" is not installed, the port is taken, or the gallery cannot be enrolled.
    """
    config_keys.check(config, KEYS)
    try:
        import python_multipart  # noqa: F401
        import uvicorn

        from lowres_jax.web import app as web
        from lowres_jax.web.engine import Engine
        from lowres_jax.web.guard import is_loopback
    except ImportError as error:
        raise UserError(f"{error.name} is not installed; run: pip install 'lowres-jax[web]'") from error

    class Server(uvicorn.Server):
        """Ends as every task here does: see `signals`."""

        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield

        async def on_tick(self, counter: int) -> bool:
            self.should_exit = self.should_exit or signals.requested()
            return await super().on_tick(counter)

    listening = _listening(config)
    local = is_loopback(config.host)
    path = (config.path or "").rstrip("/")
    if path and not path.startswith("/"):
        raise UserError(f"config.path={config.path}: begins with /, as /faces")
    token = config.token or (None if local and not config.hosts else secrets.token_urlsafe(16))
    port = listening.getsockname()[1]
    shown = f"[{config.host}]" if ":" in config.host else config.host
    own = {shown, "localhost", "127.0.0.1", "[::1]", *config.hosts}
    hosts = frozenset(own) if local or config.hosts else None
    engine = Engine(config)
    print("compiling ...", flush=True)
    engine.warm_up()
    guard = web.make_app(engine, config, hosts, token)
    address = f"http://{shown}:{port}{path}/" + (f"?token={quote(token, safe='')}" if token else "")
    if engine.known:
        print(f"{engine.known} people enrolled of {config.gallery}")
    if not local:
        print("Other machines can ask too, over a connection that is not encrypted: use it in networks that you trust.")
    for name in config.hosts:
        said = f"?token={quote(token, safe='')}" if token else ""
        print(f"by the proxy: https://{name}{path}/{said}")
    print(f"{address} (Ctrl-C ends it)", flush=True)
    if config.open and (sys.platform == "darwin" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        webbrowser.open(address)
    settings: Any = {"log_level": "warning", "server_header": False, "timeout_graceful_shutdown": _SECONDS_TO_END}
    try:
        Server(uvicorn.Config(guard, lifespan="off", **settings)).run([listening])
    finally:
        web.close(guard.inner)
    signals.check()


def _listening(config: ConfigDict) -> socket.socket:
    """A socket at the address.

    Raises:
      UserError: another program has it, or there is no such address.
    """
    try:
        family, _, _, _, place = socket.getaddrinfo(config.host, config.port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(place[:2], family=family)
    except OSError as error:
        raise UserError(
            f"config.host={config.host} config.port={config.port}: cannot be listened at "
            f"({os.strerror(error.errno) if error.errno and error.errno > 0 else error}); "
            "--config.port=0 takes a free one"
        ) from error
