"""What alerts and dashboard stand on: whole requests, failures included."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.transformer.predictors import FakePredictor, unused_address
from tests.transformer.server import Transformer, instances

if TYPE_CHECKING:
    from pathlib import Path

REQUESTS = "transformer_request_seconds_bucket"


def requests(transformer: Transformer) -> dict[tuple[str, str], float]:
    """Requests by status and bucket."""
    families = text_string_to_metric_families(transformer.ask("/metrics")[1])
    return {
        (sample.labels["status"], sample.labels["le"]): sample.value
        for family in families
        for sample in family.samples
        if sample.name == REQUESTS
    }


@pytest.mark.parametrize("protocol", ["v2", "grpc-v2"])
def test_a_client_who_waits_for_a_failure_is_one_of_the_slow(
    protocol: str, tmp_path: Path, samples: list[dict[str, Any]]
) -> None:
    """Triton never counts it, since it is silent."""
    arguments = (f"--predictor_protocol={protocol}", "--deadline_seconds=0.7")
    with (
        FakePredictor() as silent,
        Transformer(silent.address, tmp_path, *arguments) as made,
    ):
        assert made.predict(instances([samples[0]["image"]]))[0] == 504
        found = requests(made)
    assert found["504", "0.5"] == 0
    assert found["504", "+Inf"] == 1


class TritonMetrics(BaseHTTPRequestHandler):
    """As Triton's own server has them."""

    text = b'# TYPE nv_inference_count counter\nnv_inference_count{model="digits"} 7\n'

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/metrics" else 404)
        self.end_headers()
        self.wfile.write(self.text)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def series(transformer: Transformer) -> set[str]:
    """The names of all metrics; the text must be whole."""
    text = transformer.ask("/metrics")[1]
    return {family.name for family in text_string_to_metric_families(text)}


def test_the_metrics_of_triton_in_the_same_pod_are_beside_its_own(tmp_path: Path) -> None:
    server = HTTPServer(("127.0.0.1", 0), TritonMetrics)
    Thread(target=server.serve_forever, daemon=True).start()
    port = f"--triton_metrics_port={server.server_port}"
    with Transformer(unused_address(), tmp_path) as alone:
        own = series(alone)
    with Transformer(unused_address(), tmp_path, port) as beside:
        assert series(beside) == own | {"nv_inference_count"}
        server.shutdown()
        server.server_close()
        # Without Triton its own are still there.
        assert series(beside) == own
