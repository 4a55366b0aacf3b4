"""What ends while requests come: pods that have a second one beside them, and single ones."""

from __future__ import annotations

import os
import signal
from datetime import datetime
from typing import TYPE_CHECKING

import pytest

from local.api import condition_status
from tests.local.cluster import eventually
from tests.local.stack.load import load
from tests.local.stack.programs import kill

if TYPE_CHECKING:
    from local.api import Object
    from tests.local.cluster import Cluster
    from tests.local.stack.knative.conftest import KnativeStack
    from tests.local.stack.load import Load

_SERVICES = ("digits-transformer", "digits-predictor")
_REPLICAS = 2
# So many answers one after the other, and it is healed.
_ENOUGH = 60
# While its pod is restarted the other one serves.
_SOON = 5.0


def _deploy(stack: KnativeStack, **env: str) -> None:
    """Two pods of each. Another environment makes others of the predictor."""
    twice = {"minReplicas": _REPLICAS, "maxReplicas": _REPLICAS}
    stack.deploy(
        predictor=stack.settings["predictor"] | twice | {"env": env},
        transformer=stack.settings["transformer"] | twice,
        perf={"enabled": False},
    )


@pytest.fixture(scope="module")
def doubled(knative: KnativeStack) -> KnativeStack:
    _deploy(knative)
    return knative


@pytest.fixture
def whole(doubled: KnativeStack) -> KnativeStack:
    """All its pods are ready."""
    _wait(doubled)
    return doubled


def _wait(stack: KnativeStack) -> None:
    eventually(lambda: all(_are_ready(stack, service) for service in _SERVICES), 90)


def _are_ready(stack: KnativeStack, service: str) -> bool:
    ready = [condition_status(pod, "Ready") == "True" for pod in stack.pods(service)]
    return len(ready) == _REPLICAS and all(ready)


def _find(cluster: Cluster, namespace: str, app: str) -> Object:
    """The one pod of a Deployment of the data plane."""
    path = f"/api/v1/namespaces/{namespace}/pods?labelSelector=app%3D{app}"
    (pod,) = cluster.api.get(path)["items"]
    return pod


def _is_served(stack: KnativeStack) -> bool:
    return all(stack.predict()["label"] for _ in range(_ENOUGH))


def _check(loaded: Load) -> None:
    """Nothing was lost."""
    assert loaded.hits
    assert not loaded.lost, loaded.lost[:5]


def _outage(loaded: Load) -> float:
    """Seconds from the first request that was lost to the last one, after which all is well."""
    assert loaded.hits[-1]["code"] == 200
    lost = [datetime.fromisoformat(hit["timestamp"]) for hit in loaded.hits if hit["code"] != 200]
    return (lost[-1] - lost[0]).total_seconds() if lost else 0.0


def _report(what: str, loaded: Load) -> str:
    lost, sent = len(loaded.lost), len(loaded.hits)
    return f"\n{what}: healed in {_outage(loaded):.1f} s, {lost} of {sent} requests lost"


def test_a_rollout_loses_nothing(whole: KnativeStack) -> None:
    with load(whole) as loaded:
        _deploy(whole, TRY="again")
    _check(loaded)


def test_deleted_pods_lose_nothing(whole: KnativeStack) -> None:
    """One of each, until their queue-proxies have ended: half a minute later."""
    names = [whole.pods(service)[0]["metadata"]["name"] for service in _SERVICES]
    paths = [f"/api/v1/namespaces/{whole.namespace}/pods/{name}" for name in names]
    with load(whole) as loaded:
        for path in paths:
            whole.cluster.api.delete(path)
        eventually(lambda: not any(map(whole.cluster.api.find, paths)), 90)
        _wait(whole)
    _check(loaded)


@pytest.mark.parametrize("name", ["activator", "autoscaler"])
def test_what_is_not_in_the_path_of_requests_may_crash(whole: KnativeStack, name: str) -> None:
    pod = _find(whole.cluster, "knative-serving", name)
    with load(whole) as loaded:
        kill(whole.cluster, pod, name, f"knative-{name}")
    _check(loaded)


@pytest.mark.parametrize("service", _SERVICES)
def test_a_killed_queue_proxy_is_back(
    whole: KnativeStack, service: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Kourier's Envoy tries no request a second time; the transformer does so with Triton's."""
    pod = whole.pods(service)[0]
    with load(whole) as loaded:
        kill(whole.cluster, pod, "queue-proxy", "knative-queue")
        eventually(lambda: _is_served(whole))
    with capsys.disabled():
        print(_report(f"queue-proxy of {service}", loaded))
    if service == "digits-predictor":
        _check(loaded)
    assert _outage(loaded) < _SOON


def test_a_killed_envoy_is_back(whole: KnativeStack, capsys: pytest.CaptureFixture[str]) -> None:
    pod = _find(whole.cluster, "kourier-system", "3scale-kourier-gateway")
    with load(whole) as loaded:
        kill(whole.cluster, pod, "kourier-gateway", "envoy")
        eventually(lambda: _is_served(whole))
    with capsys.disabled():
        print(_report("Envoy", loaded))
    assert loaded.lost


def test_a_node_agent_that_starts_again_serves_again(
    whole: KnativeStack, capsys: pytest.CaptureFixture[str]
) -> None:
    before = whole.cluster.now().processes["node"]
    with load(whole) as loaded:
        os.kill(before.pid, signal.SIGKILL)
        eventually(lambda: not before.runs())
        eventually(lambda: _is_served(whole), 120)
    with capsys.disabled():
        print(_report("node agent", loaded))
    assert loaded.lost
