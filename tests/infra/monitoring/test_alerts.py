"""Which alerts a service has, at which thresholds, and what they tell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import promql_parser
import pytest
from hypothesis import given

from infra.config import MonitoringSettings
from infra.manifests.monitoring.alerts import Alert, Severity, alerts, error_budget
from tests.infra.monitoring.cases import service, services, without_transformer

if TYPE_CHECKING:
    from infra.manifests.monitoring.service import Service


def found(one: Service, **monitoring: Any) -> dict[str, Alert]:
    return {
        alert.name: alert for alert in alerts(one, MonitoringSettings.model_validate(monitoring))
    }


def threshold(alert: Alert) -> float:
    """The right side of a condition that compares once."""
    comparison: Any = promql_parser.parse(alert.query)
    return float(comparison.rhs.val)


def replicated(component: str, **replicas: int) -> Service:
    keys: dict[str, Any] = {component: replicas}
    return service(**keys)


def compares(node: Any) -> bool:
    """It has a value only under a condition, however conditions are combined."""
    if isinstance(node, promql_parser.ParenExpr):
        return compares(node.expr)
    if str(node.op) in ("and", "or"):
        return compares(node.lhs) and compares(node.rhs)
    return str(node.op) in (">", ">=", "<")


def test_a_plain_service_has_alerts_for_objectives_queue_readiness_and_budgets() -> None:
    assert set(found(service())) == {
        "ErrorRatio",
        "LatencyP99",
        "QueueTime",
        "PredictorNotReady",
        "TransformerNotReady",
        "ErrorBudgetPage",
        "ErrorBudgetTicket",
        "LatencyBudgetPage",
        "LatencyBudgetTicket",
    }


def test_alerts_follow_the_load_tests_objectives() -> None:
    objectives = {"p99Ms": 25, "successRatio": 0.99}
    made = found(service(perf={"objectives": objectives}))
    assert threshold(made["ErrorRatio"]) == 0.01
    assert threshold(made["LatencyP99"]) == 0.025
    assert 'le="0.025"' in made["LatencyBudgetPage"].query


def test_gpus_are_watched_on_device_gpu_only() -> None:
    assert threshold(found(service(device="gpu"))["GpuUtilisation"]) == 0.9
    assert "GpuUtilisation" not in found(service(device="cpu"))


def test_a_bound_that_no_gpu_can_pass_is_no_alert() -> None:
    assert "GpuUtilisation" not in found(service(device="gpu"), gpuUtilisation=1)


@pytest.mark.parametrize("component", ["predictor", "transformer"])
def test_replicas_are_watched_where_there_is_a_choice(component: str) -> None:
    name = f"{component.capitalize()}ReplicasAtMaximum"
    scaled = found(replicated(component, maxReplicas=3))
    assert threshold(scaled[name]) == 3
    assert scaled[name].minutes == 15
    assert name not in found(replicated(component, minReplicas=3, maxReplicas=3))


def test_beside_triton_the_transformer_has_no_replicas_of_its_own() -> None:
    beside = service(placement="collocated", transformer={"maxReplicas": 3})
    assert not {name for name in found(beside) if name.startswith("Transformer")}


def test_a_service_that_may_scale_to_zero_is_not_missed() -> None:
    idle = service(mode="Knative", predictor={"minReplicas": 0})
    assert "PredictorNotReady" not in found(idle)
    assert "TransformerNotReady" in found(idle)


def test_what_the_batcher_waits_for_is_no_queue() -> None:
    waiting = service(triton={"queueDelayMicroseconds": 5000})
    assert threshold(found(waiting, queueMs=10)["QueueTime"]) == pytest.approx(0.015)


def test_without_a_transformer_nobody_knows_percentiles() -> None:
    made = found(service(**without_transformer()))
    assert not {name for name in made if name.startswith("Latency")}


def test_a_percentile_beyond_the_last_bucket_is_never_compared() -> None:
    made = found(service(perf={"objectives": {"p99Ms": 60_000}}))
    assert "LatencyP99" not in made
    assert "LatencyBudgetPage" in made


def test_an_objective_of_no_failures_at_all_has_no_budget() -> None:
    made = found(service(perf={"objectives": {"successRatio": 1}}))
    assert threshold(made["ErrorRatio"]) == 0
    assert not {name for name in made if name.startswith("ErrorBudget")}


def test_people_are_woken_for_fast_burn_and_for_nobody_served_only() -> None:
    made = found(service(device="gpu", predictor={"maxReplicas": 2}))
    paging = {name for name, alert in made.items() if alert.severity is Severity.PAGE}
    assert paging == {
        "PredictorNotReady",
        "TransformerNotReady",
        "ErrorBudgetPage",
        "LatencyBudgetPage",
    }


@given(services())
def test_names_are_unique_and_what_prometheus_takes(one: Service) -> None:
    names = [alert.name for alert in alerts(one, MonitoringSettings())]
    assert len(names) == len(set(names))
    assert all(name.isascii() and name.isidentifier() for name in names)


@given(services())
def test_every_alert_says_what_to_look_at_first(one: Service) -> None:
    for alert in alerts(one, MonitoringSettings()):
        assert f"-n {one.namespace}" in alert.runbook
        assert one.name in alert.runbook
        # Cloud Monitoring's own limit, and what it would take for a variable.
        assert len(alert.runbook) < 8192
        assert "$" not in alert.runbook


@given(services())
def test_a_condition_compares(one: Service) -> None:
    for alert in alerts(one, MonitoringSettings()):
        assert compares(promql_parser.parse(alert.query))


def test_the_error_budget_is_what_the_objective_leaves() -> None:
    assert error_budget(service(perf={"objectives": {"successRatio": 0.999}})) == 0.001
