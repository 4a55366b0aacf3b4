"""Replicas as Knative's autoscaler sets them, for a stack's settings: to zero, and up and down."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
import urllib3

from tests.local.cluster import eventually
from tests.local.stack.load import load

if TYPE_CHECKING:
    from tests.local.stack.knative.conftest import KnativeStack

_TRANSFORMER, _PREDICTOR = "digits-transformer", "digits-predictor"
_IDLE_SECONDS = 20
_REQUESTS_A_POD = {_PREDICTOR: 10, _TRANSFORMER: 20}
# Of its target the autoscaler fills this much.
_UTILIZATION = 0.7
_STEADY, _PEAK = 4, 14
# A request that the queue-proxy lets through waits so long for another to share its batch.
_BATCHING = {"queueDelayMicroseconds": 20_000}
_AT_ONCE = 8


def _to_zero(service: str, **more: Any) -> dict[str, Any]:
    target = _REQUESTS_A_POD[service]
    return {"minReplicas": 0, "maxReplicas": 4, "scaleMetric": "rps", "scaleTarget": target} | more


@pytest.fixture(scope="module")
def scaled(knative: KnativeStack) -> KnativeStack:
    """One model that scales to zero whole, and one whose transformer stays."""
    predictor, transformer = knative.settings["predictor"], knative.settings["transformer"]
    limited = {"minReplicas": 0, "containerConcurrency": 1}
    knative.deploy(
        perf={"enabled": False},
        triton=_BATCHING,
        models={
            "digits": {
                "predictor": predictor | _to_zero(_PREDICTOR, idleSeconds=_IDLE_SECONDS),
                "transformer": transformer | _to_zero(_TRANSFORMER),
            },
            "cifar10": {"predictor": predictor | limited},
        },
    )
    return knative


def _ready(stack: KnativeStack, service: str) -> int:
    """Pods that are ready."""
    return sum(
        condition["status"] == "True"
        for pod in stack.pods(service)
        for condition in pod["status"].get("conditions", ())
        if condition["type"] == "Ready"
    )


def _nothing_runs(stack: KnativeStack, *services: str) -> bool:
    return not any(stack.pods(service) for service in services)


def _statistics(stack: KnativeStack, model: str) -> tuple[int, int]:
    """Requests and batches that Triton has run in one of the model's pods, since it started."""
    answer = urllib3.request(
        "GET",
        f"http://{stack.gateway}/v2/models/{model}/stats",
        headers={"Host": stack.host(f"{model}-predictor")},
    )
    (stats,) = answer.json()["model_stats"]
    return int(stats["inference_stats"]["success"]["count"]), int(stats["execution_count"])


def test_container_concurrency_is_how_many_requests_a_container_gets_at_once(
    scaled: KnativeStack,
) -> None:
    def batched(model: str) -> bool:
        requests, batches = _statistics(scaled, model)
        return batches < requests

    for model in ("digits", "cifar10"):
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            services = [f"{model}-transformer"] * _AT_ONCE * 8
            assert all(pool.map(scaled.predict, services, [model] * len(services)))
    # Of several pods each request reaches another.
    eventually(lambda: batched("digits"))
    requests, batches = _statistics(scaled, "cifar10")
    assert requests == batches
    assert requests >= _AT_ONCE * 8


def test_both_reach_zero_and_the_one_with_idle_seconds_that_much_later(
    scaled: KnativeStack,
) -> None:
    scaled.predict()
    eventually(lambda: _nothing_runs(scaled, _TRANSFORMER), 120)
    began = time.monotonic()
    eventually(lambda: _nothing_runs(scaled, _PREDICTOR), 120)
    # They have become idle together, and the transformer stayed for a grace period of 5 s.
    assert time.monotonic() - began > _IDLE_SECONDS / 2


def test_a_cold_start_loses_no_request(
    scaled: KnativeStack, capsys: pytest.CaptureFixture[str]
) -> None:
    eventually(lambda: _nothing_runs(scaled, _TRANSFORMER, _PREDICTOR), 120)
    with load(scaled, _STEADY) as made:
        assert scaled.predict()["label"]
    assert made.hits
    assert not made.lost
    with capsys.disabled():
        print(f"\ncold start, both at zero: {made.hits[0]['latency'] / 1e9:.1f} s")


def test_a_predictor_reaches_zero_behind_a_transformer_that_stays(scaled: KnativeStack) -> None:
    eventually(lambda: _nothing_runs(scaled, "cifar10-predictor"), 90)
    assert _ready(scaled, "cifar10-transformer") == 1
    assert scaled.predict("cifar10-transformer", "cifar10")["label"]


def test_replicas_follow_the_load_by_each_scale_target_and_nothing_is_lost(
    scaled: KnativeStack,
) -> None:
    def replicas() -> dict[str, int]:
        return {service: _ready(scaled, service) for service in _REQUESTS_A_POD}

    def wanted(rate: int) -> dict[str, int]:
        return {
            service: -int(-rate // (target * _UTILIZATION))
            for service, target in _REQUESTS_A_POD.items()
        }

    with load(scaled, _STEADY) as steady:
        with load(scaled, _PEAK) as peak:
            assert wanted(_STEADY + _PEAK) == {_PREDICTOR: 3, _TRANSFORMER: 2}
            eventually(lambda: replicas() == wanted(_STEADY + _PEAK), 60)
        assert wanted(_STEADY) == {_PREDICTOR: 1, _TRANSFORMER: 1}
        eventually(lambda: replicas() == wanted(_STEADY), 60)
    assert not peak.lost
    assert not steady.lost
