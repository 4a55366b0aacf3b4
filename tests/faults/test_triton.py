"""Faults of Triton's pods and of the way to them, at 100 requests a second and at 1,000."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from local.api import condition_status
from tests.faults.served import PYTHON, pod, run_python
from tests.local.cluster import eventually
from tests.local.node.conftest import python
from tests.local.stack.load import load
from tests.local.stack.programs import find, in_its_network, kill, node_process

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from local.api import Object
    from tests.local.node.conftest import Pods
    from tests.local.stack.conftest import Stack
    from tests.local.stack.load import Load

RATE, _HIGH_RATE = 100, 1000
PODS = 3
SMALL = {"cpu": "100m", "memory": "512Mi"}
# How long a pod is silent: longer than any attempt, shorter than its probe's patience.
_SILENT_SECONDS = 15
_BEFORE_SECONDS = 3
_SHARED_SECONDS = 10
_TABLE = "Triton under load"
# Asked inside the cluster, where the pods have their addresses.
_COUNT = """
import json, sys, urllib.request
for address in sys.argv[1:]:
    url = f"http://{address}:8080/v2/models/digits/stats"
    (stats,) = json.load(urllib.request.urlopen(url))["model_stats"]
    print(stats["inference_stats"]["success"]["count"])
"""


def _deploy(stack: Stack, protocol: str, placement: str, pods: int, **env: str) -> None:
    """Another environment makes other pods of the predictor."""
    replicas = {"minReplicas": pods, "maxReplicas": pods}
    stack.deploy(
        protocol=protocol,
        placement=placement,
        predictor=SMALL | replicas | {"env": env},
        transformer={"cpu": "100m"},
        perf={"enabled": False},
    )


@pytest.fixture(scope="module", params=["http", "grpc"])
def protocol(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def deployed(stack: Stack, protocol: str) -> Iterator[Stack]:
    """Three pods of Triton behind one transformer."""
    _deploy(stack, protocol, "separate", PODS)
    yield stack


@pytest.fixture(scope="module")
def client(pods: Pods) -> int:
    """A process of a pod that stays."""
    name = pods.run(python("import time; time.sleep(9999)"))
    pods.phase(name, "Running")
    return find(pods.cluster, name, PYTHON.resolve().name)


@pytest.fixture
def whole(deployed: Stack) -> Stack:
    """All pods are ready."""
    eventually(lambda: len(_pods(deployed)) == PODS and all(map(_is_ready, _pods(deployed))), 90)
    return deployed


def _pods(stack: Stack) -> list[Object]:
    """Triton's pods that are not ending."""
    return [pod for pod in _all(stack) if "deletionTimestamp" not in pod["metadata"]]


def _is_ready(pod: Object) -> bool:
    return condition_status(pod, "Ready") == "True"


def test_pods_get_equal_shares(whole: Stack, protocol: str, measured: Callable[..., None]) -> None:
    note_shares(whole, _pods(whole), f"three pods, Standard, {protocol}", measured)


def _delete(stack: Stack, pod: Object) -> None:
    path = f"/api/v1/namespaces/{stack.namespace}/pods/{pod['metadata']['name']}"
    stack.cluster.api.delete(path)
    eventually(lambda: stack.cluster.api.find(path) is None, 120)


def _crash(stack: Stack, pod: Object) -> None:
    kill(stack.cluster, pod, "kserve-container", "tritonserver")


def _hang(stack: Stack, pod: Object) -> None:
    process = find(stack.cluster, pod["metadata"]["name"], "tritonserver")
    os.kill(process, signal.SIGSTOP)
    try:
        time.sleep(_SILENT_SECONDS)
    finally:
        os.kill(process, signal.SIGCONT)


def _cut_off(stack: Stack, pod: Object) -> None:
    """Whatever is sent to the pod, on old and new connections, gets lost."""
    cable = f"pod{pod['status']['podIP'].rpartition('.')[2]}"
    link = [*in_its_network(node_process(stack.cluster)), "ip", "link", "set", cable]
    subprocess.run([*link, "down"], check=True)
    try:
        time.sleep(_SILENT_SECONDS)
    finally:
        subprocess.run([*link, "up"], check=True)


@pytest.mark.parametrize(
    ("fault", "break_it"),
    [
        ("one of three pods is deleted", _delete),
        ("one of three Tritons crashes", _crash),
        ("one of three Tritons hangs for 15 s", _hang),
        ("one of three pods is cut off for 15 s", _cut_off),
    ],
)
def test_a_pod_that_fails_costs_no_request(
    whole: Stack,
    protocol: str,
    measured: Callable[..., None],
    fault: str,
    break_it: Callable[[Stack, Object], None],
) -> None:
    with load(whole, RATE) as loaded:
        time.sleep(_BEFORE_SECONDS)
        break_it(whole, _pods(whole)[0])
    note(measured, f"{fault}, {protocol}", loaded)


def note_shares(stack: Stack, pods: list[Object], row: str, measured: Callable[..., None]) -> None:
    """Measure which part of the requests each pod gets. None may have less than half of a share."""
    addresses = [pod["status"]["podIP"] for pod in pods]
    before = _counts(stack, addresses)
    with load(stack, RATE):
        time.sleep(_SHARED_SECONDS)
    gained = [now - then for now, then in zip(_counts(stack, addresses), before, strict=True)]
    shares = [count / sum(gained) for count in gained]
    measured("Pods of Triton", f"shares of {row}", " / ".join(f"{each:.1%}" for each in shares))
    assert min(shares) >= 1 / len(pods) / 2


def _counts(stack: Stack, addresses: list[str]) -> list[int]:
    """Requests that each pod has answered since it started."""
    where = pod(stack, "transformer")
    return [int(line) for line in run_python(stack, where, _COUNT, *addresses).split()]


@pytest.mark.parametrize("placement", ["separate", "collocated"])
@pytest.mark.parametrize("rate", [RATE, _HIGH_RATE])
def test_a_rollout_loses_nothing(
    stack: Stack,
    client: int,
    protocol: str,
    measured: Callable[..., None],
    placement: str,
    rate: int,
) -> None:
    _deploy(stack, protocol, placement, 1)
    service = "digits-transformer" if placement == "separate" else "digits-predictor"
    with load(stack, rate, service, pod=client) as loaded:
        time.sleep(_BEFORE_SECONDS)
        before = _names(stack)
        _deploy(stack, protocol, placement, 1, TRY=str(rate))
        # Until the old pods have ended.
        eventually(lambda: not before & _names(stack), 120)
    note(measured, f"rollout of one pod at {rate:,}/s, {placement}, {protocol}", loaded)


def _names(stack: Stack) -> set[str]:
    return {pod["metadata"]["name"] for pod in _all(stack)}


def _all(stack: Stack) -> list[Object]:
    """Triton's pods, ending ones too."""
    return [
        pod for pod in stack.list("pods") if pod["metadata"]["name"].startswith("digits-predictor")
    ]


def note(measured: Callable[..., None], row: str, loaded: Load) -> None:
    """A row: requests, lost ones, the slowest answer, and how long not all were fast.

    None may be lost, apart from those that the transformer refuses since the machine is too slow
    for their rate.
    """
    figures = f"{loaded.slowest * 1000:,.0f} ms", f"{loaded.healed:.1f} s"
    refused = sum("busy with" in each for each in loaded.lost)
    text = f"{len(loaded.lost):,}" + (f" ({refused:,} refused as too many)" if refused else "")
    measured(_TABLE, row, f"{len(loaded.hits):,}", text, *figures)
    assert len(loaded.lost) == refused, [each for each in loaded.lost if "busy with" not in each]
