"""Which objects mean a failure, and which may still become ready."""

from __future__ import annotations

from typing import Any

import pytest

from jobs.verify.diagnosis import (
    SCHEDULER_SECONDS,
    SETTLE_SECONDS,
    STALE_SECONDS,
    Snapshot,
    diagnose,
    last_warning,
)
from tests.jobs.objects import (
    DIGEST,
    NEW,
    NOW,
    OLD,
    TRITON,
    ago,
    event,
    pod,
    revision,
    running,
    service,
)
from tests.jobs.objects import waiting as blocked

POD = "digits-predictor-6c9d4f7b5-x2x7p"
BACK_OFF = "back-off 20s restarting failed container=kserve-container"
GPU = "0/3 nodes are available: 3 Insufficient nvidia.com/gpu. preemption: 0/3 nodes are available"


def seen(
    *pods: dict[str, Any], events: list[dict[str, Any]] | None = None, **status: Any
) -> Snapshot:
    return Snapshot(service(**status), list(pods), events or [])


def reason(snapshot: Snapshot) -> str:
    failure = diagnose(snapshot, NEW, NOW)
    assert failure is not None
    return failure.reason


def test_a_ready_service_has_no_failure() -> None:
    good = pod(ready=True, containers=[running()])
    ready = [{"type": "Ready", "status": "True"}]
    assert diagnose(seen(good, conditions=ready), NEW, NOW) is None


def test_a_loading_pod_is_no_failure() -> None:
    loading = pod(init=[running(name="storage-initializer", ready=False)])
    assert diagnose(seen(loading), NEW, NOW) is None


def test_a_missing_service_is_no_failure() -> None:
    assert diagnose(Snapshot(None, [], []), NEW, NOW) is None
    assert diagnose(Snapshot(None, None, []), NEW, NOW) is None


@pytest.mark.parametrize("why", ["ErrImagePull", "ImagePullBackOff", "InvalidImageName"])
def test_an_image_that_cannot_be_pulled_is_named(why: str) -> None:
    said = reason(seen(pod(containers=[blocked(why, "manifest unknown")])))
    assert why in said
    assert "manifest unknown" in said
    assert TRITON in said
    assert POD in said


def test_an_image_failure_stays_the_same_while_its_reason_alternates() -> None:
    keys = set()
    for why in ("ErrImagePull", "ImagePullBackOff"):
        failure = diagnose(seen(pod(containers=[blocked(why)])), NEW, NOW)
        assert failure is not None
        keys.add(failure.key)
    assert len(keys) == 1


def test_missing_secret_is_named() -> None:
    state = blocked("CreateContainerConfigError", 'secret "storage-config" not found')
    assert 'secret "storage-config" not found' in reason(seen(pod(containers=[state])))


def test_crash_loop_points_to_the_log_of_the_previous_run() -> None:
    ended = {"exitCode": 1, "reason": "Error"}
    state = blocked("CrashLoopBackOff", BACK_OFF, restarts=2, last=ended)
    failure = diagnose(seen(pod(containers=[state])), NEW, NOW)
    assert failure is not None
    assert "keeps restarting: exit code 1; restarted 2 times" in failure.reason
    assert failure.log is not None
    assert (failure.log.pod, failure.log.container, failure.log.previous) == (
        POD,
        "kserve-container",
        True,
    )


def test_running_out_of_memory_is_reported() -> None:
    ended = {"exitCode": 137, "reason": "OOMKilled"}
    state = blocked("CrashLoopBackOff", BACK_OFF, restarts=3, last=ended)
    assert "exit code 137, OOMKilled" in reason(seen(pod(containers=[state])))


def test_a_crash_loop_is_the_same_failure_while_the_container_runs_again() -> None:
    ended = {"exitCode": 1, "reason": "Error"}
    states = (
        blocked("CrashLoopBackOff", BACK_OFF, restarts=2, last=ended),
        running(ready=False, restarts=3, last=ended),
    )
    keys = {
        failure.key
        for failure in (diagnose(seen(pod(containers=[state])), NEW, NOW) for state in states)
        if failure
    }
    assert len(keys) == 1


def test_one_restart_is_no_failure() -> None:
    state = running(ready=False, restarts=1, last={"exitCode": 1, "reason": "Error"})
    assert diagnose(seen(pod(containers=[state])), NEW, NOW) is None


def test_storage_initializer_that_keeps_failing_says_why() -> None:
    ended = {"exitCode": 1, "reason": "Error", "message": "403 GET storage.objects.list denied"}
    state = blocked(
        "CrashLoopBackOff", BACK_OFF, name="storage-initializer", restarts=2, last=ended
    )
    said = reason(seen(pod(init=[state])))
    assert "container storage-initializer" in said
    assert "403 GET storage.objects.list denied" in said


def unscheduled(seconds: float) -> dict[str, Any]:
    return pod(
        conditions=[
            {
                "type": "PodScheduled",
                "status": "False",
                "reason": "Unschedulable",
                "message": GPU,
                "lastTransitionTime": ago(seconds),
            }
        ]
    )


def test_unschedulable_pod_has_the_schedulers_message() -> None:
    said = reason(seen(unscheduled(21)))
    assert "no node fits for 21 s" in said
    assert "3 Insufficient nvidia.com/gpu" in said


def test_a_recently_unschedulable_pod_is_no_failure() -> None:
    assert diagnose(seen(unscheduled(19)), NEW, NOW) is None


def test_room_that_ending_pods_make_is_waited_for() -> None:
    ending = pod("old", uri=OLD, made=900)
    ending["metadata"]["deletionTimestamp"] = ago(25)
    assert diagnose(seen(unscheduled(40), ending), NEW, NOW) is None
    failure = diagnose(seen(unscheduled(40)), NEW, NOW)
    assert failure is not None
    # The scheduler may not have tried again since they went.
    assert failure.settle == SCHEDULER_SECONDS


def test_node_that_an_autoscaler_makes_is_waited_for() -> None:
    coming = event(
        POD, "TriggeredScaleUp", "pod triggered scale-up: 0->1", first=30, last=30, kind="Normal"
    )
    assert diagnose(seen(unscheduled(90), events=[coming]), NEW, NOW) is None


def test_an_autoscaler_that_adds_no_node_is_not_waited_for() -> None:
    coming = event(POD, "TriggeredScaleUp", "0->1", first=80, last=80, kind="Normal")
    refused = event(POD, "NotTriggerScaleUp", "max node group size reached", first=70, last=10)
    assert diagnose(seen(unscheduled(90), events=[coming, refused]), NEW, NOW) is not None


def test_config_map_that_is_not_there_is_named() -> None:
    message = 'MountVolume.SetUp failed for volume "release": configmap "release-x" not found'
    mounting = pod(containers=[blocked("ContainerCreating")])
    missing = event(POD, "FailedMount", message, first=25, last=2)
    assert 'configmap "release-x" not found' in reason(seen(mounting, events=[missing]))
    soon = event(POD, "FailedMount", message, first=5, last=2)
    assert diagnose(seen(mounting, events=[soon]), NEW, NOW) is None


def test_older_revisions_pods_are_ignored() -> None:
    ended = {"exitCode": 1, "reason": "Error"}
    crashing = blocked("CrashLoopBackOff", BACK_OFF, restarts=9, last=ended)
    old = pod("old", uri=OLD, template="old", made=900, containers=[crashing])
    same_uri = pod("older", template="older", made=800, containers=[crashing])
    deleted = pod("deleted", made=10, containers=[crashing])
    deleted["metadata"]["deletionTimestamp"] = ago(1)
    new = pod(containers=[running(ready=False)])
    failed = {"transitionStatus": "BlockedByFailedLoad", "states": {"targetModelState": "Loading"}}
    assert diagnose(seen(old, same_uri, deleted, new, model_status=failed), NEW, NOW) is None


def test_a_failure_of_the_transformer_counts() -> None:
    crashing = blocked("CrashLoopBackOff", restarts=4, last={"exitCode": 2, "reason": "Error"})
    transformer = pod("digits-transformer-1", uri=None, component="transformer", made=40)
    transformer["status"]["containerStatuses"] = [crashing]
    good = pod(ready=True, containers=[running()])
    assert "digits-transformer-1" in reason(seen(good, transformer))


FAILED = {
    "transitionStatus": "BlockedByFailedLoad",
    "states": {"activeModelState": "", "targetModelState": "FailedToLoad"},
    "lastFailureInfo": {"reason": "ModelLoadFailed", "message": "no bucket", "exitCode": 1},
    "copies": {"failedCopies": 0, "totalCopies": 0},
}


@pytest.mark.parametrize("pods", [None, []])
def test_a_failed_load_is_reported_without_pods(pods: list[dict[str, Any]] | None) -> None:
    snapshot = Snapshot(service(model_status=FAILED), pods, [])
    assert "ModelLoadFailed: no bucket (exit code 1)" in reason(snapshot)


def test_an_old_failure_in_the_status_is_no_failure() -> None:
    healed = FAILED | {"transitionStatus": "UpToDate", "states": {"targetModelState": "Loaded"}}
    assert diagnose(Snapshot(service(model_status=healed), None, []), NEW, NOW) is None


def invalid(said: float | None) -> dict[str, Any]:
    info = {"reason": "RuntimeNotRecognized", "message": "Waiting for runtime to become available"}
    return {
        "transitionStatus": "InvalidSpec",
        "states": {"activeModelState": "", "targetModelState": "FailedToLoad"},
        "lastFailureInfo": info | ({"time": ago(said)} if said is not None else {}),
    }


def test_an_unknown_runtime_is_a_failure_whatever_the_pods_are() -> None:
    failure = diagnose(seen(pod(ready=True), model_status=invalid(50)), NEW, NOW)
    assert failure is not None
    assert "RuntimeNotRecognized" in failure.reason
    assert failure.settle == SETTLE_SECONDS


def test_failure_older_than_the_spec_must_last_longer() -> None:
    failure = diagnose(seen(model_status=invalid(61)), NEW, NOW)
    assert failure is not None
    assert failure.settle == STALE_SECONDS


@pytest.mark.parametrize(
    ("kind", "why", "message"),
    [
        ("PredictorReady", "ProgressDeadlineExceeded", "ReplicaSet has timed out progressing."),
        ("PredictorReady", "RevisionFailed", f"Unable to fetch image {TRITON}: {DIGEST}"),
        ("PredictorReady", "FailedCreate", "pods is forbidden: exceeded quota: gpus"),
        (
            "PredictorReady",
            "ReconcileFailed",
            "fails to reconcile knative service: admission webhook "
            '"validation.webhook.serving.knative.dev" denied the request: validation failed: '
            "expected 0 <= 900 <= 600: spec.template.spec.timeoutSeconds",
        ),
    ],
)
def test_a_terminal_condition_is_reported(kind: str, why: str, message: str) -> None:
    failed = {
        "type": kind,
        "status": "False",
        "reason": why,
        "message": message,
        "lastTransitionTime": ago(40),
    }
    assert f"{kind} is False: {why}: {message}" in reason(seen(conditions=[failed]))


def revision_failed(reason: str) -> Snapshot:
    """A service whose newest revision has failed for this reason."""
    message = "what its pods are said to be"
    failed = revision(2, ready="False", reason=reason, message=message)
    told = {
        "type": "PredictorReady",
        "status": "False",
        "reason": "RevisionFailed",
        "message": f'Revision "digits-predictor-00002" failed with message: {message}.',
        "lastTransitionTime": ago(40),
    }
    return Snapshot(service(conditions=[told]), [], [], [revision(1), failed])


@pytest.mark.parametrize("why", ["Unschedulable", "ExitCode1"])
def test_a_revision_that_fails_by_its_pods_may_still_become_ready(why: str) -> None:
    assert diagnose(revision_failed(why), NEW, NOW) is None


@pytest.mark.parametrize("why", ["ContainerMissing", "ProgressDeadlineExceeded", "FailedCreate"])
def test_a_revision_that_fails_for_good_is_reported(why: str) -> None:
    said = reason(revision_failed(why))
    assert f"PredictorReady is False: {why}: Revision" in said


def test_a_revision_that_failed_by_knatives_settings_is_to_be_made_again() -> None:
    delete = "kubectl delete revision -n models digits-predictor-00002"
    assert delete in reason(revision_failed("ContainerMissing"))
    assert delete in reason(revision_failed("ProgressDeadlineExceeded"))
    assert delete not in reason(revision_failed("FailedCreate"))


@pytest.mark.parametrize(
    "why", ["MinimumReplicasUnavailable", "ReconcileFailed", "RevisionMissing", "Deploying"]
)
def test_a_temporary_condition_is_no_failure(why: str) -> None:
    going = {"type": "PredictorReady", "status": "False", "reason": why, "message": "…"}
    assert diagnose(seen(conditions=[going]), NEW, NOW) is None


def test_quota_may_be_freed_for_a_while() -> None:
    failed = {
        "type": "PredictorReady",
        "status": "False",
        "reason": "FailedCreate",
        "message": "exceeded quota",
        "lastTransitionTime": ago(10),
    }
    assert diagnose(seen(conditions=[failed]), NEW, NOW) is None


def test_last_warning_is_the_newest_about_current_pods() -> None:
    events = [
        event(POD, "FailedScheduling", "older", first=50, last=40),
        event(POD, "Unhealthy", "Readiness probe failed: 503", first=30, last=3),
        event("someone-else", "BackOff", "no", first=1, last=1),
        event(POD, "Pulled", "fine", first=1, last=1, kind="Normal"),
    ]
    assert last_warning(seen(pod(), events=events), NEW, "digits") == (
        f"{POD}: Unhealthy: Readiness probe failed: 503"
    )
    assert last_warning(seen(pod()), NEW, "digits") is None
