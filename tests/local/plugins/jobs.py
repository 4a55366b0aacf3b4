"""What the Job controller and a node would write about a Job, where there is neither."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.local.plugins.meanwhile import wait_until

if TYPE_CHECKING:
    from tests.local.plugins.api_server import ApiServer

STARTED = "2026-01-01T00:00:00Z"
PODS = "/api/v1/namespaces/default/pods"


def start(server: ApiServer, name: str, after: str = "") -> None:
    """Start a Job once it is there, and another one than that with the uid `after`."""
    wait_until(lambda: server.has(_path(name)) and _uid(server, name) != after)
    status = {"startTime": STARTED, "active": 1}
    server.merge(f"{_path(name)}/status", {"status": status})


def complete(server: ApiServer, name: str, after: str = "") -> None:
    """Start a Job and let it succeed."""
    start(server, name, after)
    held = [{"type": kind, "status": "True"} for kind in ("SuccessCriteriaMet", "Complete")]
    status = {"active": 0, "succeeded": 1, "conditions": held, "completionTime": STARTED}
    server.merge(f"{_path(name)}/status", {"status": status})


def fail(
    server: ApiServer,
    name: str,
    reason: str = "BackoffLimitExceeded",
    message: str = "Job has reached the specified backoff limit",
) -> None:
    """Let a started Job fail."""
    held = [
        {"type": kind, "status": "True", "reason": reason, "message": message}
        for kind in ("FailureTarget", "Failed")
    ]
    status = {"active": 0, "failed": 1, "conditions": held}
    server.merge(f"{_path(name)}/status", {"status": status})


def run(server: ApiServer, name: str, message: str) -> None:
    """A pod of the Job's, whose container exited with 1 and left a message."""
    ended = {"exitCode": 1, "reason": "Error", "message": message}
    times = {"startedAt": STARTED, "finishedAt": STARTED}
    _add_pod(server, name, "Failed", "PodFailed", {"terminated": ended | times})


def pull_nothing(server: ApiServer, name: str) -> None:
    """A pod of the Job's, whose image can't be pulled."""
    message = 'Back-off pulling image "nowhere/jobs:1"'
    waiting = {"waiting": {"reason": "ImagePullBackOff", "message": message}}
    _add_pod(server, name, "Pending", "ContainersNotReady", waiting)


def _add_pod(server: ApiServer, name: str, phase: str, reason: str, state: Any) -> None:
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": name, "uid": _uid(server, name)}
    metadata = {"name": f"{name}-pod", "ownerReferences": [owner | {"controller": True}]}
    container = {"name": "verify", "image": "i"}
    spec = {"containers": [container], "restartPolicy": "Never"}
    server.request("POST", PODS, {"metadata": metadata, "spec": spec})
    ready = {"type": "Ready", "status": "False", "reason": reason}
    conditions = [{"type": kind, "status": "True"} for kind in ("PodScheduled", "Initialized")]
    found = {**container, "imageID": "", "ready": False, "restartCount": 0, "state": state}
    status = {"phase": phase, "conditions": [*conditions, ready], "containerStatuses": [found]}
    server.merge(f"{PODS}/{name}-pod/status", {"status": status})


def _uid(server: ApiServer, name: str) -> str:
    return str(server.get(_path(name))["metadata"]["uid"])


def _path(name: str) -> str:
    return f"/apis/batch/v1/namespaces/default/jobs/{name}"
