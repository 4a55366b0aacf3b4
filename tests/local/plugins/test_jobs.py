"""Jobs: waited for natively, and explained when they fail."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from google.protobuf import empty_pb2

from tests.local.plugins.meanwhile import meanwhile
from tests.local.plugins.names import fresh
from tests.local.plugins.objects import own
from tests.local.plugins.protocol import OFFICIAL, Failed, Plugin

if TYPE_CHECKING:
    from tests.local.plugins.api_server import ApiServer

JOB = "kubernetes:batch/v1:Job"
STARTED = "2026-01-01T00:00:00Z"
# Nobody collects garbage on a bare API server.
BACKGROUND = {"pulumi.com/deletionPropagationPolicy": "background"}


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
        name = fresh("awaited")
        with meanwhile(lambda: complete(server, name)):
            made = kubernetes.deploy(JOB, "verify", job(name)).state
        assert made["status"]["succeeded"] == 1
        assert kubernetes.deploy(JOB, "verify", job(name), made).operations == []

    def test_that_fails_says_why(self, kubernetes: Plugin, server: ApiServer) -> None:
        name = fresh("awaited")
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
        name = fresh("awaited")
        with meanwhile(lambda: fail(server, name)), pytest.raises(Failed) as caught:
            kubernetes.deploy(JOB, "verify", job(name))
        assert caught.value.state is not None
        with pytest.raises(Failed, match="the Job failed"):
            kubernetes.refresh(caught.value.state)

    def test_a_new_template_replaces(self, kubernetes: Plugin, server: ApiServer) -> None:
        name = fresh("awaited")
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
        name = fresh("awaited")
        with meanwhile(lambda: fail(server, name)), pytest.raises(Failed) as caught:
            kubernetes.deploy(JOB, "verify", job(name, replaceUnready="true"))
        failed = caught.value.state
        assert failed is not None
        step = kubernetes.diff(failed, failed.inputs)
        assert step.replaces
        assert step.deleteBeforeReplace

    @own
    def test_shows_its_pods(self, kubernetes: Plugin, server: ApiServer) -> None:
        name = fresh("awaited")
        with meanwhile(lambda: complete(server, name)):
            kubernetes.deploy(JOB, "verify", job(name))
        assert "the Job is not complete: no pod yet" in kubernetes.engine.statuses


@own
def test_a_cancelled_wait_ends_at_once(server: ApiServer) -> None:
    plugin = Plugin("kubernetes")
    plugin.configure(kubeconfig=server.kubeconfig())
    name, began = fresh("awaited"), time.monotonic()
    with (
        meanwhile(lambda: plugin.stub.Cancel(empty_pb2.Empty())),
        pytest.raises(Failed, match="cancelled") as caught,
    ):
        plugin.deploy(JOB, "verify", job(name))
    assert time.monotonic() - began < 5
    assert caught.value.state is not None
    plugin.close()
