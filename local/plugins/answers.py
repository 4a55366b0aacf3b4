"""Responses and errors of the provider protocol."""

from __future__ import annotations

import functools
import traceback
from typing import TYPE_CHECKING, Any, TypeVar

import grpc
from google.protobuf import message, struct_pb2
from pulumi.runtime.proto import provider_pb2

from local.plugins.resource import PluginError
from local.plugins.wire import Path, Properties, encode, show

if TYPE_CHECKING:
    from collections.abc import Callable

    from local.plugins.changes import Difference
    from local.plugins.resource import Values

Response = TypeVar("Response", bound=message.Message)


def or_abort(method: Callable[..., Response]) -> Callable[..., Response]:
    """Turn a PluginError into the call's error. Other errors are bugs and keep their traceback."""

    @functools.wraps(method)
    def call(self: Any, request: Any, context: grpc.ServicerContext) -> Response:
        try:
            return method(self, request, context)
        except (PluginError, ValueError) as error:
            text = str(error)
        except Exception:
            text = f"an error of the plugin, not of the program:\n{traceback.format_exc()}"
        context.abort(grpc.StatusCode.UNKNOWN, text)
        raise AssertionError("abort raises")

    return call


def with_secrets(
    values: Values, secrets: frozenset[Path] = frozenset(), names: tuple[str, ...] = ()
) -> struct_pb2.Struct:
    """Encode outputs; those are secret that are secret inputs or that the type names."""
    return encode(Properties(values, secrets | {(name,) for name in names}))


def checked(properties: Properties, failures: dict[str, str]) -> provider_pb2.CheckResponse:
    """The response to a check."""
    return provider_pb2.CheckResponse(
        inputs=encode(properties),
        failures=[
            provider_pb2.CheckFailure(property=name, reason=reason)
            for name, reason in failures.items()
        ],
    )


def difference(found: Difference) -> provider_pb2.DiffResponse:
    """The response to a diff, with each property."""
    response = provider_pb2.DiffResponse(
        changes=provider_pb2.DiffResponse.DIFF_SOME
        if found.changes
        else provider_pb2.DiffResponse.DIFF_NONE,
        deleteBeforeReplace=found.delete_first and bool(found.replaces),
        hasDetailedDiff=True,
        diffs=sorted({str(path[0]) for path in found.changes}),
        replaces=sorted(show(path) for path in found.replaces),
    )
    for path, change in found.changes.items():
        entry = response.detailedDiff[show(path)]
        kind = f"{change.value}_REPLACE" if path in found.replaces else change.value
        entry.kind = provider_pb2.PropertyDiff.Kind.Value(kind)
        entry.inputDiff = True
    return response
