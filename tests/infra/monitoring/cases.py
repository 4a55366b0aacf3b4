"""Services of every kind that settings allow, and what a query asks for, by a PromQL parser."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import promql_parser
from hypothesis import strategies as st

from infra.config import ModelSettings, MonitoringSettings
from infra.manifests.monitoring.alerts import alerts
from infra.manifests.monitoring.dashboard import charts
from infra.manifests.monitoring.service import Service

if TYPE_CHECKING:
    from collections.abc import Sequence


def settings(**keys: Any) -> ModelSettings:
    """A model's settings by their keys in a stack's file; the rest by default."""
    return ModelSettings.model_validate(keys)


def service(name: str = "digits", **keys: Any) -> Service:
    return Service(name, "models", settings(**keys))


def without_transformer() -> dict[str, Any]:
    return {"transformer": {"enabled": False}, "perf": {"target": "predictor"}}


# A server of the user's own on KServe's SDK.
OWN: dict[str, Any] = {"image": "registry.example/mine:1", "args": []}


@st.composite
def services(draw: st.DrawFn) -> Service:
    """Any service: device, placement, transformer, replicas, objectives."""
    transformer, own = draw(st.booleans()), draw(st.booleans())
    least = draw(st.integers(0, 3))
    replicas = {"minReplicas": least, "maxReplicas": max(1, least + draw(st.integers(0, 2)))}
    objectives = {
        "p99Ms": draw(st.floats(0.01, 20_000)),
        "successRatio": draw(st.floats(0.5, 1)),
    }
    keys: dict[str, Any] = {
        "device": draw(st.sampled_from(["cpu", "gpu"])),
        "mode": "Knative",
        "placement": draw(st.sampled_from(["separate", "collocated"]))
        if transformer and not own
        else "separate",
        "predictor": replicas,
        "transformer": {"enabled": transformer} | replicas | (OWN if own else {}),
        "perf": {
            "target": "transformer" if transformer else "predictor",
            "objectives": objectives,
        },
    }
    return service(**keys)


def queries(found: Sequence[Service], monitoring: MonitoringSettings | None = None) -> list[str]:
    """All that alerts and dashboard ask for."""
    monitoring = monitoring or MonitoringSettings()
    conditions = [alert.query for one in found for alert in alerts(one, monitoring)]
    return conditions + [query for chart in charts(found) for query in chart.lines.values()]


def selectors(query: str) -> list[Any]:
    """Every selector of series in a query; raises ValueError for what is no PromQL."""
    seen: list[Any] = []

    def visit(node: Any) -> None:
        if isinstance(node, promql_parser.VectorSelector):
            seen.append(node)
        elif isinstance(node, promql_parser.MatrixSelector):
            seen.append(node.vector_selector)

    promql_parser.walk(promql_parser.parse(query), visit)
    return seen


def metrics(query: str) -> set[str]:
    return {selector.name for selector in selectors(query)}


def matched(selector: Any) -> dict[str, str]:
    """Label -> value that a selector names."""
    return {matcher.name: matcher.value for matcher in selector.matchers.matchers}
