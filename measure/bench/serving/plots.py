"""Which plots there are: percentiles at a rate, and latency over throughput. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from measure.bench.serving import svg
from measure.bench.serving.figures import SHARES
from measure.bench.serving.results import Key
from measure.bench.serving.subjects import SUBJECTS
from measure.bench.serving.table import said

if TYPE_CHECKING:
    from collections.abc import Sequence

    from measure.bench.serving.figures import Figures
    from measure.bench.serving.results import Results

__all__ = ["percentiles", "under_clients"]

# By whom it is, and by what it says to Triton.
COLOURS = {"triton": "#777777", "sdk": "#d1495b", "ours": "#00798c"}
DASHES = {"json": "2 3", "binary": "", "http": "", "grpc": "8 4"}


def percentiles(results: Results, load: str, payload: str) -> str | None:
    """Latency by percentile, a line for each subject; None where there is none."""
    lines = []
    for name, title, figures in _measured(results, load, payload):
        points = zip(SHARES[:-1], figures.distribution_ms[:-1], strict=True)
        lines.append(_line(name, title, [point for point in points if point[1] > 0]))
    x = svg.nines("share of requests that took no longer")
    return _plot(said(load, payload), lines, x)


def under_clients(results: Results, counts: Sequence[int], payload: str) -> str | None:
    """p99 over requests a second, a point for each number of clients."""
    points: dict[str, list[tuple[float, float]]] = {}
    titles = {}
    for count in counts:
        for name, title, figures in _measured(results, f"clients{count}", payload):
            titles[name] = title
            points.setdefault(name, []).append((figures.throughput, figures.p99_ms))
    lines = [_line(name, titles[name], points[name]) for name in points]
    most = max((x for line in lines for x, _ in line.points), default=0.0)
    title = f"{counts[0]} to {counts[-1]} clients: p99"
    return _plot(title, lines, svg.linear("requests a second", most))


def _measured(results: Results, load: str, payload: str) -> list[tuple[str, str, Figures]]:
    found = []
    for subject in SUBJECTS:
        cell = results.cells.get(Key(load, payload, subject.name))
        if cell and cell.figures and cell.figures.p99_ms > 0:
            found.append((subject.name, subject.title, cell.figures))
    return found


def _line(name: str, title: str, points: Sequence[tuple[float, float]]) -> svg.Line:
    who, _, how = name.partition("-")
    return svg.Line(title, tuple(points), COLOURS[who], DASHES[how])


def _plot(title: str, lines: Sequence[svg.Line], x: svg.Axis) -> str | None:
    values = [y for line in lines for _, y in line.points]
    if not values:
        return None
    return svg.plot(title, lines, x, svg.logarithmic("ms", min(values), max(values)))
