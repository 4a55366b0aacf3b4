"""The plots of the benchmark: percentiles at a rate, and p99 over throughput. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobs.report import plot
from measure.bench.serving.figures import SHARES
from measure.bench.serving.payloads import Payload
from measure.bench.serving.results import Key
from measure.bench.serving.subjects import SUBJECTS, TRANSFORMERS
from measure.bench.serving.table import load_title

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Sequence

    from measure.bench.serving.figures import Figures
    from measure.bench.serving.results import Group, Results

__all__ = ["percentiles", "under_clients"]

# Colour and dashes of each subject: by its server, and by the protocol between it and Triton.
LINES = {
    "triton-json": ("grey", "2 3"),
    "triton-binary": ("grey", ""),
    "triton-grpc": ("grey", "8 4"),
    "sdk-json": ("red", "2 3"),
    "sdk-binary": ("red", ""),
    "sdk-grpc": ("red", "8 4"),
    "ours-http": ("teal", ""),
    "ours-grpc": ("teal", "8 4"),
    "fastapi": ("blue", ""),
    "fastapi-2": ("blue", "2 3"),
    "litserve": ("violet", ""),
    "bentoml": ("orange", ""),
    "ray": ("amber", ""),
}
LAST = 99.9


def percentiles(results: Results, group: Group) -> str | None:
    """Latency by percentile, a line for each transformer; None without results."""
    lines = []
    for name, title, figures in _measured(results, group, TRANSFORMERS):
        found = zip(SHARES, figures.distribution_ms, strict=True)
        points = [(share, ms) for share, ms in found if share <= LAST and ms > 0]
        lines.append(_line(name, title, points))
    x = plot.percentiles("percentile of requests, %", LAST)
    _, load, payload = group
    return _plot(load_title(load, payload), lines, x)


def under_clients(
    results: Results, model: str, counts: Sequence[int], names: Container[str]
) -> str | None:
    """p99 over requests a second, a point for each number of clients; None without results."""
    points: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for count in counts:
        group = (model, f"clients{count}", str(Payload(1)))
        for name, title, figures in _measured(results, group, names):
            point = (figures.throughput, figures.p99_ms)
            points.setdefault((name, title), []).append(point)
    lines = [_line(name, title, line) for (name, title), line in points.items()]
    rates = [rate for line in points.values() for rate, _ in line]
    x = plot.linear("requests a second", rates)
    return _plot(f"{model}, {counts[0]} to {counts[-1]} clients: p99", lines, x)


def _measured(
    results: Results, group: Group, names: Container[str]
) -> Iterator[tuple[str, str, Figures]]:
    for subject in SUBJECTS:
        cell = results.cells.get(Key(*group, subject.name))
        if subject.name in names and cell and cell.figures and cell.figures.p99_ms > 0:
            yield subject.name, subject.title, cell.figures


def _line(name: str, title: str, points: Sequence[tuple[float, float]]) -> plot.Series:
    return plot.Series(title, points, *LINES[name], dots=True)


def _plot(title: str, lines: Sequence[plot.Series], x: plot.Axis) -> str | None:
    values = [ms for line in lines for _, ms in line.points if ms is not None]
    return plot.plot(title, lines, x, plot.logarithmic("ms", values)) if values else None
