"""What a plugin tells the person at the terminal, through the engine."""

from __future__ import annotations

import contextlib

import grpc
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc


class Engine:
    """The engine's log. Without an engine (a test, a schema query) nothing is said."""

    def __init__(self, address: str = "") -> None:
        self._engine: engine_pb2_grpc.EngineStub | None = None
        self.attach(address)

    def attach(self, address: str) -> None:
        """Speak to the engine at an address from now on."""
        if address:
            self._engine = engine_pb2_grpc.EngineStub(grpc.insecure_channel(address))

    def inform(self, message: str, urn: str = "") -> None:
        """A line among the diagnostics."""
        self._log(engine_pb2.INFO, message, urn)

    def warn(self, message: str, urn: str = "") -> None:
        """A warning among the diagnostics."""
        self._log(engine_pb2.WARNING, message, urn)

    def status(self, message: str, urn: str) -> None:
        """What a resource is waiting for; shown beside it while it lasts, not kept."""
        self._log(engine_pb2.INFO, message, urn, ephemeral=True)

    def _log(
        self,
        severity: engine_pb2.LogSeverity.ValueType,
        message: str,
        urn: str,
        ephemeral: bool = False,
    ) -> None:
        if self._engine is None:
            return
        request = engine_pb2.LogRequest(
            severity=severity, message=message, urn=urn, ephemeral=ephemeral
        )
        # An engine that is gone must not fail the operation that it asked for.
        with contextlib.suppress(grpc.RpcError):
            self._engine.Log(request, timeout=5)
