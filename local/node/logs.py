"""Containers' logs for the API server, over TLS: what `kubectl logs` reads."""

from __future__ import annotations

import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["LogServer", "tail"]

_BLOCK = 1 << 16
_CLIENT = "kube-apiserver"


def tail(path: Path, lines: int | None, limit: int | None = None) -> bytes:
    """The last lines of a log, or all of it; at most so many bytes from there."""
    if not path.exists():
        return b""
    with path.open("rb") as file:
        end = file.seek(0, 2)
        data, start = b"", end
        while start and (lines is None or data.count(b"\n") <= lines):
            step = min(_BLOCK, start)
            start -= step
            file.seek(start)
            data = file.read(step) + data
    if lines is not None:
        data = b"".join(data.splitlines(keepends=True)[-lines:]) if lines else b""
    return data if limit is None else data[:limit]


class LogServer:
    """Answers `/containerLogs/NAMESPACE/POD/CONTAINER` to the API server, and nobody else."""

    def __init__(self, find: Callable[[str, str], Path | None], certificates: Path) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificates / "node.crt", certificates / "node.key")
        context.load_verify_locations(certificates / "ca.crt")
        context.verify_mode = ssl.CERT_REQUIRED
        handler = type("Handler", (_Handler,), {"find": staticmethod(find)})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._server.socket = context.wrap_socket(
            self._server.socket, server_side=True, do_handshake_on_connect=False
        )
        threading.Thread(target=self._server.serve_forever, name="logs", daemon=True).start()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])


class _Handler(BaseHTTPRequestHandler):
    find: Callable[[str, str], Path | None]
    timeout = 30

    def log_message(self, *_: object) -> None:
        """The API server's own log has it."""

    def do_GET(self) -> None:
        peer = self.connection.getpeercert() or {}
        names = [
            value for part in peer.get("subject", ()) for key, value in part if key == "commonName"
        ]
        if _CLIENT not in names:
            self.send_error(403, "only the API server may ask")
            return
        parts = urlsplit(self.path)
        words = parts.path.strip("/").split("/")
        folder = (
            self.find(words[1], words[2])
            if words[0] == "containerLogs" and len(words) == 4
            else None
        )
        if folder is None:
            self.send_error(404, f"no such log: {parts.path}")
            return
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        name = f"{words[3]}.previous.log" if query.get("previous") == "true" else f"{words[3]}.log"
        self._send(folder / name, query)

    def _send(self, path: Path, query: dict[str, str]) -> None:
        lines = int(query["tailLines"]) if "tailLines" in query else None
        limit = int(query["limitBytes"]) if "limitBytes" in query else None
        follow = query.get("follow") == "true"
        place = path.stat().st_size if follow and path.exists() else 0
        data = tail(path, lines, limit)
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        if not follow:
            self.send_header("Content-Length", str(len(data)))
        self.send_header("Connection", "close")
        self.end_headers()
        try:
            self.wfile.write(data)
            if follow:
                for more in _growth(path, place):
                    self.wfile.write(more)
                    self.wfile.flush()
        except OSError:  # The reader has seen enough.
            return


def _growth(path: Path, place: int) -> Iterator[bytes]:
    """What is added to a log, until it is gone."""
    while path.exists():
        with path.open("rb") as file:
            file.seek(place)
            data = file.read(_BLOCK)
        place += len(data)
        # Something now and then, so that a reader's leaving is noticed.
        yield data
        if not data:
            time.sleep(0.2)
