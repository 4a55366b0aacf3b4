"""What came of a call: a state, a refusal, a failure with what is there all the same."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import grpc
from pulumi.runtime.proto import provider_pb2, status_pb2

from local.plugins.wire import Properties, decode


class Failed(Exception):  # noqa: N818 - reads better in a test
    """A call that the plugin answered with an error. `state`: what is there all the same."""

    def __init__(self, message: str, state: State | None = None) -> None:
        super().__init__(message)
        self.state = state


class Rejected(Exception):  # noqa: N818 - reads better in a test
    """Inputs that the plugin's check refused."""

    def __init__(self, failures: dict[str, str]) -> None:
        super().__init__("\n".join(f"{name}: {reason}" for name, reason in failures.items()))
        self.failures = failures


@dataclass
class State:
    """What a stack records of a resource."""

    token: str
    name: str
    id: str
    inputs: Properties
    outputs: Properties

    @property
    def urn(self) -> str:
        return urn(self.token, self.name)

    def __getitem__(self, key: str) -> Any:
        return self.outputs.values[key]


@dataclass
class Step:
    """What one deployment of a resource did: the operations in their order, and the result."""

    operations: list[str]
    state: State
    changes: dict[str, str] = field(default_factory=dict)


def urn(token: str, name: str) -> str:
    """A URN in the stack `test`."""
    return f"urn:pulumi:test::project::{token}::{name}"


class errors:  # noqa: N801 - a context manager
    """Turn gRPC's errors into Failed."""

    def __init__(self, attempt: State | None = None) -> None:
        self._attempt = attempt

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        if not isinstance(error, grpc.RpcError):
            return
        detail = _initialization_failure(error)
        reasons = [] if detail is None else detail.reasons
        raise Failed("\n".join([error.details(), *reasons]), self._there(detail)) from None

    def _there(self, detail: provider_pb2.ErrorResourceInitFailed | None) -> State | None:
        attempt = self._attempt
        if detail is None or attempt is None:
            return None
        outputs = decode(detail.properties)
        return State(attempt.token, attempt.name, detail.id, attempt.inputs, outputs)


def _initialization_failure(error: Any) -> provider_pb2.ErrorResourceInitFailed | None:
    detail = provider_pb2.ErrorResourceInitFailed()
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            found = status_pb2.Status.FromString(value).details
            return detail if any(each.Unpack(detail) for each in found) else None
    return None


def raise_failures(response: provider_pb2.CheckResponse) -> None:
    """Raise Rejected for inputs that a check refused."""
    if response.failures:
        raise Rejected({failure.property: failure.reason for failure in response.failures})
