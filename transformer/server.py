"""The HTTP server: one process. More replicas, not more processes, serve more requests."""

from __future__ import annotations

import functools
import signal
import socket
import sys
from typing import TYPE_CHECKING

import uvicorn

from transformer.app import App
from transformer.clients import Clients
from transformer.http_limits import KEEP_ALIVE_SECONDS, LimitedHttp

if TYPE_CHECKING:
    from release.schema import Release
    from transformer.settings import Settings

__all__ = ["listen", "serve"]

# A client has the request's deadline and these seconds to send a request or to read an answer.
CLIENT_SECONDS = 5
# How long a thread that reads a file in Python may hold the event loop up. With Python's default
# of 5 ms, the requests of others take twice as long meanwhile.
SWITCH_SECONDS = 0.001


def listen(port: int) -> socket.socket:
    """A listening socket on all addresses, IPv6 included where the machine has it."""
    dualstack = socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if dualstack else socket.AF_INET
    return socket.create_server(("", port), family=family, dualstack_ipv6=dualstack, backlog=2048)


def serve(settings: Settings, release: Release, listening: socket.socket) -> None:
    """Serve until SIGTERM. Exits with status 2 if the handler can't be set up."""
    failures: list[str] = []
    sys.setswitchinterval(SWITCH_SECONDS)
    clients = Clients()

    def fail(message: str, trace: str | None) -> None:
        print(f"{trace or ''}transformer: {message}", file=sys.stderr, flush=True)
        failures.append(message)
        server.should_exit = True

    config = uvicorn.Config(
        functools.partial(App, settings, release, fail, clients.answers),
        factory=True,
        http=functools.partial(
            LimitedHttp, clients=clients, client_seconds=settings.deadline + CLIENT_SECONDS
        ),
        loop="uvloop",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=int(settings.deadline) + 1,
    )
    # uvicorn raises the signal again after its shutdown; the exit status must be 0.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    server = uvicorn.Server(config)
    server.run([listening])
    if failures:
        sys.exit(2)
