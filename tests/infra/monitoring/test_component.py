"""The component under Pulumi's mocks, for two models: what the engine was asked to make."""

from __future__ import annotations

import json
from typing import Any

import pulumi
import pytest

from infra.components.monitoring import Monitoring, MonitoringArgs, label_value
from infra.config import ModelSettings, MonitoringSettings
from tests import mocks
from tests.infra.program import Recorder

CHANNEL = "projects/kserve-triton-prod/notificationChannels/42"
MODELS = {
    "digits": ModelSettings(),
    "cifar10": ModelSettings.model_validate({"device": "gpu", "predictor": {"maxReplicas": 3}}),
}


def run(stack: str = "prod", **monitoring: Any) -> Recorder:
    """Only this component, as a program would make it."""
    engine = Recorder()
    mocks.use(engine, "kserve-triton", stack)
    settings = MonitoringSettings.model_validate(monitoring)
    args = MonitoringArgs(settings, "models", "kserve-triton-prod", MODELS)

    @pulumi.runtime.test
    def program() -> None:
        engine.exports["alerts"] = Monitoring("monitoring", args).alerts

    program()
    return engine


def made(engine: Recorder) -> list[str]:
    """Types of all that was made, but for the component itself."""
    return [r.typ for r in engine.resources if not r.typ.startswith("kserve-triton:")]


@pytest.mark.parametrize("scrape", ["annotations", "none"])
def test_a_stack_without_monitoring_makes_nothing(scrape: str) -> None:
    assert made(run(scrape=scrape)) == []


def test_managed_prometheus_scrapes_without_dashboard_and_alerts() -> None:
    engine = run(scrape="podmonitoring")
    assert set(made(engine)) == {"kubernetes:monitoring.googleapis.com/v1:PodMonitoring"}
    assert {each["metadata"]["name"] for each in engine.of(":PodMonitoring").values()} == {
        "digits-predictor",
        "digits-transformer",
        "cifar10-predictor",
        "cifar10-transformer",
    }


def test_pods_that_others_scrape_are_monitored_all_the_same() -> None:
    engine = run(enabled=True, scrape="none")
    assert not engine.of(":PodMonitoring")
    assert engine.of(":AlertPolicy") and engine.of(":Dashboard")


def test_a_stack_has_one_dashboard_with_all_its_models() -> None:
    board = run(enabled=True).one(":Dashboard")
    assert board["project"] == "kserve-triton-prod"
    shown = json.loads(board["dashboardJson"])
    assert shown["displayName"] == "kserve-triton prod"
    assert {"digits", "cifar10"} <= {
        data["legendTemplate"]
        for tile in shown["mosaicLayout"]["tiles"]
        for data in tile["widget"]["xyChart"]["dataSets"]
    }


def test_a_model_has_only_alerts_on_what_it_has() -> None:
    engine = run(enabled=True)
    assert "monitoring-cifar10-GpuUtilisation" in engine.of(":AlertPolicy")
    assert "monitoring-digits-GpuUtilisation" not in engine.of(":AlertPolicy")
    assert len(engine.of(":AlertPolicy")) == len(engine.exports["alerts"])


def test_an_alert_says_where_how_urgent_whom_and_what_to_do() -> None:
    policies = run(enabled=True, notificationChannels=[CHANNEL]).of(":AlertPolicy")
    policy = policies["monitoring-digits-ErrorBudgetPage"]
    assert policy["project"] == "kserve-triton-prod"
    assert policy["severity"] == "CRITICAL"
    assert policy["notificationChannels"] == [CHANNEL]
    assert policy["userLabels"] == {"stack": "prod", "model": "digits", "managed-by": "pulumi"}
    assert "kubectl" in policy["documentation"]["content"]
    assert policies["monitoring-digits-ErrorBudgetTicket"]["severity"] == "WARNING"


def test_a_condition_is_in_promql_and_may_come_before_its_metrics() -> None:
    policy = run(enabled=True).of(":AlertPolicy")["monitoring-cifar10-PredictorReplicasAtMaximum"]
    (condition,) = policy["conditions"]
    promql = condition["conditionPrometheusQueryLanguage"]
    assert promql["query"].endswith(">= 3")
    assert promql["duration"] == "900s"
    assert promql["disableMetricValidation"] is True


@pytest.mark.parametrize(
    ("stack", "label"), [("prod", "prod"), ("Team.A_dev", "team-a_dev"), ("x" * 80, "x" * 63)]
)
def test_a_stacks_name_becomes_a_label_that_google_takes(stack: str, label: str) -> None:
    assert label_value(stack) == label
