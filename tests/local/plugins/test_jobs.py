"""Jobs, as the official plugin waits for them and reports their failures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.local.plugins.jobs import complete, fail, pull_nothing, run, start
from tests.local.plugins.meanwhile import meanwhile
from tests.local.plugins.names import fresh
from tests.local.plugins.objects import OWNED
from tests.local.plugins.protocol import Failed, Plugin, State

if TYPE_CHECKING:
    from tests.local.plugins.api_server import ApiServer

JOB = "kubernetes:batch/v1:Job"
REASON = "Triton: failed to load 'digits': PytorchStreamReader failed"


def job(name: str, image: str = "kserve-triton/jobs:1") -> dict[str, Any]:
    """Inputs of a Job, as infra/manifests/jobs.py and infra/components/ownership.py make them."""
    container = {"name": "verify", "image": image}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": name,
            "namespace": "default",
            "annotations": {"pulumi.com/replaceUnready": "true"} | OWNED,
        },
        "spec": {
            "backoffLimit": 0,
            "activeDeadlineSeconds": 600,
            "template": {"spec": {"restartPolicy": "Never", "containers": [container]}},
        },
    }


def deploy_failing(kubernetes: Plugin, server: ApiServer, name: str) -> Failed:
    """Deploy a Job whose pod ends with REASON; the failure that the plugin reports."""

    def play() -> None:
        start(server, name)
        run(server, name, REASON)
        kubernetes.engine.wait_for(f"{name}-pod]: [Error]")
        fail(server, name)

    with meanwhile(play), pytest.raises(Failed) as caught:
        kubernetes.deploy(JOB, "verify", job(name))
    return caught.value


@pytest.fixture
def failed(kubernetes: Plugin, server: ApiServer) -> State:
    """A Job that failed, as the stack records it."""
    state = deploy_failing(kubernetes, server, fresh("job")).state
    assert state is not None
    return state


class TestCreation:
    def test_waits_until_the_job_is_complete(self, kubernetes: Plugin, server: ApiServer) -> None:
        name = fresh("job")
        with meanwhile(lambda: complete(server, name)):
            made = kubernetes.deploy(JOB, "verify", job(name)).state
        assert made["status"]["succeeded"] == 1

    def test_fails_with_the_jobs_reason(self, kubernetes: Plugin, server: ApiServer) -> None:
        failure = deploy_failing(kubernetes, server, fresh("job"))
        assert "[BackoffLimitExceeded] Job has reached the specified backoff limit" in str(failure)

    def test_fails_with_the_pods_termination_message(
        self, kubernetes: Plugin, server: ApiServer
    ) -> None:
        failure = deploy_failing(kubernetes, server, fresh("job"))
        assert f"[Error] {REASON}" in str(failure)

    def test_fails_with_the_reason_of_a_failed_pull(
        self, kubernetes: Plugin, server: ApiServer
    ) -> None:
        name = fresh("job")

        def play() -> None:
            start(server, name)
            pull_nothing(server, name)
            kubernetes.engine.wait_for(f"{name}-pod]: [ImagePullBackOff]")
            fail(server, name, "DeadlineExceeded", "Job was active longer than specified deadline")

        with meanwhile(play), pytest.raises(Failed, match="DeadlineExceeded") as caught:
            kubernetes.deploy(JOB, "verify", job(name))
        assert '[ImagePullBackOff] Back-off pulling image "nowhere/jobs:1"' in str(caught.value)

    def test_ends_with_its_own_deadline(self, kubernetes: Plugin) -> None:
        with pytest.raises(Failed, match="timed out") as caught:
            kubernetes.deploy(JOB, "verify", job(fresh("job")), timeout=1)
        assert caught.value.state is not None

    def test_that_failed_records_the_job(self, failed: State) -> None:
        assert failed.id == f"default/{failed['metadata']['name']}"


class TestCompleteJob:
    def test_is_left_alone(self, kubernetes: Plugin, server: ApiServer) -> None:
        name = fresh("job")
        with meanwhile(lambda: complete(server, name)):
            made = kubernetes.deploy(JOB, "verify", job(name)).state
        refreshed = kubernetes.refreshed(made)
        assert kubernetes.deploy(JOB, "verify", job(name), refreshed).operations == []

    def test_is_replaced_for_another_template(self, kubernetes: Plugin, server: ApiServer) -> None:
        name = fresh("job")
        with meanwhile(lambda: complete(server, name)):
            made = kubernetes.deploy(JOB, "verify", job(name)).state
        changed = job(name, image="kserve-triton/jobs:2")
        preview = kubernetes.deploy(JOB, "verify", changed, made, preview=True)
        assert preview.operations == ["delete", "create"]
        assert preview.changes == {"spec.template.spec.containers[0].image": "UPDATE_REPLACE"}


class TestFailedJob:
    def test_is_replaced_by_the_next_update(
        self, kubernetes: Plugin, server: ApiServer, failed: State
    ) -> None:
        name = failed["metadata"]["name"]
        with meanwhile(lambda: complete(server, name, after=failed["metadata"]["uid"])):
            step = kubernetes.deploy(JOB, "verify", job(name), failed)
        assert step.operations == ["delete", "create"]
        assert step.state["metadata"]["uid"] != failed["metadata"]["uid"]

    def test_is_replaced_in_a_preview(self, kubernetes: Plugin, failed: State) -> None:
        inputs = job(failed["metadata"]["name"])
        step = kubernetes.deploy(JOB, "verify", inputs, failed, preview=True)
        assert step.operations == ["delete", "create"]

    def test_is_still_failed_after_a_refresh(self, kubernetes: Plugin, failed: State) -> None:
        with pytest.raises(Failed, match="BackoffLimitExceeded"):
            kubernetes.refresh(failed)


class TestInterruptedUpdate:
    """A Job of a killed update: it is in the cluster and not in the state."""

    def test_is_adopted_and_waited_for(self, kubernetes: Plugin, server: ApiServer) -> None:
        name = fresh("job")
        with pytest.raises(Failed) as caught:
            kubernetes.deploy(JOB, "verify", job(name), timeout=1)
        left = caught.value.state
        assert left is not None
        start(server, name)

        def play() -> None:
            kubernetes.engine.wait_for(f'Job "{name}" to succeed')
            complete(server, name)

        with meanwhile(play):
            made = kubernetes.deploy(JOB, "verify", job(name)).state
        assert made["metadata"]["uid"] == left["metadata"]["uid"]
        assert made["status"]["succeeded"] == 1

    def test_that_is_complete_is_not_run_again(self, kubernetes: Plugin, server: ApiServer) -> None:
        name = fresh("job")
        with meanwhile(lambda: complete(server, name)):
            left = kubernetes.deploy(JOB, "verify", job(name)).state
        made = kubernetes.deploy(JOB, "verify", job(name)).state
        assert made["metadata"]["uid"] == left["metadata"]["uid"]
