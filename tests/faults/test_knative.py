"""The same behind Knative's gateway, where the transformer knows one address only."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from local.api import condition_status
from tests.faults.test_triton import PODS, RATE, SMALL, note, note_shares
from tests.local.cluster import eventually
from tests.local.stack.load import load
from tests.local.stack.programs import kill

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.local.stack.knative.conftest import KnativeStack

_PREDICTOR = "digits-predictor"


@pytest.fixture(scope="module", params=["http", "grpc"])
def protocol(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def deployed(knative: KnativeStack, protocol: str) -> KnativeStack:
    """Three pods of Triton behind one transformer."""
    replicas = {"minReplicas": PODS, "maxReplicas": PODS}
    knative.deploy(protocol=protocol, predictor=SMALL | replicas, perf={"enabled": False})
    return knative


@pytest.fixture
def whole(deployed: KnativeStack) -> KnativeStack:
    def ready() -> bool:
        pods = deployed.pods(_PREDICTOR)
        return len(pods) == PODS and all(condition_status(pod, "Ready") == "True" for pod in pods)

    eventually(ready, 120)
    return deployed


def test_pods_get_equal_shares(
    whole: KnativeStack, protocol: str, measured: Callable[..., None]
) -> None:
    note_shares(whole, whole.pods(_PREDICTOR), f"three pods, Knative, {protocol}", measured)


def test_a_killed_queue_proxy_costs_no_request(
    whole: KnativeStack, protocol: str, measured: Callable[..., None]
) -> None:
    with load(whole, RATE) as loaded:
        time.sleep(3)
        kill(whole.cluster, whole.pods(_PREDICTOR)[0], "queue-proxy", "knative-queue")
    note(measured, f"one of three queue-proxies crashes, Knative, {protocol}", loaded)


def test_triton_goes_to_zero_behind_a_transformer_that_stays(
    knative: KnativeStack, measured: Callable[..., None]
) -> None:
    knative.deploy(predictor=SMALL | {"minReplicas": 0, "idleSeconds": 1}, perf={"enabled": False})
    started = time.monotonic()
    eventually(lambda: not knative.pods(_PREDICTOR), 240)
    gone = time.monotonic() - started
    assert len(knative.pods("digits-transformer")) == 1
    started = time.monotonic()
    assert knative.predict()["label"]
    first = time.monotonic() - started
    measured(
        "Pods of Triton",
        "`predictor.minReplicas: 0` behind a transformer that stays, Knative",
        f"no pod after {gone:.0f} s; then the first answer takes {first:.1f} s",
    )
