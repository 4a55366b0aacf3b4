"""Serves containers' logs to the API server, for `kubectl logs`."""

from __future__ import annotations

import ssl
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["Log", "LogServer", "tail"]

_BLOCK = 1 << 16
_CLIENT = "kube-apiserver"


@dataclass(frozen=True)
class Log:
    """The log of a container's current run, and of the one before."""

    path: Path
    is_running: Callable[[], bool]

    @property
    def previous(self) -> Path:
        return self.path.with_name(f"{self.path.stem}.previous.log")


def tail(path: Path, lines: int | None, limit: int | None = None) -> bytes:
    """The last lines of a log, or all of them; at most `limit` bytes of these."""
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
    """Answers `/containerLogs/NAMESPACE/POD/CONTAINER`, to the API server only."""

    def __init__(self, find: Callable[[str, str, str], Log | None], certificates: Path) -> None:
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
    find: Callable[[str, str, str], Log | None]
    timeout = 30

    def log_message(self, *_: object) -> None:
        """Requests are in the API server's own log."""

    def do_GET(self) -> None:
        peer = self.connection.getpeercert() or {}
        names = [
            value for part in peer.get("subject", ()) for key, value in part if key == "commonName"
        ]
        if _CLIENT not in names:
            self.send_error(403, "only the API server has access")
            return
        parts = urlsplit(self.path)
        kind, *names = parts.path.strip("/").split("/")
        log = self.find(*names) if kind == "containerLogs" and len(names) == 3 else None
        if log is None:
            self.send_error(404, f"no such log: {parts.path}")
            return
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        self._send(log, query)

    def _send(self, log: Log, query: dict[str, str]) -> None:
        path = log.previous if query.get("previous") == "true" else log.path
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
                for more in _growth(log, place):
                    self.wfile.write(more)
                    self.wfile.flush()
        except OSError:  # The reader has closed the connection.
            return


def _growth(log: Log, place: int) -> Iterator[bytes]:
    """What is written to a log while its container runs."""
    while log.path.exists():
        running = log.is_running()
        with log.path.open("rb") as file:
            file.seek(place)
            data = file.read(_BLOCK)
        place += len(data)
        yield data
        if not data:
            if not running:
                return
            time.sleep(0.2)
