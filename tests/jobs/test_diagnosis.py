"""Which objects mean a failure, and which may still become ready."""

from __future__ import annotations

from typing import Any

import pytest

from jobs.verify.diagnosis import STALE_SECONDS, Snapshot, diagnose, last_warning
from jobs.verify.failure import HEALS, PATIENCE_SECONDS, SETTLE_SECONDS
from tests.jobs.objects import (
    DIGEST,
    NEW,
    NOW,
    OLD,
    TRITON,
    ago,
    event,
    pod,
    replica_set,
    revision,
    running,
    service,
)
from tests.jobs.objects import waiting as blocked

POD = "digits-predictor-6c9d4f7b5-x2x7p"
BACK_OFF = "back-off 20s restarting failed container=kserve-container"
GPU = "0/3 nodes are available: 3 Insufficient nvidia.com/gpu. preemption: 0/3 nodes are available"


def seen(
    *pods: dict[str, Any],
    events: list[dict[str, Any]] | None = None,
    sets: list[dict[str, Any]] | None = None,
    **status: Any,
) -> Snapshot:
    return Snapshot(service(**status), list(pods), events or [], replica_sets=sets)


def settle(snapshot: Snapshot) -> float:
    """How long the failure must last: HEALS if it is waited for until the deadline."""
    failure = diagnose(snapshot, NEW, NOW)
    assert failure is not None
    return failure.settle


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


@pytest.mark.parametrize(
    "message",
    [
        "failed to resolve reference: dial tcp: lookup nvcr.io: no such host",
        "unexpected status from HEAD request: 503 Service Unavailable",
        "unexpected status from HEAD request: 429 Too Many Requests",
        # A permission of the node's service account that spreads.
        "failed to authorize: failed to fetch oauth token: 403 Forbidden",
        "pull access denied, repository does not exist or may require authorization",
        "context deadline exceeded",
    ],
)
@pytest.mark.parametrize("why", ["ErrImagePull", "ImagePullBackOff"])
def test_a_pull_that_may_succeed_later_is_waited_for(why: str, message: str) -> None:
    assert settle(seen(pod(containers=[blocked(why, message)]))) == HEALS


@pytest.mark.parametrize(
    "message",
    [
        "manifest unknown: manifest unknown",
        "rpc error: code = NotFound desc = failed to pull and unpack image",
        "failed to resolve reference: nvcr.io/nvidia/tritonserver:26.99-py3: not found",
        "no match for platform in manifest: not found",
    ],
)
def test_an_image_that_its_registry_does_not_have_ends_early(message: str) -> None:
    assert settle(seen(pod(containers=[blocked("ErrImagePull", message)]))) == PATIENCE_SECONDS
    # Older kubelets don't repeat the cause while they wait.
    waits = pod(containers=[blocked("ImagePullBackOff", f'Back-off pulling image "{TRITON}"')])
    said = f'Failed to pull image "{TRITON}": {message}'
    events = [event(POD, "Failed", said, first=20, last=5)]
    assert settle(seen(waits, events=events)) == PATIENCE_SECONDS
    assert message in reason(seen(waits, events=events))


@pytest.mark.parametrize("why", ["InvalidImageName", "ErrImageNeverPull"])
def test_an_image_that_is_never_pulled_ends_at_once(why: str) -> None:
    assert settle(seen(pod(containers=[blocked(why)]))) == SETTLE_SECONDS


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
    # An operator may make it in a moment.
    assert settle(seen(pod(containers=[state]))) == PATIENCE_SECONDS


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


def fetching(message: str) -> dict[str, Any]:
    """A pod whose storage initializer has failed twice."""
    ended = {"exitCode": 1, "reason": "Error", "message": message}
    name = "storage-initializer"
    return pod(init=[blocked("CrashLoopBackOff", BACK_OFF, name=name, restarts=2, last=ended)])


@pytest.mark.parametrize(
    "message",
    [
        "RuntimeError: Access denied to GCS resource 'bucket'. Verify permissions.",
        "RuntimeError: GCS authentication failed. Verify GOOGLE_APPLICATION_CREDENTIALS or use "
        "anonymous access.",
        "RuntimeError: Failed to connect to GCS endpoint 'bucket'.",
        "requests.exceptions.ConnectionError: metadata.google.internal",
    ],
)
def test_permissions_that_spread_are_waited_for(message: str) -> None:
    assert settle(seen(fetching(message))) == HEALS
    said = reason(seen(fetching(message)))
    assert "container storage-initializer keeps restarting" in said
    assert message in said


@pytest.mark.parametrize(
    "message",
    [
        "RuntimeError: Failed to fetch model. No model found in gs://bucket/models/digits/new.",
        "RuntimeError: GCS resource 'bucket' not found.",
    ],
)
def test_a_model_that_is_not_there_ends_early(message: str) -> None:
    assert settle(seen(fetching(message))) == SETTLE_SECONDS


def unscheduled() -> dict[str, Any]:
    return pod(
        conditions=[
            {
                "type": "PodScheduled",
                "status": "False",
                "reason": "Unschedulable",
                "message": GPU,
                "lastTransitionTime": ago(40),
            }
        ]
    )


def test_a_node_is_waited_for_and_the_scheduler_says_why() -> None:
    said = reason(seen(unscheduled()))
    assert "no node fits: 0/3 nodes are available: 3 Insufficient nvidia.com/gpu" in said
    assert settle(seen(unscheduled())) == HEALS


def scaling(*events: tuple[str, str, float]) -> Snapshot:
    """A pod without a node; events of the cluster autoscaler: reason, message, seconds ago."""
    made = [event(POD, why, text, first=90, last=last) for why, text, last in events]
    return seen(unscheduled(), events=made)


@pytest.mark.parametrize(
    "text",
    [
        "pod didn't trigger scale-up: 1 max node group size reached",
        "pod didn't trigger scale-up: 1 in backoff after failed scale-up",
        "pod didn't trigger scale-up: 2 Insufficient cpu, 1 max cluster cpu limit reached",
        "pod didn't trigger scale-up",
    ],
)
def test_an_autoscaler_that_may_add_a_node_later_is_waited_for(text: str) -> None:
    found = scaling(("NotTriggerScaleUp", text, 10))
    assert settle(found) == HEALS
    assert text in reason(found)


@pytest.mark.parametrize(
    "text",
    [
        "pod didn't trigger scale-up: 2 Insufficient nvidia.com/gpu",
        "pod didn't trigger scale-up (it wouldn't fit if a new node is added): 1 Insufficient cpu",
        "pod didn't trigger scale-up: 1 node(s) didn't match Pod's node affinity/selector, "
        "1 node(s) had untolerated taint {nvidia.com/gpu: present}",
    ],
)
def test_a_pod_that_fits_no_node_of_any_group_ends_early(text: str) -> None:
    assert settle(scaling(("NotTriggerScaleUp", text, 10))) == PATIENCE_SECONDS
    # Its newest event counts.
    coming = ("TriggeredScaleUp", "pod triggered scale-up: 0->1", 5)
    assert settle(scaling(("NotTriggerScaleUp", text, 10), coming)) == HEALS


def test_config_map_that_is_not_there_is_named() -> None:
    message = 'MountVolume.SetUp failed for volume "release": configmap "release-x" not found'
    mounting = pod(containers=[blocked("ContainerCreating")])
    missing = event(POD, "FailedMount", message, first=25, last=2)
    assert 'configmap "release-x" not found' in reason(seen(mounting, events=[missing]))
    assert settle(seen(mounting, events=[missing])) == PATIENCE_SECONDS
    started = pod(containers=[running(ready=False)])
    assert diagnose(seen(started, events=[missing]), NEW, NOW) is None


def test_a_volume_that_is_still_attached_elsewhere_is_waited_for() -> None:
    mounting = pod(containers=[blocked("ContainerCreating")])
    busy = event(POD, "FailedAttachVolume", "Multi-Attach error", first=25, last=2)
    assert settle(seen(mounting, events=[busy])) == HEALS


QUOTA = 'pods "digits-x" is forbidden: exceeded quota: gpus, requested: 1, used: 4, limited: 4'


@pytest.mark.parametrize(
    "message",
    [
        QUOTA,
        'pods "digits-x" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot',
        'pods "digits-x" is forbidden: maximum memory usage per Pod is 1Gi, but limit is 2Gi',
        'admission webhook "policy.example" denied the request: no image from nvcr.io',
    ],
)
def test_pods_that_are_refused_end_it_at_once_with_the_text(message: str) -> None:
    found = seen(sets=[replica_set(message)])
    assert settle(found) == SETTLE_SECONDS
    assert message in reason(found)


def test_refusals_that_may_end_are_waited_for() -> None:
    away = "Internal error occurred: failed calling webhook: connection refused"
    assert settle(seen(sets=[replica_set(away)])) == HEALS
    ending = pod("old", uri=OLD, made=900)
    ending["metadata"]["deletionTimestamp"] = ago(25)
    assert settle(seen(ending, sets=[replica_set(QUOTA)])) == HEALS


def test_refusals_of_older_versions_are_ignored() -> None:
    older = [replica_set(QUOTA, uri=OLD), replica_set(QUOTA, replicas=0), replica_set()]
    assert diagnose(seen(sets=older), NEW, NOW) is None


DENIED = (
    "fails to reconcile canary digits-canary-predictor: admission webhook "
    '"policy.example" denied the request: too many labels'
)


@pytest.mark.parametrize(
    ("message", "first", "last", "found"),
    [
        (DENIED, 55, 2, True),
        # Since then the spec was written again.
        (DENIED, 300, 200, False),
        # The controller would have been refused again if it had not succeeded.
        (DENIED, 59, 55, False),
        ("fails to reconcile component: the object has been modified", 55, 2, False),
        ("failed calling webhook: it is forbidden: no", 55, 2, False),
    ],
)
def test_objects_that_kserve_may_not_make_are_reported(
    message: str, first: float, last: float, found: bool
) -> None:
    events = [event("digits", "InternalError", message, first=first, last=last)]
    failure = diagnose(seen(events=events), NEW, NOW)
    assert (failure is not None) == found
    assert failure is None or (DENIED in failure.reason and failure.settle == SETTLE_SECONDS)


def test_what_is_final_comes_before_what_heals() -> None:
    crashing = blocked("CrashLoopBackOff", restarts=4, last={"exitCode": 2, "reason": "Error"})
    pulling = pod("first", containers=[blocked("ErrImagePull", "timeout")])
    snapshot = seen(pulling, pod("second", containers=[crashing]))
    assert "pod second" in reason(snapshot)
    assert settle(snapshot) == SETTLE_SECONDS


def test_an_evicted_pod_is_no_failure() -> None:
    evicted = pod("evicted", containers=[blocked("ErrImagePull", "manifest unknown")])
    evicted["status"] |= {"phase": "Failed", "reason": "Evicted"}
    assert diagnose(seen(evicted), NEW, NOW) is None


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


def test_a_failed_load_without_a_reason_is_no_failure() -> None:
    told = {key: value for key, value in FAILED.items() if key != "lastFailureInfo"}
    assert diagnose(Snapshot(service(model_status=told), [], []), NEW, NOW) is None


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
    message = 'pods "digits" is forbidden: what its pods are said to be'
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


@pytest.mark.parametrize("ending", [True, False])
def test_quota_is_freed_by_pods_that_end(ending: bool) -> None:
    failed = {
        "type": "PredictorReady",
        "status": "False",
        "reason": "FailedCreate",
        "message": QUOTA,
        "lastTransitionTime": ago(10),
    }
    old = pod("old", uri=OLD, made=900)
    if ending:
        old["metadata"]["deletionTimestamp"] = ago(25)
    failure = diagnose(seen(old, conditions=[failed]), NEW, NOW)
    assert (failure is None) == ending


def test_a_deployment_goes_on_after_its_deadline() -> None:
    late = {
        "type": "PredictorReady",
        "status": "False",
        "reason": "ProgressDeadlineExceeded",
        "message": "ReplicaSet has timed out progressing.",
    }
    assert diagnose(seen(conditions=[late]), NEW, NOW) is None


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
