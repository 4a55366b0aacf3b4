"""The endpoints that are compared, and the table of their latencies. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["ENDPOINTS", "HEADS", "KEY", "Endpoint", "Latencies", "rows"]

KEY = "placement"
HEADS = ("", "as sent ms", "mean", "p50", "p99", "as sent: to Triton alone")
RATE = 100


@dataclass(frozen=True)
class Endpoint:
    """A model of the stack; `alone`: its Triton, without the transformer."""

    name: str
    title: str
    model: str
    alone: bool = False

    def config(self, job: dict[str, Any], seconds: float, result: str) -> dict[str, Any]:
        """The configuration of the model's load test with this load."""
        config = job | {"rate": RATE, "duration_seconds": seconds, "result": result}
        if self.alone:
            config |= {
                "target": "predictor",
                "url": job["url"].replace("-transformer.", "-predictor."),
            }
        return config


ENDPOINTS = (
    Endpoint("triton", "Triton alone, binary", "separate", alone=True),
    Endpoint("separate", "pods of its own, binary to Triton", "separate"),
    Endpoint("separate-grpc", "pods of its own, gRPC to Triton", "separate-grpc"),
    Endpoint("collocated", "beside Triton, binary", "collocated"),
    Endpoint("collocated-grpc", "beside Triton, gRPC", "collocated-grpc"),
)


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


def rows(found: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    """A row for each endpoint, with the columns of HEADS."""
    figures = {name: Latencies(**each) for name, each in found["figures"].items()}
    floor = figures["triton"].service_ms
    for endpoint in ENDPOINTS:
        each = figures[endpoint.name]
        numbers = (each.service_ms, each.mean_ms, each.p50_ms, each.p99_ms, each.service_ms / floor)
        yield (endpoint.title, *(f"{number:.2f}" for number in numbers))
