"""The server: a process, or several that share its socket and their metrics."""

from __future__ import annotations

import functools
import gc
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

from transformer.front import Front

if TYPE_CHECKING:
    from transformer.settings import Settings

__all__ = ["listen", "serve"]

# Longer than proxies keep idle connections, so that it's they who close them.
KEEP_ALIVE_SECONDS = 120
# New objects before a collection; Python's own 700 comes with every other request.
GARBAGE = 20_000
# Writable also where the root file system is read-only.
SHARED_MEMORY = Path("/dev/shm")


def serve(given: Settings, listening: socket.socket) -> None:
    """Until SIGTERM."""
    config = uvicorn.Config(
        functools.partial(_app, given),
        factory=True,
        http=Front,
        loop="uvloop",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        workers=given.workers,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=int(given.deadline) + 1,
    )
    if given.workers == 1:
        # uvicorn raises the signal again once it has shut down, which is a good end.
        for stop in (signal.SIGTERM, signal.SIGINT):
            signal.signal(stop, lambda *_: sys.exit(0))
        uvicorn.Server(config).run([listening])
        return
    shared = tempfile.mkdtemp(dir=SHARED_MEMORY if os.access(SHARED_MEMORY, os.W_OK) else None)
    # Read by prometheus_client when a worker imports it.
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = shared
    try:
        Multiprocess(config, [listening]).run()
    finally:
        shutil.rmtree(shared, ignore_errors=True)


def _app(given: Settings) -> object:
    # By the workers alone: metrics ask for their shared directory when they are imported.
    from transformer.app import make  # noqa: PLC0415

    made = make(given)
    # What lives as long as the process is looked at no more, and the rest less often: a request
    # makes few objects that refer to each other, and a collection in its midst costs it time.
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE)
    return made


def listen(port: int) -> socket.socket:
    """On every address, IPv6 too where there is such."""
    both = socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if both else socket.AF_INET
    return socket.create_server(("", port), family=family, dualstack_ipv6=both, backlog=2048)
