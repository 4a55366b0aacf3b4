"""OpenTelemetry spans of requests, sent where the environment names an endpoint of OTLP/gRPC."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any, Protocol

from transformer.forwarding import Context

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from contextlib import AbstractContextManager

__all__ = ["Spans", "create"]

# OpenTelemetry's own variables; any of them switches spans on.
ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
SERVICE_NAME = "OTEL_SERVICE_NAME"
# A collector that doesn't answer delays the exit by this time for each batch, four at most.
EXPORT_SECONDS = 2


class Spans(Protocol):
    """A span for a request, and spans for its stages inside it."""

    def request(self, path: str, context: Context) -> AbstractContextManager[Context]:
        """The span of a request, which may belong to the trace of its headers.

        Gives the request's context as it is for what is called inside.
        """
        ...

    def decode(self) -> AbstractContextManager[object]:
        """The span of making inputs."""
        ...

    def predict(self, headers: Mapping[str, str]) -> AbstractContextManager[Mapping[str, str]]:
        """The span of asking the predictor. Gives the headers for its requests."""
        ...

    def answer(self, status: int) -> None:
        """Note the status of the answer in the span of the request."""
        ...


def create(model: str, environment: Mapping[str, str] = os.environ) -> Spans:
    """Spans as the environment says, or none."""
    if any(environment.get(name) for name in ENDPOINTS):
        return OpenTelemetry(environment.get(SERVICE_NAME) or f"{model}-transformer")
    return NoSpans()


class NoSpans:
    """Nothing, at no cost."""

    def request(self, path: str, context: Context) -> AbstractContextManager[Context]:
        """The context as it was."""
        return contextlib.nullcontext(context)

    def decode(self) -> AbstractContextManager[object]:
        """Nothing."""
        return contextlib.nullcontext()

    def predict(self, headers: Mapping[str, str]) -> AbstractContextManager[Mapping[str, str]]:
        """The headers as they were."""
        return contextlib.nullcontext(headers)

    def answer(self, status: int) -> None:
        """Nothing."""


class OpenTelemetry:
    """Spans of OpenTelemetry's SDK, which reads its further variables itself.

    Spans that can't be sent are dropped. Those left at the exit are sent then.
    """

    def __init__(self, service: str) -> None:
        # Imported only if needed, since they take time and memory.
        from opentelemetry import propagate, trace  # noqa: PLC0415
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import (  # noqa: PLC0415
            OTLPSpanExporter,
        )
        from opentelemetry.sdk.resources import SERVICE_NAME, Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

        provider = TracerProvider(resource=Resource.create({SERVICE_NAME: service}))
        exporter = OTLPSpanExporter(timeout=EXPORT_SECONDS)
        provider.add_span_processor(BatchSpanProcessor(exporter))
        self.tracer: Any = provider.get_tracer("transformer")
        self.trace: Any = trace
        self.propagate: Any = propagate

    @contextlib.contextmanager
    def request(self, path: str, context: Context) -> Iterator[Context]:
        """A server's span, with the attributes of OpenTelemetry's semantic conventions."""
        with self.tracer.start_as_current_span(
            f"POST {path}",
            self.propagate.extract(context.headers),
            self.trace.SpanKind.SERVER,
            {
                "http.request.method": "POST",
                "http.route": path,
                "http.request.header.x-request-id": (context.id,),
            },
        ):
            yield Context(context.id, self._inside(context.headers))

    def decode(self) -> AbstractContextManager[object]:
        """A span inside the request's."""
        span: AbstractContextManager[object] = self.tracer.start_as_current_span("decode")
        return span

    @contextlib.contextmanager
    def predict(self, headers: Mapping[str, str]) -> Iterator[Mapping[str, str]]:
        """A client's span inside the request's."""
        kind = self.trace.SpanKind.CLIENT
        with self.tracer.start_as_current_span("predict", kind=kind):
            yield self._inside(headers)

    def answer(self, status: int) -> None:
        """The status; those from 500 on are errors."""
        span = self.trace.get_current_span()
        span.set_attribute("http.response.status_code", status)
        if status >= 500:
            span.set_status(self.trace.StatusCode.ERROR)

    def _inside(self, headers: Mapping[str, str]) -> Mapping[str, str]:
        """Headers that name the current span as the parent."""
        inside = dict(headers)
        self.propagate.inject(inside)
        return inside
