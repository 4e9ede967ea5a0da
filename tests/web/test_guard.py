"""Guard of the server: hosts, origins, tokens, sizes, headers, a full queue, and senders who go away.

Covers `web/app.py`, `web/line.py` too.
"""

import asyncio
import errno
import io
import os
import re
import signal
import tempfile
import threading
import time
import zipfile
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from lowres_jax import config_keys
from lowres_jax.errors import UserError
from lowres_jax.runtime import signals
from lowres_jax.settings.serve import KEYS
from lowres_jax.web.app import make_app
from lowres_jax.web.guard import HEADERS, is_loopback
from lowres_jax.web.line import FullError, Line

LOCAL = frozenset({"127.0.0.1", "localhost"})


class Stub:
    """An engine that tells what it was given."""

    known = 0
    models = ("identity",)

    def enhance(self, picture: Any, large: bool, model: str) -> dict[str, Any]:
        if picture.content == b"bad":
            raise UserError(f"{picture.name}: no picture")
        if picture.content == b"stopped":  # SIGTERM, while it is worked on
            raise signals.Interrupted(signal.SIGTERM)
        return {"bytes": len(picture.content), "large": large}

    def identify(self, picture: Any, known: list[Any]) -> dict[str, Any]:
        return {"known": [each.name for each in known]}


def client(hosts: frozenset[str] | None = LOCAL, token: str | None = None, **changes: object) -> TestClient:
    config = config_keys.new(KEYS, "serve")
    config.update(changes)
    return TestClient(make_app(Stub(), config, hosts, token), base_url="http://127.0.0.1:8765")  # type: ignore[arg-type]


def upload(content: bytes = b"a picture", name: str = "a.png") -> dict[str, Any]:
    return {"picture": (name, content)}


def test_a_stop_while_something_is_worked_on_is_an_answer() -> None:
    answer = client().post("/enhance", files=upload(b"stopped"))
    assert (answer.status_code, answer.json()) == (503, {"detail": "the server was stopped"})


def test_every_answer_has_the_headers() -> None:
    asked = client()
    for answer in (
        asked.get("/"),
        asked.get("/page.js"),
        asked.get("/nowhere"),
        asked.post("/enhance", files=upload()),
        asked.post("/enhance", files=upload(b"bad")),
        asked.get("/", headers={"host": "evil.example"}),
    ):
        assert {name: answer.headers[name] for name in HEADERS} == HEADERS
    policy = HEADERS["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'")
    assert "unsafe" not in policy


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"host": "localhost:8765"}, 200),
        ({"host": "rebound.example:8765"}, 403),
        ({"host": ""}, 403),
        ({"origin": "http://127.0.0.1:8765"}, 200),
        ({"origin": "http://127.0.0.1:9999"}, 403),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"sec-fetch-site": "same-origin"}, 200),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
    ],
)
def test_who_may_ask(headers: dict[str, str], status: int) -> None:
    assert client().post("/enhance", files=upload(), headers=headers).status_code == status


def test_the_token() -> None:
    asked = client(hosts=None, token="secret")
    assert asked.get("/state").status_code == 401
    assert asked.get("/state?token=secret").status_code == 401  # addresses end up in logs: the first page only
    assert asked.get("/?token=wrong").status_code == 401
    assert asked.get("/state", headers={"authorization": "Bearer secret"}).status_code == 200
    assert asked.get("/state", headers={"authorization": "Bearer sécret".encode()}).status_code == 401
    answer = asked.get("/?token=secret", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert re.fullmatch(
        r"lowres_jax_[0-9a-f]{8}=[0-9a-f]{64}; HttpOnly; SameSite=Lax; Path=/", answer.headers["set-cookie"]
    )
    assert asked.get("/state").status_code == 200  # by the cookie
    # Nobody gets another cookie set by an address.
    forged = asked.get("/?token=other%0d%0aset-cookie:x=y", follow_redirects=False)
    assert "set-cookie" not in forged.headers


LINK = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}


def test_a_link_of_a_mail_opens_the_page() -> None:
    assert client().get("/", headers=LINK).status_code == 200
    # Only the page, and only to look at: what it does is asked for by itself.
    assert client().get("/state", headers=LINK).status_code == 403
    assert client().post("/enhance", files=upload(), headers=LINK).status_code == 403
    asked = client(hosts=None, token="secret")
    assert asked.get("/?token=secret", headers=LINK, follow_redirects=False).status_code == 303
    assert asked.get("/", headers=LINK).status_code == 200


@pytest.mark.parametrize("token", ["plain", 'a b;c,d=e"f', "ä&ö?#/%41+", "東京"])
def test_tokens_of_any_characters(token: str) -> None:
    asked = client(hosts=None, token=token)
    # As the address is printed.
    assert asked.get(f"/?token={quote(token, safe='')}", follow_redirects=False).status_code == 303
    assert asked.get("/state").status_code == 200
    bearer = client(hosts=None, token=token)
    assert bearer.get("/state", headers={"authorization": b"Bearer " + token.encode()}).status_code == 200


def test_two_servers_of_one_host_do_not_log_each_other_out() -> None:
    """Cookies know no ports: a browser sends both to both."""
    one, other = (client(hosts=None, token=token) for token in ("one", "other"))
    jar = [
        asked.get(f"/?token={token}", follow_redirects=False).headers["set-cookie"].partition(";")[0]
        for asked, token in ((one, "one"), (other, "other"))
    ]
    for asked in (client(hosts=None, token="one"), client(hosts=None, token="other")):
        assert asked.get("/state", headers={"cookie": "; ".join(jar)}).status_code == 200
    assert client(hosts=None, token="third").get("/state", headers={"cookie": "; ".join(jar)}).status_code == 401


def test_behind_a_proxy_with_another_name() -> None:
    """The browser's origin is the proxy's; the Host is that, or the server's own where the proxy changes it."""
    hosts = frozenset({"127.0.0.1", "faces.example.org"})
    asked = client(hosts=hosts, token="secret")
    key = {"authorization": "Bearer secret"}
    for host in ("faces.example.org", "127.0.0.1:8765"):
        for origin, status in (("https://faces.example.org", 200), ("https://evil.example", 403)):
            headers = {"host": host, "origin": origin, **key}
            assert asked.post("/enhance", files=upload(), headers=headers).status_code == status
    assert asked.get("/", headers={"host": "other.example.org", **key}).status_code == 403


@pytest.mark.parametrize("stripped", [True, False])
def test_below_a_path(stripped: bool) -> None:
    """True if the proxy takes the path away or leaves it; the page's own addresses are relative."""
    asked = client(hosts=LOCAL, token="secret", path="/faces")
    before = "" if stripped else "/faces"
    answer = asked.get(f"{before}/?token=secret", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/faces/")
    assert asked.get(f"{before}/").status_code == 200
    assert asked.get(f"{before}/page.js").status_code == 200
    assert asked.post(f"{before}/enhance", files=upload()).status_code == 200
    assert asked.get("/facesother").status_code == 404
    static = Path(__file__).parents[2] / "lowres_jax" / "web" / "static"
    assert not re.search(r"""(?:src|href)=["']/|ask\([`"']/""", (static / "index.html").read_text())
    assert not re.search(r"""ask\([`"']/""", (static / "page.js").read_text())


def test_no_path_of_the_server() -> None:
    asked = client()
    for path in (
        "/../app.py",
        "/%2e%2e/app.py",
        "/..%2fapp.py",
        "/static/../../app.py",
        "//etc/passwd",
        "/jobs/..%2f..",
    ):
        answer = asked.get(path)
        assert answer.status_code == 404, path
        assert "FastAPI" not in answer.text


def test_no_page_of_documentation_but_a_description() -> None:
    asked = client()
    assert asked.get("/docs").status_code == 404
    paths = asked.get("/openapi.json").json()["paths"]
    assert set(paths) == {
        "/state",
        "/example",
        "/enhance",
        "/faces",
        "/people",
        "/jobs/{job_id}/tracks",
        "/identify",
        "/compare",
        "/clip",
        "/jobs",
        "/jobs/{job_id}",
        "/jobs/{job_id}/result",
    }


def test_too_large() -> None:
    asked = client(most_megabytes=1)
    assert asked.post("/enhance", files=upload(b"x" * 900_000)).json() == {"bytes": 900_000, "large": False}
    answer = asked.post("/enhance", files=upload(b"x" * 1_100_000))
    assert (answer.status_code, answer.json()) == (413, {"detail": "over the 1 MB that are taken"})

    def chunks(count: int) -> Any:
        yield b'--b\r\nContent-Disposition: form-data; name="picture"; filename="a.png"\r\n\r\n'
        for _ in range(count):
            yield b"x" * 100_000
        yield b"\r\n--b--\r\n"

    # No length is announced: it is counted.
    headers = {"content-type": "multipart/form-data; boundary=b"}
    answer = asked.post("/enhance", content=chunks(9), headers=headers)
    assert answer.json() == {"bytes": 900_000, "large": False}
    answer = asked.post("/enhance", content=chunks(11), headers=headers)
    assert (answer.status_code, answer.json()) == (413, {"detail": "over the 1 MB that are taken"})
    assert asked.post("/enhance", files=upload(), headers={"content-length": "many"}).status_code in (400, 413)


def test_refusals_are_one_line() -> None:
    asked = client(most_known=2)
    answer = asked.post("/enhance", files=upload(b"bad", "me.png"))
    assert (answer.status_code, answer.json()) == (422, {"detail": "me.png: no picture"})
    answer = asked.post("/enhance")
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith("missing or wrong: picture; ")
    files = [("picture", ("a.png", b"a")), *(("known", (f"{n}/a.png", b"a")) for n in range(3))]
    answer = asked.post("/identify", files=files)
    assert (answer.status_code, answer.json()["detail"]) == (413, "3 pictures of known people, over the 2 taken")
    assert asked.post("/identify", files=files[:3]).json() == {"known": ["0/a.png", "1/a.png"]}
    assert asked.get("/jobs/unknown").status_code == 404
    assert asked.delete("/jobs/unknown").status_code == 404
    for name, content in (("archive", b"no zip"), ("clip", b"no clip")):
        address = {"archive": "/compare", "clip": "/clip"}[name]
        answer = asked.post(address, files={name: ("x.mp4", content)})
        assert answer.status_code == 422
        assert "cannot be read" in answer.json()["detail"]
        assert "/tmp" not in answer.text


def test_an_archive_that_unpacks_to_too_much() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/1.png", b"0" * 3_000_000)
    answer = client().post("/compare", files={"archive": ("x.zip", file.getvalue())})
    assert (answer.status_code, "unpacks to too much" in answer.json()["detail"]) == (422, True)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("../../outside/1.png", b"x")
        archive.writestr("alone.png", b"x")
    answer = client().post("/compare", files={"archive": ("x.zip", file.getvalue())})
    assert answer.json()["detail"] == "the archive has no pictures in folders: it needs a folder a person"


def test_more_files_than_are_allowed() -> None:
    files = [("picture", ("a.png", b"a")), *(("known", (f"{n}/a.png", b"a")) for n in range(1100))]
    answer = client(most_known=500).post("/identify", files=files)
    assert (answer.status_code, answer.json()) == (
        413,
        {"detail": "more files than the 500 pictures of known people that are taken"},
    )


METHODS = {
    "stored": zipfile.ZIP_STORED,
    "deflated": zipfile.ZIP_DEFLATED,
    "bzip2": zipfile.ZIP_BZIP2,
    "lzma": zipfile.ZIP_LZMA,
}


@pytest.mark.parametrize("method", METHODS)
def test_damaged_archives_of_every_method(method: str) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", METHODS[method]) as archive:
        for number in range(4):
            archive.writestr(f"anna/{number}.png", np.random.default_rng(number).bytes(700))
    whole, generator, asked = file.getvalue(), np.random.default_rng(0), client()
    for _ in range(25):
        content = bytearray(whole)
        for place in generator.integers(0, len(content), 20):
            content[place] = generator.integers(0, 256)
        answer = asked.post("/compare", files={"archive": ("x.zip", bytes(content))})
        assert answer.status_code == 422
        assert "\n" not in answer.json()["detail"]
    cut = asked.post("/compare", files={"archive": ("x.zip", whole[: len(whole) // 2])})
    assert (cut.status_code, cut.json()["detail"][:30]) == (422, "the archive cannot be read (Fi")


def test_a_full_disk_is_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: object, **named: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        picture = io.BytesIO()
        Image.new("RGB", (8, 8)).save(picture, "PNG")
        archive.writestr("anna/1.png", picture.getvalue())
    said = {"detail": "the server's disk cannot take it (No space left on device)"}
    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_bytes", full)
        answer = client().post("/compare", files={"archive": ("x.zip", file.getvalue())})
        assert (answer.status_code, answer.json()) == (507, said)
    # While the upload itself is written to the disk.
    monkeypatch.setattr(tempfile.SpooledTemporaryFile, "rollover", full)
    answer = client().post("/enhance", files=upload(b"x" * 2_000_000))
    assert (answer.status_code, answer.json()) == (507, said)


def test_no_other_way_to_talk_to_it() -> None:
    with pytest.raises(WebSocketDisconnect), client().websocket_connect("/state"):
        pass


def test_a_line_that_is_full() -> None:
    async def meet() -> None:
        line, begin, end = Line(waiting=1), threading.Event(), threading.Event()

        def slow() -> str:
            begin.set()
            assert end.wait(30)
            return "done"

        async def here() -> bool:
            return False

        async def away() -> bool:
            return True

        first = asyncio.create_task(line.run(slow, here))
        await asyncio.to_thread(begin.wait, 30)
        ran = []
        left = asyncio.create_task(line.run(lambda: ran.append("left"), away))
        await asyncio.sleep(0)
        with pytest.raises(FullError):
            await line.run(lambda: None, here)
        # Who has gone makes room, and what it asked for is never begun.
        assert await left is None
        last = asyncio.create_task(line.run(lambda: ran.append("last"), here))
        await asyncio.sleep(0)
        end.set()
        assert await first == "done"
        await last
        assert ran == ["last"]
        line.close()

    asyncio.run(meet())


def test_work_ends_when_nobody_waits_for_it() -> None:
    async def meet() -> None:
        line, begun, ended = Line(waiting=1), threading.Event(), threading.Event()

        def endless() -> None:
            begun.set()
            try:
                while True:
                    signals.check()
                    time.sleep(0.001)
            finally:
                ended.set()

        async def gone() -> bool:
            return begun.is_set()

        async def here() -> bool:
            return False

        assert await line.run(endless, gone) is None
        assert await asyncio.to_thread(ended.wait, 30)
        # The next one is worked on, and is not taken for abandoned.
        assert await line.run(lambda: signals.check() or "done", here) == "done"
        line.close()

    asyncio.run(meet())


@pytest.mark.parametrize(
    ("host", "own"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("::", False)],
)
def test_this_machine_s_own_addresses(host: str, own: bool) -> None:
    assert is_loopback(host) is own


def test_the_page_asks_nobody_else() -> None:
    static = Path(__file__).parents[2] / "lowres_jax" / "web" / "static"
    for file in static.iterdir():
        assert "http://" not in file.read_text()
        assert "https://" not in file.read_text()
