"""The HTTP server: one process, or several that share a socket and their metrics."""

from __future__ import annotations

import functools
import os
import shutil
import signal
import socket
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import uvicorn
from uvicorn.supervisors import Multiprocess

from transformer.http_limits import KEEP_ALIVE_SECONDS, LimitedHttp

if TYPE_CHECKING:
    from release.schema import Release
    from transformer.app import App
    from transformer.settings import Settings

__all__ = ["listen", "serve"]

# A client has the request's deadline and these seconds to send a request or to read an answer.
CLIENT_SECONDS = 5
# Writable even if the root file system is read-only.
SHARED_MEMORY = Path("/dev/shm")


def listen(port: int) -> socket.socket:
    """A listening socket on all addresses, IPv6 included where the machine has it."""
    dualstack = socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if dualstack else socket.AF_INET
    return socket.create_server(("", port), family=family, dualstack_ipv6=dualstack, backlog=2048)


def serve(settings: Settings, release: Release, listening: socket.socket) -> None:
    """Serve until SIGTERM."""
    config = uvicorn.Config(
        functools.partial(_create_app, settings, release),
        factory=True,
        http=functools.partial(LimitedHttp, client_seconds=settings.deadline + CLIENT_SECONDS),
        loop="uvloop",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        workers=settings.workers,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=int(settings.deadline) + 1,
    )
    if settings.workers == 1:
        # uvicorn raises the signal again after its shutdown; the exit status must be 0.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: sys.exit(0))
        uvicorn.Server(config).run([listening])
        return
    shared = tempfile.mkdtemp(dir=SHARED_MEMORY if os.access(SHARED_MEMORY, os.W_OK) else None)
    # prometheus_client reads it when a worker imports it.
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = shared
    try:
        Multiprocess(config, [listening]).run()
    finally:
        shutil.rmtree(shared, ignore_errors=True)


def _create_app(settings: Settings, release: Release) -> App:
    # Imported in the workers only: the metrics need their shared directory at import.
    from transformer.app import create_app  # noqa: PLC0415

    return create_app(settings, release)
