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
    from collections.abc import Callable

    from release.schema import Release
    from transformer.app import App
    from transformer.settings import Settings

__all__ = ["listen", "serve"]

# A client has the request's deadline and these seconds to send a request or to read an answer.
CLIENT_SECONDS = 5
# A worker tells the main process that its handler can't be set up.
FAILED = signal.SIGUSR1
# Writable even if the root file system is read-only.
SHARED_MEMORY = Path("/dev/shm")


def listen(port: int) -> socket.socket:
    """A listening socket on all addresses, IPv6 included where the machine has it."""
    dualstack = socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if dualstack else socket.AF_INET
    return socket.create_server(("", port), family=family, dualstack_ipv6=dualstack, backlog=2048)


def serve(settings: Settings, release: Release, listening: socket.socket) -> None:
    """Serve until SIGTERM. Exits with status 2 if the handler can't be set up."""
    config = uvicorn.Config(
        functools.partial(_create_app, settings, release, os.getpid()),
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
    failures: list[int] = []
    if settings.workers == 1:
        # uvicorn raises the signal again after its shutdown; the exit status must be 0.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: sys.exit(0))
        server = uvicorn.Server(config)
        _on_failure(failures, lambda: setattr(server, "should_exit", True))
        server.run([listening])
    else:
        _serve_with_workers(config, listening, failures)
    if failures:
        sys.exit(2)


def _serve_with_workers(
    config: uvicorn.Config, listening: socket.socket, failures: list[int]
) -> None:
    shared = tempfile.mkdtemp(dir=SHARED_MEMORY if os.access(SHARED_MEMORY, os.W_OK) else None)
    # prometheus_client reads it when a worker imports it.
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = shared
    supervisor = Multiprocess(config, [listening])
    _on_failure(failures, supervisor.should_exit.set)
    try:
        supervisor.run()
    finally:
        shutil.rmtree(shared, ignore_errors=True)


def _on_failure(failures: list[int], stop: Callable[[], None]) -> None:
    """Stop where a worker sends FAILED."""

    def handle(number: int, _: object) -> None:
        failures.append(number)
        stop()

    signal.signal(FAILED, handle)


def _create_app(settings: Settings, release: Release, main: int) -> App:
    # Imported in the workers only: the metrics need their shared directory at import.
    from transformer.app import create_app  # noqa: PLC0415

    def fail(message: str, trace: str | None) -> None:
        print(f"{trace or ''}transformer: {message}", file=sys.stderr, flush=True)
        os.kill(main, FAILED)

    return create_app(settings, release, fail)
