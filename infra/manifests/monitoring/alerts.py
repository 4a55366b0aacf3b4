"""The alerts of a service: a condition in PromQL, how long it must hold, and how urgent it is."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING

from infra.manifests.monitoring import queries
from infra.manifests.monitoring.promql import number
from infra.manifests.monitoring.runbooks import runbook
from infra.manifests.monitoring.slo import LATENCY_BUDGET, PAGE, TICKET, burning

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from infra.config import MonitoringSettings
    from infra.manifests.monitoring.service import Service

# Quantiles above the last bucket can't be computed.
LAST_BUCKET_MS = queries.BUCKETS[-1] * 1000
QUANTILE = 1 - LATENCY_BUDGET


class Severity(StrEnum):
    """Severity in Cloud Monitoring: PAGE is for at once, TICKET for working hours."""

    PAGE = "CRITICAL"
    TICKET = "WARNING"


@dataclass(frozen=True)
class Alert:
    """`name` is unique within a service; `kind` says which runbook."""

    name: str
    title: str
    query: str
    minutes: int
    severity: Severity
    runbook: str


def alerts(service: Service, monitoring: MonitoringSettings) -> list[Alert]:
    """The alerts of a service, without those whose metrics it does not have."""
    return [
        *_objectives(service),
        *_saturation(service, monitoring),
        *_replicas(service),
        *_budgets(service, monitoring.period_days),
    ]


def error_budget(service: Service) -> float:
    """Share of requests that may fail."""
    return round(1 - service.settings.perf.objectives.success_ratio, 12)


def _objectives(service: Service) -> Iterator[Alert]:
    budget = number(error_budget(service))
    over = f"{queries.error_ratio(service)} > {budget}"
    yield _alert(service, "ErrorRatio", "errors above objective", over, 10)
    p99_ms = service.settings.perf.objectives.p99_ms
    if service.has_transformer and p99_ms < LAST_BUCKET_MS:
        slow = f"{queries.latency_quantile(service, QUANTILE)} > {number(p99_ms / 1000)}"
        yield _alert(service, "LatencyP99", "p99 above objective", slow, 10)


def _saturation(service: Service, monitoring: MonitoringSettings) -> Iterator[Alert]:
    # The batcher's own delay is not a lack of capacity.
    batching = service.settings.triton.queue_delay_microseconds / queries.MICROSECONDS
    bound = number(monitoring.queue_ms / 1000 + batching)
    queued = f"{queries.queue_mean(service)} > {bound}"
    yield _alert(service, "QueueTime", "requests wait in Triton's queue", queued, 10)
    if service.has_gpu and monitoring.gpu_utilisation < 1:
        busy = f"{queries.gpu_utilisation(service)} > {number(monitoring.gpu_utilisation)}"
        yield _alert(service, "GpuUtilisation", "GPUs are busy", busy, 15)


def _replicas(service: Service) -> Iterator[Alert]:
    for name, component in service.components.items():
        if component.max_replicas > component.min_replicas:
            full = f"{queries.replicas(service, name)} >= {component.max_replicas}"
            title = f"{name} at its maximum of replicas"
            yield _alert(service, "ReplicasAtMaximum", title, full, 15, of=name.capitalize())
        if component.min_replicas > 0:
            # Where the minimum is 0, having no pods is normal.
            none = f"{queries.ready(service, name)} < 1"
            title = f"no {name} is ready"
            yield _alert(service, "NotReady", title, none, 5, Severity.PAGE, of=name.capitalize())


def _budgets(service: Service, days: int) -> Iterator[Alert]:
    errors = partial(queries.error_ratio, service)
    yield from _burning(service, "ErrorBudget", errors, error_budget(service), days)
    bound = queries.latency_bound(service.settings.perf.objectives.p99_ms)
    if service.has_transformer and bound is not None:
        slow = partial(queries.slow_ratio, service, bound)
        yield from _burning(service, "LatencyBudget", slow, LATENCY_BUDGET, days)


def _burning(
    service: Service, kind: str, bad_ratio: Callable[[str], str], budget: float, days: int
) -> Iterator[Alert]:
    named = {"ErrorBudget": "error budget", "LatencyBudget": "latency budget"}[kind]
    page = burning(bad_ratio, budget, PAGE, days)
    if page:
        yield _alert(service, f"{kind}Page", f"{named} burns fast", page, 2, Severity.PAGE)
    ticket = burning(bad_ratio, budget, TICKET, days)
    if ticket:
        yield _alert(service, f"{kind}Ticket", f"{named} burns", ticket, 60)


def _alert(
    service: Service,
    kind: str,
    title: str,
    query: str,
    minutes: int,
    severity: Severity = Severity.TICKET,
    of: str = "",
) -> Alert:
    made = runbook(kind, service)
    return Alert(f"{of}{kind}", f"{service.name}: {title}", query, minutes, severity, made)
