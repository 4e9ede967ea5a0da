"""Guard of the server: who may ask, and how much, before a request is read.

Headers are those of the OWASP Secure Headers Project.
"""

import contextlib
import hashlib
import hmac
import ipaddress
import json
from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; "
    "connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS: Mapping[str, str] = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-embedder-policy": "require-corp",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
    "x-permitted-cross-domain-policies": "none",
    "cache-control": "no-store",
}


_LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})


class TooLargeError(Exception):
    """A request has more bytes than are taken."""


class Guard:
    """Lets through who may ask; every answer gets the headers.

    Attributes:
      inner: the application behind it.
    """

    def __init__(self, app: ASGIApp, hosts: frozenset[str] | None, token: str | None, most_bytes: int, path: str = ""):
        """Stands before an application.

        Args:
          app: the application.
          hosts: names, without port, by which it may be asked: others are a foreign page's trick (DNS rebinding); None:
            any, for who has the token.
          token: token that everybody has to give; None: none.
          most_bytes: largest size of a request.
          path: prefix that a proxy puts before every path, as "/faces"; "" for none.
        """
        self.inner = app
        self._hosts, self._token, self._most, self._path = hosts, token, most_bytes, path.rstrip("/")
        # Cookies know no ports: two servers of one host have two names. No character of the token is in it.
        digest = hashlib.sha256((token or "").encode()).hexdigest()
        self.cookie = f"lowres_jax_{digest[:8]}"
        self._cookie_value = hashlib.sha256(f"cookie {digest}".encode()).hexdigest()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http":  # nobody talks to it otherwise
            await send({"type": "websocket.close", "code": 1003})
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        if self._path and (scope["path"] + "/").startswith(f"{self._path}/"):
            scope = {**scope, "path": scope["path"].removeprefix(self._path) or "/", "root_path": ""}
        begun = False

        async def guarded(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                own = {name for name, _ in message["headers"]}
                message["headers"] = [
                    *message["headers"],
                    *((n.encode(), v.encode()) for n, v in HEADERS.items() if n.encode() not in own),
                ]
            await send(message)

        if refusal := self._refusal(scope, headers):
            await _answer(guarded, *refusal)
            return
        if (
            self._token
            and scope["path"] == "/"
            and hmac.compare_digest(_query_token(scope).encode(), self._token.encode())
        ):
            # Lax: who comes by a link of a mail or a chat has it too; what changes anything asks for the own origin.
            cookie = f"{self.cookie}={self._cookie_value}; HttpOnly; SameSite=Lax; Path=/"
            await _answer(guarded, 303, "", {"location": f"{self._path}/", "set-cookie": cookie})
            return
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > self._most:
            await _answer(guarded, 413, f"over the {self._most / 1e6:.0f} MB that are taken")
            return
        left = self._most

        async def limited() -> Message:
            nonlocal left
            message = await receive()
            left -= len(message.get("body", b""))
            if left < 0:
                raise TooLargeError
            return message

        async def within(message: Message) -> None:
            # What the application makes of a body that broke off is not the reason.
            if left >= 0 or begun:
                await guarded(message)

        with contextlib.suppress(TooLargeError):
            await self.inner(scope, limited, within)
        if left < 0 and not begun:
            await _answer(guarded, 413, f"over the {self._most / 1e6:.0f} MB that are taken")

    def _refusal(self, scope: Scope, headers: Mapping[str, str]) -> tuple[int, str] | None:
        """Status and reason for who may not ask."""
        host = headers.get("host", "")
        if self._hosts is not None and _without_port(host) not in self._hosts:
            return 403, "asked under another name than its own"
        origin = headers.get("origin")
        if origin is not None and not self._is_own(origin.partition("://")[2], host):
            return 403, "asked by a page of another origin"
        # A link that leads here is followed; a foreign page may ask for nothing itself.
        followed = headers.get("sec-fetch-mode") == "navigate" and (scope["method"], scope["path"]) == ("GET", "/")
        if headers.get("sec-fetch-site", "none") not in ("same-origin", "none") and not followed:
            return 403, "asked by a page of another origin"
        if self._token and not self._is_given(scope, headers):
            return 401, "the token is missing or wrong: open the address that was said at the start, with ?token="
        return None

    def _is_own(self, origin: str, host: str) -> bool:
        """True if a page of an origin, as "host:port", is this server's: a proxy may ask under another name than it."""
        return origin == host or (self._hosts is not None and _without_port(origin) in self._hosts - _LOOPBACK)

    def _is_given(self, scope: Scope, headers: Mapping[str, str]) -> bool:
        assert self._token is not None
        scheme, _, bearer = headers.get("authorization", "").partition(" ")
        # A header's bytes come as Latin-1, whatever was meant.
        given = [bearer.encode("latin-1")] if scheme.lower() == "bearer" else []
        if scope["path"] == "/":
            given.append(_query_token(scope).encode())
        if any(hmac.compare_digest(each, self._token.encode()) for each in given):
            return True
        try:
            cookie = SimpleCookie(headers.get("cookie", "")).get(self.cookie)
        except CookieError:
            return False
        return cookie is not None and hmac.compare_digest(cookie.value.encode(), self._cookie_value.encode())


def is_loopback(host: str) -> bool:
    """True if an address is this machine's own."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _query_token(scope: Scope) -> str:
    return parse_qs(scope.get("query_string", b"").decode("latin-1")).get("token", [""])[0]


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0]


async def _answer(send: Send, status: int, detail: str, headers: Mapping[str, str] | None = None) -> None:
    content = json.dumps({"detail": detail}).encode() if detail else b""
    own = {"content-type": "application/json", "content-length": str(len(content)), **(headers or {})}
    encoded = [(name.encode(), value.encode("latin-1")) for name, value in own.items()]
    await send({"type": "http.response.start", "status": status, "headers": encoded})
    await send({"type": "http.response.body", "body": content})
