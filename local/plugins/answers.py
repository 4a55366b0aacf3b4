"""Responses and errors of the provider protocol."""

from __future__ import annotations

import contextlib
import functools
import traceback
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import grpc
from google.protobuf import message, struct_pb2
from pulumi.runtime.proto import provider_pb2, status_pb2

from local.plugins.changes import Change, compare
from local.plugins.resource import PartialError, PluginError
from local.plugins.wire import Path, Properties, encode, show

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from local.plugins.changes import Difference
    from local.plugins.resource import Values

Response = TypeVar("Response", bound=message.Message)

_KINDS = {
    (Change.ADDED, False): provider_pb2.PropertyDiff.ADD,
    (Change.ADDED, True): provider_pb2.PropertyDiff.ADD_REPLACE,
    (Change.REMOVED, False): provider_pb2.PropertyDiff.DELETE,
    (Change.REMOVED, True): provider_pb2.PropertyDiff.DELETE_REPLACE,
    (Change.UPDATED, False): provider_pb2.PropertyDiff.UPDATE,
    (Change.UPDATED, True): provider_pb2.PropertyDiff.UPDATE_REPLACE,
}


def or_abort(method: Callable[..., Response]) -> Callable[..., Response]:
    """Turn a PluginError into the call's error; anything else is a bug and keeps its traceback."""

    @functools.wraps(method)
    def call(self: Any, request: Any, context: grpc.ServicerContext) -> Response:
        try:
            return method(self, request, context)
        except (PluginError, ValueError) as error:
            _abort(context, str(error))
        except Exception:
            if context.code() is not None:  # aborted already, on purpose
                raise
            _abort(context, f"a fault in the plugin, not in the program:\n{traceback.format_exc()}")

    return call


def _abort(
    context: grpc.ServicerContext, text: str, detail: message.Message | None = None
) -> NoReturn:
    if detail is not None:
        status = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=text)
        status.details.add().Pack(detail)
        metadata = (("grpc-status-details-bin", status.SerializeToString()),)
        context.set_trailing_metadata(metadata)
    context.abort(grpc.StatusCode.UNKNOWN, text)
    raise AssertionError("abort raises")


@contextlib.contextmanager
def partial_errors(
    context: grpc.ServicerContext, mark: Callable[[Values], struct_pb2.Struct]
) -> Iterator[None]:
    """Tell the engine of a resource that is there but failed, so that its state is recorded."""
    try:
        yield
    except PartialError as failure:
        detail = provider_pb2.ErrorResourceInitFailed(
            id=failure.id,
            properties=mark(failure.outputs),
            inputs=mark(failure.inputs),
            reasons=failure.reasons,
        )
        _abort(context, str(failure), detail)


def marked(
    values: Values, secrets: frozenset[Path] = frozenset(), names: tuple[str, ...] = ()
) -> struct_pb2.Struct:
    """Outputs, secret where the inputs were and where the type says so."""
    return encode(Properties(values, secrets | {(name,) for name in names}))


def checked(properties: Properties, failures: dict[str, str]) -> provider_pb2.CheckResponse:
    """The answer to a check."""
    return provider_pb2.CheckResponse(
        inputs=encode(properties),
        failures=[
            provider_pb2.CheckFailure(property=name, reason=reason)
            for name, reason in failures.items()
        ],
    )


def difference(found: Difference) -> provider_pb2.DiffResponse:
    """The answer to a diff, property by property."""
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
        entry.kind = _KINDS[change, path in found.replaces]
        entry.inputDiff = True
    return response


def configuration_diff(old: Values, new: Values) -> provider_pb2.DiffResponse:
    """A provider's own diff: what changed, never a replacement."""
    changes = compare(old, new)
    some = provider_pb2.DiffResponse.DIFF_SOME
    none = provider_pb2.DiffResponse.DIFF_NONE
    return provider_pb2.DiffResponse(
        changes=some if changes else none, diffs=sorted({str(path[0]) for path in changes})
    )
