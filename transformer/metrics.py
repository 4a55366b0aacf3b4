"""Prometheus metrics of this process."""

from __future__ import annotations

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)

__all__ = ["CONTENT_TYPE", "Metrics"]

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"
BUCKETS = (0.0002, 0.0005, 0.001, 0.002, 0.003, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)


class Metrics:
    """The metrics of one model. Times are in seconds."""

    def __init__(self, model: str) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "transformer_requests_total",
            "Predict requests answered, by HTTP status.",
            ["model", "status"],
            registry=self.registry,
        )
        stages = Histogram(
            "transformer_stage_seconds",
            "Time of a request in making its inputs, and in waiting for the predictor.",
            ["model", "stage"],
            buckets=BUCKETS,
            registry=self.registry,
        )
        in_flight = Gauge(
            "transformer_requests_in_flight",
            "Predict requests that are being answered.",
            ["model"],
            registry=self.registry,
        )
        self.model = model
        self.decode = stages.labels(model, "decode")
        self.predict = stages.labels(model, "predict")
        self.in_flight = in_flight.labels(model)

    def count(self, status: int) -> None:
        """Count an answered request."""
        self.requests.labels(self.model, str(status)).inc()

    def render(self) -> bytes:
        """The metrics in Prometheus' text format."""
        text: bytes = generate_latest(self.registry)
        return text
