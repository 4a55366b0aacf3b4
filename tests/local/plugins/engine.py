"""The engine's log, for plugins to write to."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import engine_pb2_grpc

from tests.local.plugins.meanwhile import wait_until

if TYPE_CHECKING:
    from pulumi.runtime.proto import engine_pb2


class Engine(engine_pb2_grpc.EngineServicer):
    """Keeps what plugins log."""

    def __init__(self) -> None:
        self.messages: list[str] = []
        self.server = grpc.server(ThreadPoolExecutor(4))
        engine_pb2_grpc.add_EngineServicer_to_server(self, self.server)
        self.address = f"127.0.0.1:{self.server.add_insecure_port('127.0.0.1:0')}"
        self.server.start()

    def wait_for(self, text: str) -> None:
        """Return once a plugin has logged a text; raises TimeoutError."""
        wait_until(lambda: any(text in message for message in self.messages))

    def Log(  # noqa: N802 - the protocol's name
        self, request: engine_pb2.LogRequest, context: grpc.ServicerContext
    ) -> empty_pb2.Empty:
        self.messages.append(request.message)
        return empty_pb2.Empty()
