"""Prometheus metrics of this process."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Gauge, Histogram, generate_latest

__all__ = ["CONTENT_TYPE", "Metrics"]

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"
# Dense where objectives lie: a budget counts with the largest bucket within its objective.
# fmt: off
BUCKETS = (
    0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.025, 0.03, 0.04, 0.05, 0.075,
    0.1, 0.15, 0.2, 0.25, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 30, 60,
)
# fmt: on
# Of stages, for the dashboard's means and for a closer look.
STAGE_BUCKETS = (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 2.5, 10)
# Statuses with which requests end by the service's doing.
EXPECTED = (200, 500, 503, 504)


class Metrics:
    """The metrics of one model. Times are in seconds."""

    def __init__(self, model: str) -> None:
        self.registry = CollectorRegistry()
        self.requests = Histogram(
            "transformer_request_seconds",
            "Time of a request from its headers to its answer, failures included, by HTTP status.",
            ["model", "status"],
            buckets=BUCKETS,
            registry=self.registry,
        )
        stages = Histogram(
            "transformer_stage_seconds",
            "Time of a request in making its inputs, and in waiting for the predictor.",
            ["model", "stage"],
            buckets=STAGE_BUCKETS,
            registry=self.registry,
        )
        in_flight = Gauge(
            "transformer_requests_in_flight",
            "Predict requests that are being answered.",
            ["model"],
            registry=self.registry,
        )
        self.model = model
        # Series begin at 0, since Prometheus doesn't see the first increase of a new one.
        for status in EXPECTED:
            self.requests.labels(model, str(status))
        self.decode = stages.labels(model, "decode")
        self.predict = stages.labels(model, "predict")
        self.in_flight = in_flight.labels(model)

    def observe(self, status: int, seconds: float) -> None:
        """Count an answered request and its time."""
        self.requests.labels(self.model, str(status)).observe(seconds)

    def render(self) -> bytes:
        """The metrics in Prometheus' text format."""
        text: bytes = generate_latest(self.registry)
        return text
