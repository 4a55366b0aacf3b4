"""Waiting: for conditions, for Jobs, until something is gone."""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from google.protobuf import empty_pb2

from tests.local.plugins.protocol import OFFICIAL, Failed, Plugin, Rejected, State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.local.plugins.api_server import ApiServer

CONFIG_MAP = "kubernetes:core/v1:ConfigMap"
JOB = "kubernetes:batch/v1:Job"
SERVICE = "kubernetes:serving.kserve.io/v1beta1:InferenceService"
own = pytest.mark.skipif(OFFICIAL, reason="this project's own plugin only")
_names = (f"awaited-{number}" for number in itertools.count())
STARTED = "2026-01-01T00:00:00Z"
BACKGROUND = {"pulumi.com/deletionPropagationPolicy": "background"}


@contextlib.contextmanager
def meanwhile(act: Callable[[], None]) -> Iterator[None]:
    """Do something a moment after the block has begun, as a controller would."""

    def later() -> None:
        time.sleep(0.5)
        act()

    thread = threading.Thread(target=later)
    thread.start()
    yield
    thread.join()


@pytest.fixture(scope="module", autouse=True)
def inference_services(server: ApiServer) -> None:
    """KServe's kind, without KServe."""
    anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    schema = {"type": "object", "properties": {"spec": anything, "status": anything}}
    version = {
        "name": "v1beta1",
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "schema": {"openAPIV3Schema": schema},
    }
    names = {"plural": "inferenceservices", "singular": "inferenceservice"}
    names |= {"kind": "InferenceService", "listKind": "InferenceServiceList"}
    group = "serving.kserve.io"
    body = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"inferenceservices.{group}"},
        "spec": {"group": group, "scope": "Namespaced", "names": names, "versions": [version]},
    }
    place = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/inferenceservices.{group}"
    server.apply(place, body, "test")
    while not server.has(f"/apis/{group}/v1beta1/namespaces/default/inferenceservices"):
        time.sleep(0.1)
    while not server.has(service_path("") + "/"):
        time.sleep(0.1)


def service_path(name: str, rest: str = "") -> str:
    return f"/apis/serving.kserve.io/v1beta1/namespaces/default/inferenceservices/{name}{rest}"


def service(name: str, wait_for: str, **spec: Any) -> dict[str, Any]:
    annotations = {"pulumi.com/waitFor": wait_for, **BACKGROUND}
    return {"metadata": {"name": name, "annotations": annotations}, "spec": {"a": "b", **spec}}


def say(server: ApiServer, name: str, ready: str = "True", **status: Any) -> None:
    condition = {"type": "Ready", "status": ready, "reason": "R", "message": "because"}
    body = {"status": {"conditions": [condition], **status}}
    server.merge(service_path(name, "/status"), body)


class TestWaitFor:
    @pytest.mark.parametrize(
        "expression",
        [
            "condition=Ready",
            "condition=ready=true",
            'jsonpath={.status.conditions[?(@.type=="Ready")].status}=True',
            '["condition=Ready", "jsonpath={.status.url}=http://x"]',
        ],
    )
    def test_comes_back_once_it_holds(
        self, kubernetes: Plugin, server: ApiServer, expression: str
    ) -> None:
        name = next(_names)
        with meanwhile(lambda: say(server, name, url="http://x")):
            made = kubernetes.deploy(SERVICE, "s", service(name, expression)).state
        assert made["status"]["url"] == "http://x"

    def test_times_out_with_the_condition(self, kubernetes: Plugin, server: ApiServer) -> None:
        name = next(_names)
        with (
            meanwhile(lambda: say(server, name, "False")),
            pytest.raises(Failed) as caught,
        ):
            kubernetes.deploy(SERVICE, "s", service(name, "condition=Ready"), timeout=2)
        assert caught.value.state is not None
        assert caught.value.state.id == f"default/{name}"
        if not OFFICIAL:
            assert "not ready within 2 seconds: condition Ready is False: because" in str(
                caught.value
            )

    def test_a_status_of_an_older_generation_does_not_count(
        self, kubernetes: Plugin, server: ApiServer
    ) -> None:
        name = next(_names)
        with meanwhile(lambda: say(server, name, observedGeneration=1)):
            made = kubernetes.deploy(SERVICE, "s", service(name, "condition=Ready")).state
        changed = service(name, "condition=Ready", c="d")
        with pytest.raises(Failed) as caught:
            kubernetes.deploy(SERVICE, "s", changed, made, timeout=1)
        if not OFFICIAL:
            assert "status is of generation 1, the object is at 2" in str(caught.value)
        with meanwhile(lambda: say(server, name, observedGeneration=2)):
            kubernetes.deploy(SERVICE, "s", changed, made)

    @own
    def test_shows_what_it_waits_for(self, kubernetes: Plugin, server: ApiServer) -> None:
        name = next(_names)
        with meanwhile(lambda: say(server, name)):
            kubernetes.deploy(SERVICE, "s", service(name, "condition=Ready"))
        assert "no condition Ready yet" in kubernetes.engine.statuses

    def test_skip_await_waits_for_nothing(self, kubernetes: Plugin) -> None:
        inputs = service(next(_names), "condition=Ready")
        inputs["metadata"]["annotations"] = {"pulumi.com/skipAwait": "true"}
        kubernetes.deploy(SERVICE, "s", inputs)

    @own
    @pytest.mark.parametrize("text", ["Ready", "jsonpath={.a", "jsonpath={.a[?(x)]}", "[1"])
    def test_an_expression_that_is_none_is_refused(self, kubernetes: Plugin, text: str) -> None:
        with pytest.raises(Rejected, match="waitFor"):
            kubernetes.check(SERVICE, "s", service("x", text))

    @own
    def test_a_refresh_keeps_in_mind_that_it_is_not_ready(
        self, kubernetes: Plugin, server: ApiServer
    ) -> None:
        name = next(_names)
        with meanwhile(lambda: say(server, name)):
            made = kubernetes.deploy(SERVICE, "s", service(name, "condition=Ready")).state
        say(server, name, "False")
        with pytest.raises(Failed, match="condition Ready is False"):
            kubernetes.refresh(made)


def job(name: str, **annotations: str) -> dict[str, Any]:
    given = {f"pulumi.com/{key}": value for key, value in annotations.items()} | BACKGROUND
    container = {"name": "verify", "image": "kserve-triton/jobs:1"}
    template = {"spec": {"restartPolicy": "Never", "containers": [container]}}
    spec = {"backoffLimit": 0, "template": template}
    return {"metadata": {"name": name, "annotations": given}, "spec": spec}


def job_path(name: str, rest: str = "") -> str:
    return f"/apis/batch/v1/namespaces/default/jobs/{name}{rest}"


def complete(server: ApiServer, name: str) -> None:
    held = [{"type": kind, "status": "True"} for kind in ("SuccessCriteriaMet", "Complete")]
    times = {"startTime": STARTED, "completionTime": STARTED}
    status = {"succeeded": 1, "conditions": held, **times}
    server.merge(job_path(name, "/status"), {"status": status})


def fail(server: ApiServer, name: str, message: str = "") -> None:
    """What the Job controller and a node would say of a pod that exited with 1."""
    run_pod(server, name, message)
    words = {"reason": "BackoffLimitExceeded", "message": "Job has reached the specified limit"}
    held = [{"type": kind, "status": "True", **words} for kind in ("FailureTarget", "Failed")]
    status = {"failed": 1, "startTime": STARTED, "conditions": held}
    server.merge(job_path(name, "/status"), {"status": status})


def run_pod(server: ApiServer, name: str, message: str) -> None:
    uid = server.call("GET", job_path(name))["metadata"]["uid"]
    labels = {"batch.kubernetes.io/controller-uid": uid, "job-name": name}
    pod = f"{name}-pod"
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": name, "uid": uid, "controller": True}
    server.call(
        "POST",
        "/api/v1/namespaces/default/pods",
        {
            "metadata": {"name": pod, "labels": labels, "ownerReferences": [owner]},
            "spec": {"containers": [{"name": "verify", "image": "i"}], "restartPolicy": "Never"},
        },
    )
    ended = {"exitCode": 1, "reason": "Error", "message": message, "startedAt": STARTED}
    ended["finishedAt"] = STARTED
    status = {
        "name": "verify",
        "image": "i",
        "imageID": "i",
        "ready": False,
        "restartCount": 0,
        "state": {"terminated": ended},
    }
    body = {"status": {"phase": "Failed", "containerStatuses": [status]}}
    server.merge(f"/api/v1/namespaces/default/pods/{pod}/status", body)


class TestJob:
    def test_is_waited_for_until_complete(self, kubernetes: Plugin, server: ApiServer) -> None:
        name = next(_names)
        with meanwhile(lambda: complete(server, name)):
            made = kubernetes.deploy(JOB, "verify", job(name)).state
        assert made["status"]["succeeded"] == 1
        assert kubernetes.deploy(JOB, "verify", job(name), made).operations == []

    def test_that_fails_says_why(self, kubernetes: Plugin, server: ApiServer) -> None:
        name = next(_names)
        reason = "Triton: failed to load 'digits': PytorchStreamReader failed"
        began = time.monotonic()
        with (
            meanwhile(lambda: fail(server, name, reason)),
            pytest.raises(Failed, match="BackoffLimitExceeded") as caught,
        ):
            kubernetes.deploy(JOB, "verify", job(name))
        assert time.monotonic() - began < 10
        assert caught.value.state is not None
        if not OFFICIAL:
            text = str(caught.value)
            assert f"pod {name}-pod, container verify exited with 1 (Error): {reason}" in text

    @own
    def test_that_failed_is_still_known_to_have_failed_after_a_refresh(
        self, kubernetes: Plugin, server: ApiServer
    ) -> None:
        name = next(_names)
        with meanwhile(lambda: fail(server, name)), pytest.raises(Failed) as caught:
            kubernetes.deploy(JOB, "verify", job(name))
        assert caught.value.state is not None
        with pytest.raises(Failed, match="the Job failed"):
            kubernetes.refresh(caught.value.state)

    def test_a_new_template_replaces(self, kubernetes: Plugin, server: ApiServer) -> None:
        name = next(_names)
        with meanwhile(lambda: complete(server, name)):
            made = kubernetes.deploy(JOB, "verify", job(name)).state
        changed = job(name)
        changed["spec"]["template"]["spec"]["containers"][0]["image"] = "kserve-triton/jobs:2"
        preview = kubernetes.deploy(JOB, "verify", changed, made, preview=True)
        assert preview.operations == ["delete", "create"]
        assert preview.changes == {
            "spec.template.spec.containers[0].image": "UPDATE_REPLACE",
        }

    def test_that_failed_is_replaced_where_the_program_wants_it(
        self, kubernetes: Plugin, server: ApiServer
    ) -> None:
        name = next(_names)
        with meanwhile(lambda: fail(server, name)), pytest.raises(Failed) as caught:
            kubernetes.deploy(JOB, "verify", job(name, replaceUnready="true"))
        failed = caught.value.state
        assert failed is not None
        step = kubernetes.diff(failed, failed.inputs)
        assert step.replaces
        assert step.deleteBeforeReplace

    @own
    def test_shows_its_pods(self, kubernetes: Plugin, server: ApiServer) -> None:
        name = next(_names)
        with meanwhile(lambda: complete(server, name)):
            kubernetes.deploy(JOB, "verify", job(name))
        assert "the Job is not complete: no pod yet" in kubernetes.engine.statuses


class TestDeletion:
    def test_comes_back_once_it_is_gone(self, kubernetes: Plugin, server: ApiServer) -> None:
        made, path = held(kubernetes, server)
        with meanwhile(lambda: server.merge(path, {"metadata": {"finalizers": None}})):
            kubernetes.delete(made)
        assert not server.has(path)

    def test_times_out_with_what_holds_it(self, kubernetes: Plugin, server: ApiServer) -> None:
        made, path = held(kubernetes, server)
        with pytest.raises(Failed) as caught:
            kubernetes.delete(made, timeout=1)
        if not OFFICIAL:
            assert "held by example.com/hold" in str(caught.value)
        server.merge(path, {"metadata": {"finalizers": None}})


def held(kubernetes: Plugin, server: ApiServer) -> tuple[State, str]:
    """A ConfigMap that doesn't go by itself."""
    name = next(_names)
    made = kubernetes.deploy(CONFIG_MAP, "map", {"metadata": {"name": name}, "data": {}}).state
    path = f"/api/v1/namespaces/default/configmaps/{name}"
    server.merge(path, {"metadata": {"finalizers": ["example.com/hold"]}})
    return made, path


@own
def test_a_cancelled_wait_ends_at_once(server: ApiServer) -> None:
    plugin = Plugin("kubernetes")
    plugin.configure(kubeconfig=server.kubeconfig())
    name, began = next(_names), time.monotonic()
    with (
        meanwhile(lambda: plugin.stub.Cancel(empty_pb2.Empty())),
        pytest.raises(Failed, match="cancelled") as caught,
    ):
        plugin.deploy(JOB, "verify", job(name))
    assert time.monotonic() - began < 5
    assert caught.value.state is not None
    plugin.close()
