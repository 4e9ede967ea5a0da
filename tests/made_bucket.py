"""Google's store in small, for gcsfs: one bucket that may be read ("open") and one that may not ("closed")."""

import contextlib
import http.server
import json
import threading
import urllib.parse
from collections.abc import Iterator

_CLOSED = {"error": {"code": 403, "message": "caller does not have storage.objects.list access"}}
_MISSING = {"error": {"code": 404, "message": "The specified bucket does not exist."}}


@contextlib.contextmanager
def served(objects: dict[str, bytes]) -> Iterator[str]:
    """Serves objects, name -> content; yields what STORAGE_EMULATOR_HOST is to be."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *said: object) -> None:
            pass

        def do_GET(self) -> None:
            address = urllib.parse.urlparse(self.path)
            query = urllib.parse.parse_qs(address.query)
            _, _, rest = address.path.partition("/b/")
            bucket, _, name = rest.partition("/o")
            name = urllib.parse.unquote(name.removeprefix("/"))
            if bucket != "open" or (name and name not in objects):
                self.answer(*((403, _CLOSED) if bucket == "closed" else (404, _MISSING)))
            elif name:
                self.answer(200, objects[name] if query.get("alt") == ["media"] else described(name))
            else:
                found = [each for each in sorted(objects) if each.startswith(query.get("prefix", [""])[0])]
                self.answer(200, {"kind": "storage#objects", "items": [described(each) for each in found]})

        def answer(self, status: int, said: dict | bytes) -> None:
            body = said if isinstance(said, bytes) else json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Type", "image/png" if isinstance(said, bytes) else "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def described(name: str) -> dict:
        size = str(len(objects[name]))
        facts = {"name": name, "bucket": "open", "size": size, "kind": "storage#object", "etag": f"{size}=="}
        return facts | {"updated": "2026-01-01T00:00:00Z", "timeCreated": "2026-01-01T00:00:00Z"}

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
