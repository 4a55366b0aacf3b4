"""Prometheus metrics: of this process, or of all workers through files that they share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["CONTENT_TYPE", "DIRECTORY", "Metrics"]

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"
# prometheus_client's own name; set, it makes every metric a file in there.
DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"
BATCH = 32
BUCKETS = (0.0002, 0.0005, 0.001, 0.002, 0.003, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)


class Batched:
    """A histogram's observations, taken in some at a time.

    Code that runs once in ten milliseconds is in no cache, and takes several times as long.
    """

    def __init__(self, observe: Callable[[float], None], size: int) -> None:
        self.observe, self.size = observe, size
        self.waiting: list[float] = []

    def __call__(self, value: float) -> None:
        """One observation."""
        self.waiting.append(value)
        if len(self.waiting) >= self.size:
            self.flush()

    def flush(self) -> None:
        """Take in those that wait."""
        waiting, self.waiting = self.waiting, []
        for value in waiting:
            self.observe(value)


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
        # What workers share is read by whichever of them is asked.
        size = 1 if DIRECTORY in os.environ else BATCH
        self.decode = Batched(stages.labels(model, "decode").observe, size)
        self.predict = Batched(stages.labels(model, "predict").observe, size)
        self.in_flight = in_flight.labels(model)
        _forget_dead()

    def count(self, status: int) -> None:
        """A request was answered."""
        (self.good if status == 200 else self.requests.labels(self.model, str(status))).inc()

    def render(self) -> bytes:
        """Prometheus' text format."""
        self.decode.flush()
        self.predict.flush()
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
