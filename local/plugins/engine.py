"""Messages to the person at the terminal, through the engine."""

from __future__ import annotations

import contextlib

import grpc
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc


class Engine:
    """The log of the engine at an address. Without an address, messages are dropped."""

    def __init__(self, address: str = "") -> None:
        channel = grpc.insecure_channel(address) if address else None
        self._engine = engine_pb2_grpc.EngineStub(channel) if channel else None

    def inform(self, message: str, urn: str = "") -> None:
        """Write a line to the diagnostics."""
        if self._engine is None:
            return
        request = engine_pb2.LogRequest(severity=engine_pb2.INFO, message=message, urn=urn)
        # The operation must not fail if the engine has ended.
        with contextlib.suppress(grpc.RpcError):
            self._engine.Log(request, timeout=5)
