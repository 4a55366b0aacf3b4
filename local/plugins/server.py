"""The plugin's process: prints its port, and serves until the engine ends it or has ended."""

from __future__ import annotations

import os
import select
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import grpc
from pulumi.runtime.proto import provider_pb2_grpc

from local.plugins.engine import Engine
from local.plugins.provider import GcpProvider

if TYPE_CHECKING:
    from collections.abc import Sequence

# An upload takes a thread for as long as it lasts.
THREADS = 64
MESSAGE_BYTES = 400 * 1024 * 1024


def serve(arguments: Sequence[str]) -> None:
    """Serve the provider. The engine's address is the first argument that is not a flag."""
    addresses = [argument for argument in arguments if not argument.startswith("-")]
    server = grpc.server(
        ThreadPoolExecutor(THREADS),
        options=[
            ("grpc.max_receive_message_length", MESSAGE_BYTES),
            ("grpc.max_send_message_length", MESSAGE_BYTES),
        ],
    )
    engine = Engine(addresses[0] if addresses else "")
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(GcpProvider(engine), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    _wait_for_engine_end(sys.stdout.fileno())
    # Without waiting for calls, whose results nothing would read.
    os._exit(0)


def _wait_for_engine_end(output: int) -> None:
    """Wait until the engine's end of the output is closed, as it also is if it was killed."""
    closed = select.poll()
    closed.register(output, 0)
    closed.poll()
