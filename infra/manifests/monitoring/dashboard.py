"""A stack's dashboard in Cloud Monitoring: a chart a measure, a line a model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from infra.manifests.monitoring import queries
from infra.manifests.monitoring.alerts import error_budget

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from infra.manifests.monitoring.service import Service

# Cloud Monitoring's grid; three charts a row.
COLUMNS, WIDTH, HEIGHT = 48, 16, 12
QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}


@dataclass(frozen=True)
class Chart:
    """`lines` are PromQL by legend; `unit` is UCUM's; `bounds` are drawn across."""

    title: str
    unit: str
    lines: dict[str, str]
    bounds: frozenset[float] = frozenset()


def charts(services: Sequence[Service]) -> list[Chart]:
    """The charts of these services, in reading order, without empty ones."""
    return [chart for chart in _charts(services) if chart.lines]


def _charts(services: Sequence[Service]) -> Iterator[Chart]:
    gpus = [service for service in services if service.has_gpu]
    yield Chart("Requests", "1/s", _lines(services, queries.request_rate))
    budgets = frozenset(map(error_budget, services))
    yield Chart("Error ratio", "1", _lines(services, queries.error_ratio), budgets)
    yield _latency(services)
    yield Chart("Time in stages, mean", "s", _stages(services))
    yield Chart("Queue time, mean", "s", _lines(services, queries.queue_mean))
    yield Chart("Compute time, mean", "s", _lines(services, queries.compute_mean))
    yield Chart("Batch size, mean", "1", _lines(services, queries.batch_size))
    yield _pods("Ready pods, and their maximum", services, queries.ready)
    yield _pods("Replicas, and their maximum", services, queries.replicas)
    yield Chart("GPU utilisation", "1", _lines(gpus, queries.gpu_utilisation))
    yield Chart("GPU memory", "1", _lines(gpus, queries.gpu_memory))


def _lines(services: Sequence[Service], query: Callable[[Service], str]) -> dict[str, str]:
    return {service.name: query(service) for service in services}


def _latency(services: Sequence[Service]) -> Chart:
    lines, bounds = {}, set()
    for service in services:
        if service.has_transformer:
            bounds.add(service.settings.perf.objectives.p99_ms / 1000)
            for name, quantile in QUANTILES.items():
                lines[f"{service.name} {name}"] = queries.latency_quantile(service, quantile)
        else:
            lines[f"{service.name} mean"] = queries.latency_mean(service)
    return Chart("Latency", "s", lines, frozenset(bounds))


def _stages(services: Sequence[Service]) -> dict[str, str]:
    return {
        f"{service.name} {stage}": queries.stage_mean(service, stage)
        for service in services
        if service.has_transformer
        for stage in queries.STAGES
    }


def _pods(title: str, services: Sequence[Service], query: Callable[[Service, str], str]) -> Chart:
    lines, bounds = {}, set()
    for service in services:
        for name, component in service.components.items():
            lines[f"{service.name} {name}"] = query(service, name)
            bounds.add(component.max_replicas)
    return Chart(title, "1", lines, frozenset(bounds))


def dashboard(stack: str, services: Sequence[Service]) -> dict[str, Any]:
    """The API's `Dashboard`.

    Fields that have their default, a position of 0 among them, are left out: the API does not give
    them back, and every refresh would find a difference.
    """
    tiles = [_tile(index, chart) for index, chart in enumerate(charts(services))]
    return {
        "displayName": f"kserve-triton {stack}",
        "mosaicLayout": {"columns": COLUMNS, "tiles": tiles},
    }


def _tile(index: int, chart: Chart) -> dict[str, Any]:
    row, column = divmod(index, COLUMNS // WIDTH)
    place = {"xPos": column * WIDTH, "yPos": row * HEIGHT}
    place = {name: position for name, position in place.items() if position}
    return place | {"width": WIDTH, "height": HEIGHT, "widget": _widget(chart)}


def _widget(chart: Chart) -> dict[str, Any]:
    made: dict[str, Any] = {"dataSets": [_data_set(chart.unit, *line) for line in _sorted(chart)]}
    bounds = [{"value": bound} for bound in sorted(chart.bounds) if bound]
    if bounds:
        made["thresholds"] = bounds
    return {"title": chart.title, "xyChart": made}


def _sorted(chart: Chart) -> list[tuple[str, str]]:
    return sorted(chart.lines.items())


def _data_set(unit: str, legend: str, query: str) -> dict[str, Any]:
    return {
        "plotType": "LINE",
        "legendTemplate": legend,
        "timeSeriesQuery": {"prometheusQuery": query, "unitOverride": unit},
    }
