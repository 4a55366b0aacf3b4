"""A plugin's process: a port on standard output, then calls until the engine ends it."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import grpc
from pulumi.runtime.proto import provider_pb2_grpc

if TYPE_CHECKING:
    from local.plugins.provider import Provider

# Waiting for a Job or an upload takes a thread for as long; a stack has fewer resources than this.
THREADS = 64
MESSAGE_BYTES = 400 * 1024 * 1024


def serve(provider: type[Provider]) -> None:
    """Serve one provider. The engine's address is the first argument that is not a flag."""
    addresses = [argument for argument in sys.argv[1:] if not argument.startswith("-")]
    server = grpc.server(
        ThreadPoolExecutor(THREADS),
        options=[
            ("grpc.max_receive_message_length", MESSAGE_BYTES),
            ("grpc.max_send_message_length", MESSAGE_BYTES),
        ],
    )
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(
        provider(addresses[0] if addresses else ""), server
    )
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    server.wait_for_termination()
