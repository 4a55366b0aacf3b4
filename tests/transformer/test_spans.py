"""OpenTelemetry spans, received as a collector receives them."""

from __future__ import annotations

import contextlib
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from tests.transformer.predictors import unused_address
from tests.transformer.server import Transformer, instances
from tests.transformer.test_forwarding import TRACE, Listener, sent_to_triton

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from local.triton.server import Triton

Samples = list[dict[str, Any]]
PARENT = "00f067aa0ba902b7"
TRACEPARENT = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
PATH = "/v1/models/digits:predict"
# The exit waits for one batch of spans, and a busy machine takes its time.
EXIT_SECONDS = 20


class Collector(trace_service_pb2_grpc.TraceServiceServicer):
    """Keeps the spans that it gets."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.services: set[str] = set()

    def Export(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        for resource in request.resource_spans:
            names = [each for each in resource.resource.attributes if each.key == "service.name"]
            self.services |= {each.value.string_value for each in names}
            for scope in resource.scope_spans:
                self.spans += scope.spans
        return trace_service_pb2.ExportTraceServiceResponse()

    def named(self, name: str) -> list[Span]:
        return [span for span in self.spans if span.name == name]


@contextlib.contextmanager
def collector() -> Iterator[tuple[Collector, dict[str, str]]]:
    """A collector, and the variable that names it."""
    made = Collector()
    server = grpc.server(ThreadPoolExecutor(2))
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(made, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield made, {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}"}
    finally:
        server.stop(0).wait()


def attributes(span: Span) -> dict[str, Any]:
    return {each.key: each.value.int_value or each.value.string_value for each in span.attributes}


def test_a_request_and_its_stages_belong_to_the_clients_trace(
    triton: Triton, tmp_path: Path, samples: Samples
) -> None:
    body = instances([samples[0]["image"]])
    with (
        collector() as (collected, env),
        Listener(triton.http) as relay,
    ):
        with Transformer(relay.address, tmp_path, env=env) as made:
            assert made.ask(PATH, body, TRACEPARENT)[0] == 200
        (request,) = collected.named(f"POST {PATH}")
        (decode,) = collected.named("decode")
        (predict,) = collected.named("predict")
        sent = sent_to_triton(bytes(relay.received))["traceparent"]
    assert collected.services == {"digits-transformer"}
    assert {span.trace_id.hex() for span in collected.spans} == {TRACE}
    assert request.parent_span_id.hex() == PARENT
    assert request.kind == Span.SPAN_KIND_SERVER
    assert attributes(request)["http.response.status_code"] == 200
    assert decode.parent_span_id == predict.parent_span_id == request.span_id
    assert predict.kind == Span.SPAN_KIND_CLIENT
    assert sent == f"00-{TRACE}-{predict.span_id.hex()}-01"
    assert request.start_time_unix_nano <= decode.start_time_unix_nano
    assert decode.end_time_unix_nano <= predict.start_time_unix_nano
    assert predict.end_time_unix_nano <= request.end_time_unix_nano


def test_a_failed_request_has_a_trace_of_its_own_that_the_log_names(tmp_path: Path) -> None:
    with collector() as (collected, env):
        env["OTEL_SERVICE_NAME"] = "mine"
        with Transformer(unused_address(), tmp_path, env=env) as made:
            assert made.ask(PATH, b"{}")[0] == 400
            assert made.predict(instances(["iVBO"]))[0] == 400
        requests = collected.named(f"POST {PATH}")
        lines = [line for line in made.lines() if "status" in line]
    assert collected.services == {"mine"}
    assert [attributes(span)["http.response.status_code"] for span in requests] == [400, 400]
    # The fault of a client is not an error of the server (semantic conventions of HTTP spans).
    assert {span.status.code for span in requests} == {Status.STATUS_CODE_UNSET}
    assert {line["trace_id"] for line in lines} == {span.trace_id.hex() for span in requests}


def test_a_collector_that_is_away_delays_nothing(
    triton: Triton, tmp_path: Path, samples: Samples
) -> None:
    env = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{unused_address()}"}
    body = instances([samples[0]["image"]])
    with Transformer(triton.http, tmp_path, env=env) as made:
        for _ in range(20):
            assert made.predict(body)[0] == 200
        started = time.monotonic()
        made.process.terminate()
        assert made.process.wait(EXIT_SECONDS) == 0
        assert time.monotonic() - started < EXIT_SECONDS
