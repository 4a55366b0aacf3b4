"""A pod's metadata server, from which Google's libraries get an access token.

It answers as GKE's does for a Kubernetes service account without a Google one ("About GKE metadata
server" and "Predefined metadata keys" in Google Cloud's documentation), and hands out the pod's own
token for the cluster's workload identity pool.
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from local.api import ApiError
from local.storage.identity import AUDIENCE, PROJECT, PROJECT_NUMBER

if TYPE_CHECKING:
    from local.node.tokens import Tokens

__all__ = ["ADDRESS", "MetadataServer"]

ADDRESS = ("127.0.0.1", 988)
"""On each pod's loopback; GKE's has this port on the node."""
_ACCOUNT = "/computeMetadata/v1/instance/service-accounts/default"
_FLAVOR = "Metadata-Flavor"
_SECONDS = 3600


class MetadataServer:
    """Answers on connected sockets, one thread for each."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens

    def connect(self) -> socket.socket:
        """The client's end of a new connection."""
        client, served = socket.socketpair()
        threading.Thread(target=self._serve, args=(served,), name="metadata", daemon=True).start()
        return client

    def answer(self, path: str) -> tuple[int, str]:
        """Status and text for a path."""
        if path == f"{_ACCOUNT}/token":
            try:
                token, ends = self._tokens.get(AUDIENCE, _SECONDS)
            except ApiError as error:
                return 503, f"no token: {error}"
            left = max(0, int(ends - time.time()))
            found = {"access_token": token, "expires_in": left, "token_type": "Bearer"}
            return 200, json.dumps(found)
        # Without a Google service account the e-mail address is the pool's name.
        known = {
            "/": "computeMetadata/",
            "/computeMetadata/v1/project/project-id": PROJECT,
            "/computeMetadata/v1/project/numeric-project-id": str(PROJECT_NUMBER),
            f"{_ACCOUNT}/email": AUDIENCE,
            f"{_ACCOUNT}/": json.dumps(
                {
                    "aliases": ["default"],
                    "email": AUDIENCE,
                    "scopes": ["https://www.googleapis.com/auth/cloud-platform"],
                }
            ),
        }
        return (200, known[path]) if path in known else (404, "not found")

    def _serve(self, connection: socket.socket) -> None:
        answer = self.answer

        class Handler(BaseHTTPRequestHandler):
            timeout = 30.0

            def do_GET(self) -> None:
                path = urlsplit(self.path).path
                if self.headers.get(_FLAVOR) == "Google":
                    status, text = answer(path)
                else:
                    status, text = 403, f"a request needs the header {_FLAVOR}: Google"
                self.send_response_only(status)
                self.send_header(_FLAVOR, "Google")
                kind = "application/json" if text.startswith("{") else "application/text"
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text.encode())

        # The pod may end, or give up, at any time.
        with connection, contextlib.suppress(OSError):
            Handler(connection, ("pod", 0), None)  # type: ignore[arg-type]
