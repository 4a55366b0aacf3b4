"""Prometheus metrics of this process, or of all workers through files that they share."""

from __future__ import annotations

import os
from pathlib import Path

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

__all__ = ["CONTENT_TYPE", "Metrics"]

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"
# prometheus_client's own variable: if it is set, each metric is a file in that directory.
DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"
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
            multiprocess_mode="livesum",
        )
        self.model = model
        self.decode = stages.labels(model, "decode")
        self.predict = stages.labels(model, "predict")
        self.in_flight = in_flight.labels(model)
        _remove_gauges_of_dead_workers()

    def count(self, status: int) -> None:
        """Count an answered request."""
        self.requests.labels(self.model, str(status)).inc()

    def render(self) -> bytes:
        """The metrics in Prometheus' text format."""
        registry = self.registry
        if DIRECTORY in os.environ:
            registry = CollectorRegistry()
            MultiProcessCollector(registry)
        text: bytes = generate_latest(registry)
        return text


def _remove_gauges_of_dead_workers() -> None:
    """The requests of a worker that died are no longer in flight."""
    if DIRECTORY not in os.environ:
        return
    for file in Path(os.environ[DIRECTORY]).glob("gauge_live*_*.db"):
        pid = int(file.stem.rpartition("_")[2])
        if not Path(f"/proc/{pid}").exists():
            mark_process_dead(pid)
