"""The endpoints that are compared, and the tables of their latencies. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = [
    "ACTIVATOR",
    "ENDPOINTS",
    "HEADS",
    "HOPS",
    "KEY",
    "PLACEMENTS",
    "Endpoint",
    "Latencies",
    "rows",
]

KEY = "placement"
HEADS = ("", "as sent ms", "mean", "p50", "p99", "as sent: to Triton alone")
RATE = 100
# The Knative Service with the activator in its path.
ACTIVATOR = "through-activator"
_DOMAIN = "models.svc.cluster.local"
# Ports of a predictor's pod under Knative: Triton's own, and the queue-proxy's.
_TRITON_PORT, _QUEUE_PORT = 8080, 8012


@dataclass(frozen=True)
class Endpoint:
    """A model of the stack; `triton`: the URL of its Triton, which is asked by itself.

    In a URL, POD stands for the address of the pod of the model in mode Knative.
    """

    name: str
    model: str
    triton: str | None = None

    def config(
        self, job: Mapping[str, Any], pod: str, seconds: float, result: str
    ) -> dict[str, Any]:
        """The configuration of the model's load test with this load."""
        config = {**job, "rate": RATE, "duration_seconds": seconds, "result": result}
        if self.triton:
            config |= {"target": "predictor", "url": self.triton.replace("POD", pod)}
        return config


ENDPOINTS = (
    Endpoint("triton", "separate", f"http://separate-predictor.{_DOMAIN}"),
    Endpoint("separate", "separate"),
    Endpoint("separate-grpc", "separate-grpc"),
    Endpoint("collocated", "collocated"),
    Endpoint("collocated-grpc", "collocated-grpc"),
    Endpoint("knative-triton", "knative", f"http://POD:{_TRITON_PORT}"),
    Endpoint("knative-queue", "knative", f"http://POD:{_QUEUE_PORT}"),
    Endpoint("knative-gateway", "knative", f"http://knative-predictor.{_DOMAIN}"),
    Endpoint("knative-activator", "knative", f"http://{ACTIVATOR}.{_DOMAIN}"),
    Endpoint("knative", "knative"),
)
# The endpoints of each table, and the titles of their rows.
PLACEMENTS = {
    "triton": "Triton alone, binary",
    "separate": "pods of its own, binary to Triton",
    "separate-grpc": "pods of its own, gRPC to Triton",
    "collocated": "beside Triton, binary",
    "collocated-grpc": "beside Triton, gRPC",
}
HOPS = {
    "triton": "Standard: Triton",
    "separate": "Standard: transformer, Triton",
    "knative-triton": "Knative: Triton, at its pod",
    "knative-queue": "Knative: queue-proxy, Triton",
    "knative-gateway": "Knative: gateway, queue-proxy, Triton",
    "knative-activator": "Knative: gateway, activator, queue-proxy, Triton",
    "knative": "Knative: the whole chain",
}


@dataclass(frozen=True)
class Latencies:
    """Milliseconds: `service_ms` is the mean from the send, the others count from when due."""

    service_ms: float
    mean_ms: float
    p50_ms: float
    p99_ms: float

    @classmethod
    def of(cls, result: dict[str, Any]) -> Latencies:
        """Read a result.json. Raises RuntimeError unless every answer was good."""
        if result["success_ratio"] < 1:
            raise RuntimeError(f"{result['url']}: {result['errors'] or result['status_codes']}")
        latency = result["latency_ms"]
        return cls(result["service_ms"]["mean"], latency["mean"], latency["p50"], latency["p99"])


def rows(found: dict[str, Any], titles: Mapping[str, str]) -> Iterator[tuple[str, ...]]:
    """A row for each endpoint of `titles`, with the columns of HEADS."""
    figures = {name: Latencies(**each) for name, each in found["figures"].items()}
    floor = figures["triton"].service_ms
    for name, title in titles.items():
        each = figures[name]
        numbers = (each.service_ms, each.mean_ms, each.p50_ms, each.p99_ms, each.service_ms / floor)
        yield (title, *(f"{number:.2f}" for number in numbers))
