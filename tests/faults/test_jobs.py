"""What goes wrong around the Jobs: each fault during one `pulumi up`, and how that ends."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from local.api import ApiError
from tests.faults.obstacles import (
    CORE,
    JOB,
    NAMESPACE,
    PREDICTOR,
    PREDICTORS,
    TRANSFORMER,
    drain,
    full_node,
    policy,
    quota,
    restricted,
    silent_bucket,
)
from tests.local.cluster import eventually
from tests.local.stack.conftest import kubectl_patch
from tests.local.stack.programs import find

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from local.api import Object
    from tests.local.stack.conftest import Stack
    from tests.local.stack.knative.conftest import KnativeStack

    Row = Callable[[str, "Update", str], None]

_REPLICAS = 4
_SMALL: dict[str, Any] = {"cpu": str(PREDICTOR), "memory": "512Mi"}
_PYTHON = Path(sys.executable).resolve().name


@dataclass(frozen=True)
class Update:
    """A `pulumi up`, from its start to its end."""

    seconds: float
    passed: bool
    said: str


@pytest.fixture
def row(measured: Callable[..., None]) -> Row:
    """A row: what goes wrong, the update, and what its output has or what came of it."""

    def add(name: str, update: Update, outcome: str) -> None:
        ended = "passes" if update.passed else "fails"
        text = " ".join(outcome.split()).replace("|", "/")
        measured("Jobs", name, f"{update.seconds:.0f}", f"{ended}: {text}")

    return add


@pytest.fixture(scope="module")
def deployed(stack: Stack) -> Stack:
    """A stack whose models are up, so that an update has one thing to do."""
    done = _update(stack)
    assert done.passed, done.said
    return stack


def _update(stack: Stack, deadline: int = 90, replicas: int = 1, **changes: Any) -> Update:
    """Another environment makes other pods of the predictor."""
    predictor = _SMALL | {"minReplicas": replicas, "maxReplicas": replicas}
    settings: dict[str, Any] = {
        "predictor": predictor | {"env": changes.pop("env", {})},
        "transformer": {"cpu": str(TRANSFORMER)} | changes.pop("transformer", {}),
        "jobs": {"cpu": str(JOB)},
        "verification": {"deadlineSeconds": deadline},
        "perf": {"enabled": False},
    }
    begun = time.monotonic()
    done = stack.up(**settings | changes)
    said = done.stdout[done.stdout.find("Diagnostics:") :] + done.stderr
    return Update(time.monotonic() - begun, done.returncode == 0, said)


@contextlib.contextmanager
def _updating(stack: Stack, **changes: Any) -> Iterator[list[Update]]:
    """An update that goes on during the block; it is in the list after it."""
    made: list[Update] = []
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(_update, stack, **changes)
        yield made
        made.append(future.result())


def _found(update: Update, pattern: str) -> str:
    """The part of the update's output that says why."""
    found = re.search(pattern, update.said)
    assert found, update.said
    return found[0]


def _job_pod(stack: Stack, job: str, says: str = "") -> Object:
    """The running pod of a Job, once its log has a text."""

    def running() -> Object | None:
        for pod in stack.list("pods"):
            name = pod["metadata"]["name"]
            if name.startswith(f"{job}-digits") and _is_running(pod):
                return pod if says in _log(stack, name) else None
        return None

    found: Object = eventually(running, 90)
    return found


def _is_running(pod: Object) -> bool:
    return pod["status"]["phase"] == "Running"


def _log(stack: Stack, pod: str) -> str:
    return stack.cluster.api.text(f"{NAMESPACE}/pods/{pod}/log")


def _verdict(stack: Stack) -> str:
    """What the newest verification that passed says."""
    pods = [
        pod
        for pod in stack.list("pods")
        if pod["metadata"]["name"].startswith("verify-digits")
        and pod["status"]["phase"] == "Succeeded"
    ]
    newest = max(pods, key=lambda pod: str(pod["metadata"]["creationTimestamp"]))
    return _log(stack, newest["metadata"]["name"]).strip().splitlines()[-1]


def test_replicas_without_room(deployed: Stack, row: Row) -> None:
    with full_node(deployed) as hog:
        done = _update(deployed, deadline=15, replicas=_REPLICAS)
        assert not done.passed, done.said
        reason = _found(done, r"2 of 4 predictor pods of this version are ready")
        reason += f"; {_found(done, r'no node fits: [^.]*')}"
        row("2 of 4 replicas don't fit the node, deadline 15 s", done, reason)

        with _updating(deployed, replicas=_REPLICAS) as made:
            _job_pod(deployed, "verify", "2 of 4 predictor pods")
            deployed.cluster.api.delete(hog)
        (done,) = made
        assert done.passed, done.said
        row("2 of 4 replicas fit once another pod has gone", done, _asked(deployed))


def test_all_replicas_are_asked(deployed: Stack, row: Row) -> None:
    done = _update(deployed, replicas=_REPLICAS, env={"TRY": "replicas"})
    assert done.passed, done.said
    row("nothing: rollout of 4 replicas", done, _asked(deployed))


def _asked(stack: Stack) -> str:
    """Four predictors and the transformer were asked, one by one."""
    found = re.search(r"(\d+) pods asked at their own addresses", _verdict(stack))
    assert found
    assert int(found[1]) == _REPLICAS + 1
    return found[0]


def test_an_image_that_cant_be_pulled(deployed: Stack, row: Row) -> None:
    done = _update(deployed, deadline=15, transformer={"image": "nowhere.example/absent:1"})
    assert not done.passed, done.said
    assert "does not serve release" in done.said
    reason = _found(done, r"image nowhere\.example/absent:1 can't be pulled: \w+")
    row("an image can't be pulled, deadline 15 s", done, reason)


def test_an_initializer_that_fails_twice(deployed: Stack, row: Row) -> None:
    with (
        _updating(deployed, env={"TRY": "initializer"}) as made,
        silent_bucket(deployed),
    ):
        for restarts in range(2):
            pod = eventually(lambda restarts=restarts: _initializing(deployed, restarts), 90)
            kill = (deployed.cluster, pod["metadata"]["name"], _PYTHON)
            os.kill(eventually(lambda kill=kill: find(*kill)), signal.SIGKILL)
        eventually(lambda: _initializing(deployed, 2), 90)
    (done,) = made
    assert done.passed, done.said
    row("the storage initializer fails twice", done, "it has a third try")


def _initializing(stack: Stack, restarts: int) -> Object | None:
    """The pod whose storage initializer runs, after as many restarts."""
    for pod in stack.list("pods"):
        for status in pod["status"].get("initContainerStatuses", ()):
            if "running" in status["state"] and status["restartCount"] == restarts:
                return pod
    return None


@pytest.mark.parametrize(
    ("name", "refuse", "text"),
    [
        ("a quota", quota, "exceeded quota: cpu"),
        ("Pod Security", restricted, 'violates PodSecurity "restricted:latest"'),
        ("an admission policy", policy, "pods need an owner"),
    ],
    ids=["quota", "security", "policy"],
)
def test_refused_pods(
    deployed: Stack,
    row: Row,
    name: str,
    refuse: Callable[[Stack], contextlib.AbstractContextManager[None]],
    text: str,
) -> None:
    with refuse(deployed):
        eventually(lambda: text in _refusal(deployed))
        done = _update(deployed, env={"TRY": name})
    assert not done.passed, done.said
    assert "digits can't become ready" in done.said
    row(f"{name} refuses the pods", done, _found(done, re.escape(text)))


def _refusal(stack: Stack) -> str:
    """What the API server says of another pod of the predictor's."""
    resources = {"requests": {"cpu": str(PREDICTOR)}}
    pod = {
        "metadata": {"name": "tried", "labels": PREDICTORS},
        "spec": {"containers": [{"name": "all", "image": "test/run:1", "resources": resources}]},
    }
    try:
        stack.cluster.api.request("POST", f"{NAMESPACE}/pods?dryRun=All", pod)
    except ApiError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    ("job", "says", "perf"),
    [
        ("verify", "waiting: ", {"enabled": False}),
        ("perf", " of 8 s: ", {"rate": 50, "durationSeconds": 8}),
    ],
)
def test_a_drained_node(
    deployed: Stack, row: Row, job: str, says: str, perf: dict[str, Any]
) -> None:
    stopped = silent_bucket(deployed) if job == "verify" else contextlib.nullcontext()
    with _updating(deployed, env={"TRY": "drain"}, perf=deployed.settings["perf"] | perf) as made:
        with stopped:
            pod = _job_pod(deployed, job, says)["metadata"]["name"]
            drain(deployed, pod)
            again = _job_pod(deployed, job)["metadata"]["name"]
        assert again != pod
    (done,) = made
    assert done.passed, done.said
    name = {"verify": "verification", "perf": "load test"}[job]
    row(f"the node is drained during the {name}", done, "the Job's next pod goes on")


def test_a_rate_that_the_endpoint_cant_take(deployed: Stack, row: Row) -> None:
    """Triton falls silent, so that each request takes its whole time-out of 10 s."""
    perf = deployed.settings["perf"] | {"rate": 1000, "durationSeconds": 15}
    with _updating(deployed, transformer={"enabled": False}, perf=perf) as made:
        _job_pod(deployed, "perf", " of 15 s: ")
        (pod,) = (
            each
            for each in deployed.list("pods")
            if each["metadata"]["labels"].get("app") == PREDICTORS["app"]
            and "deletionTimestamp" not in each["metadata"]
        )
        triton = find(deployed.cluster, pod["metadata"]["name"], "tritonserver")
        os.kill(triton, signal.SIGSTOP)
        eventually(lambda: not _runs(deployed, "perf"), 120)
        os.kill(triton, signal.SIGCONT)
    (done,) = made
    assert not done.passed
    assert "load test of digits: fail" in done.said
    reason = _found(done, r"rate_ratio: found [\d.]+, wanted at least [\d.]+")
    row("1,000 requests/s at an endpoint that takes 10 s, Job of 1 GiB", done, reason)


def _runs(stack: Stack, job: str) -> bool:
    return any(
        pod["metadata"]["name"].startswith(f"{job}-digits") and _is_running(pod)
        for pod in stack.list("pods")
    )


def test_knatives_limit(knative: KnativeStack, row: Row) -> None:
    path = f"{CORE}/namespaces/knative-serving/configmaps/config-autoscaler"
    limits = {"max-scale": "2", "max-scale-limit": "2"}
    kubectl_patch(knative.cluster, path, {"data": limits})
    try:
        predictor = knative.settings["predictor"] | {"maxReplicas": 3}
        begun = time.monotonic()
        up = knative.up(predictor=predictor, perf={"enabled": False})
        said = up.stdout + up.stderr
        done = Update(time.monotonic() - begun, up.returncode == 0, said)
    finally:
        kubectl_patch(knative.cluster, path, {"data": dict.fromkeys(limits)})
    assert not done.passed, done.said
    assert "digits can't become ready" in done.said
    row("Knative's webhook refuses its Service", done, _found(done, r"expected 1 <= 3 <= 2[^\n]*"))
