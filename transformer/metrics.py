"""Prometheus metrics: of this process, or of all workers through files that they share."""

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

__all__ = ["CONTENT_TYPE", "DIRECTORY", "Metrics"]

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"
# prometheus_client's own name; set, it makes every metric a file in there.
DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"
BUCKETS = (0.0002, 0.0005, 0.001, 0.002, 0.003, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)


class Metrics:
    """`decode` and `predict` take seconds."""

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
            "Time of a request in decoding its images, and in waiting for the predictor.",
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
        self.good = self.requests.labels(model, "200")
        self.decode = stages.labels(model, "decode").observe
        self.predict = stages.labels(model, "predict").observe
        self.in_flight = in_flight.labels(model)
        _forget_dead()

    def count(self, status: int) -> None:
        """A request was answered."""
        (self.good if status == 200 else self.requests.labels(self.model, str(status))).inc()

    def render(self) -> bytes:
        """Prometheus' text format."""
        registry = self.registry
        if DIRECTORY in os.environ:
            registry = CollectorRegistry()
            MultiProcessCollector(registry)
        text: bytes = generate_latest(registry)
        return text


def _forget_dead() -> None:
    """A worker that died held requests that are in flight no more."""
    if DIRECTORY not in os.environ:
        return
    for file in Path(os.environ[DIRECTORY]).glob("gauge_live*_*.db"):
        pid = int(file.stem.rpartition("_")[2])
        if not Path(f"/proc/{pid}").exists():
            mark_process_dead(pid)
