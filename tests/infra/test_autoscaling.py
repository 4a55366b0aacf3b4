"""How pods are scaled where a stack sets the autoscaler's behavior or metrics."""

from __future__ import annotations

from typing import Any

import pytest

from tests.infra.program import run
from tests.infra.test_canary import canary
from tests.infra.test_serving_options import refused

SLOWLY = {"scaleDown": {"stabilizationWindowSeconds": 900}}
SCALED = {"minReplicas": 2, "maxReplicas": 6, "scaleMetric": "memory", "scaleTarget": 70}
CHANGES: dict[str, Any] = {"predictor": SCALED | {"behavior": SLOWLY}}
CLASS = "serving.kserve.io/autoscalerClass"


def test_the_stack_scales_what_kserve_then_leaves_alone() -> None:
    engine = run("local", CHANGES)
    assert engine.one("InferenceService")["metadata"]["annotations"][CLASS] == "external"
    found = {each["metadata"]["name"]: each["spec"] for each in scalers(engine)}
    # KServe's own names, which it deletes, are those of the Deployments.
    assert set(found) == {"digits-predictor-scaling", "digits-transformer-scaling"}
    predictor = found["digits-predictor-scaling"]
    assert predictor["scaleTargetRef"]["name"] == "digits-predictor"
    assert (predictor["minReplicas"], predictor["maxReplicas"]) == (2, 6)
    assert predictor["behavior"] == SLOWLY
    (metric,) = predictor["metrics"]
    assert metric["resource"] == {
        "name": "memory",
        "target": {"type": "Utilization", "averageUtilization": 70},
    }
    # One that is not scaled keeps its number of pods.
    transformer = found["digits-transformer-scaling"]
    assert (transformer["minReplicas"], transformer["maxReplicas"]) == (1, 1)


def scalers(engine: Any) -> list[dict[str, Any]]:
    return list(engine.of(":HorizontalPodAutoscaler").values())


def test_without_it_kserve_scales() -> None:
    engine = run("local", {"predictor": SCALED})
    assert CLASS not in engine.one("InferenceService")["metadata"]["annotations"]
    assert not scalers(engine)


def test_several_metrics_are_the_autoscalers_as_they_are() -> None:
    utilisation = {"type": "Utilization", "averageUtilization": 70}
    metrics = [
        {"type": "Resource", "resource": {"name": name, "target": utilisation}}
        for name in ("cpu", "memory")
    ]
    predictor = {"maxReplicas": 6, "scaleMetrics": metrics}
    engine = run("local", {"predictor": predictor})
    found = {each["metadata"]["name"]: each["spec"] for each in scalers(engine)}
    assert found["digits-predictor-scaling"]["metrics"] == metrics
    (metric,) = found["digits-transformer-scaling"]["metrics"]
    assert metric["resource"]["name"] == "cpu"


@pytest.mark.parametrize(
    ("percent", "beside", "left"), [(75, (2, 2), (1, 6)), (50, (1, 1), (1, 6)), (0, (1, 1), (1, 6))]
)
def test_a_canary_takes_its_share_of_the_pods(
    percent: int, beside: tuple[int, int], left: tuple[int, int]
) -> None:
    found = {each["metadata"]["name"]: each["spec"] for each in scalers(canary(CHANGES, percent))}
    replicas = {name: (each["minReplicas"], each["maxReplicas"]) for name, each in found.items()}
    assert replicas["digits-canary-predictor-scaling"] == beside
    assert replicas["digits-predictor-scaling"] == left


def test_a_canary_takes_its_share_of_a_fixed_number_too() -> None:
    changes = {"predictor": {"minReplicas": 4, "maxReplicas": 4}}
    changes["transformer"] = {"maxReplicas": 2, "behavior": SLOWLY}
    found = {each["metadata"]["name"]: each["spec"] for each in scalers(canary(changes, 25))}
    left = found["digits-predictor-scaling"]
    assert (left["minReplicas"], left["maxReplicas"]) == (3, 3)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"mode": "Knative"}, "predictor.behavior: found one in mode Knative"),
        ({"predictor": SCALED | {"minReplicas": 6}}, "with 6 to 6 replicas"),
        ({"predictor": SCALED | {"behavior": {"scaleSideways": {}}}}, "predictor.behavior"),
        (
            {"predictor": SCALED | {"scaleMetrics": [{"type": "Resource"}]}},
            "scaleMetric, scaleMetrics: found both",
        ),
    ],
)
def test_behavior_that_nothing_would_follow_is_refused(
    changes: dict[str, Any], expected: str
) -> None:
    predictor = CHANGES["predictor"] | {"scaleMetric": None, "scaleTarget": None}
    given = {"predictor": predictor | changes.get("predictor", {})}
    if changes.get("mode") == "Knative":
        given |= {"mode": "Knative"}
    assert expected in refused(given)
