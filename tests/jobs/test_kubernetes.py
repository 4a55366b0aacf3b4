"""What is asked of the Kubernetes API, and what its answers become.

A server of the test's own stands in for the API's wire format only.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from jobs.verify.kubernetes import ApiError, Cluster, ForbiddenError
from tests.jobs.server import Server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SERVICE = "/apis/serving.kserve.io/v1beta1/namespaces/models/inferenceservices/digits"
LABELLED = "?labelSelector=serving.kserve.io%2Finferenceservice%3Ddigits&limit=500"
PODS = f"/api/v1/namespaces/models/pods{LABELLED}"
REVISIONS = f"/apis/serving.knative.dev/v1/namespaces/models/revisions{LABELLED}"
REPLICA_SETS = f"/apis/apps/v1/namespaces/models/replicasets{LABELLED}"
EVENTS = "/api/v1/namespaces/models/events?fieldSelector=involvedObject.name%3Ddigits-a&limit=500"
ME = "/api/v1/namespaces/models/pods/me"
JOB = "/apis/batch/v1/namespaces/models/jobs/verify-1"
LOG = "/api/v1/namespaces/models/pods/a/log?container=kserve-container&tailLines=5&previous=true"


class Api:
    """Answers by path."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, bytes]] = {}
        self.server = Server(lambda asked: self.answers.get(asked.path, (404, b"{}")))

    def says(self, path: str, raw: Any, status: int = 200) -> None:
        body = raw if isinstance(raw, bytes) else json.dumps(raw).encode()
        self.answers[path] = (status, body)


@pytest.fixture
def api() -> Iterator[Api]:
    made = Api()
    with made.server:
        yield made


@pytest.fixture
def cluster(api: Api, tmp_path: Path) -> Cluster:
    token = tmp_path / "token"
    token.write_text("first\n")
    return Cluster(api.server.url, token)


def test_a_jobs_age_counts_from_its_start(api: Api, cluster: Cluster) -> None:
    """Not from the creation of its pod: an earlier one may have been evicted."""
    started = datetime.now(UTC) - timedelta(seconds=90)
    api.says(ME, {"metadata": {"labels": {"batch.kubernetes.io/job-name": "verify-1"}}})
    api.says(JOB, {"status": {"startTime": started.strftime("%Y-%m-%dT%H:%M:%SZ")}})
    assert cluster.job_age("models", "me") == pytest.approx(90, abs=5)


def test_an_age_that_cannot_be_read_is_zero(api: Api, cluster: Cluster) -> None:
    assert cluster.job_age("models", "nobody") == 0
    api.says(ME, {"metadata": {"labels": {"batch.kubernetes.io/job-name": "verify-1"}}})
    api.says(JOB, {}, 403)
    assert cluster.job_age("models", "me") == 0


def test_reads_the_inference_service_its_pods_revisions_and_events(
    api: Api, cluster: Cluster
) -> None:
    api.says(SERVICE, {"kind": "InferenceService"})
    api.says(PODS, {"items": [{"metadata": {"name": "a"}}]})
    api.says(REVISIONS, {"items": [{"metadata": {"name": "r"}}]})
    api.says(REPLICA_SETS, {"items": [{"metadata": {"name": "s"}}]})
    api.says(EVENTS, {"items": None})
    assert cluster.inference_service("models", "digits") == {"kind": "InferenceService"}
    assert cluster.pods("models", "digits") == [{"metadata": {"name": "a"}}]
    assert cluster.revisions("models", "digits") == [{"metadata": {"name": "r"}}]
    assert cluster.replica_sets("models", "digits") == [{"metadata": {"name": "s"}}]
    assert cluster.events("models", "digits-a") == []


def test_a_list_is_read_page_by_page(api: Api, cluster: Cluster) -> None:
    first = [{"reason": str(n)} for n in range(500)]
    api.says(EVENTS, {"metadata": {"continue": "a b"}, "items": first})
    api.says(f"{EVENTS}&continue=a+b", {"metadata": {"continue": ""}, "items": [{"reason": "z"}]})
    assert cluster.events("models", "digits-a") == [*first, {"reason": "z"}]


def test_no_inference_service_is_none(cluster: Cluster) -> None:
    assert cluster.inference_service("models", "digits") is None


def test_log_of_a_previous_run(api: Api, cluster: Cluster) -> None:
    api.says(LOG, b"E1124 failed to load 'digits'\n")
    found = cluster.log("models", "a", "kserve-container", previous=True, lines=5)
    assert found == "E1124 failed to load 'digits'"
    api.says(LOG, {"message": "previous terminated container not found"}, 400)
    assert cluster.log("models", "a", "kserve-container", previous=True, lines=5) is None


def test_token_is_read_each_time(api: Api, cluster: Cluster) -> None:
    api.says(SERVICE, {})
    cluster.inference_service("models", "digits")
    cluster.token.write_text("second")
    cluster.inference_service("models", "digits")
    tokens = [asked.headers["Authorization"] for asked in api.server.asked]
    assert tokens == ["Bearer first", "Bearer second"]


@pytest.mark.parametrize("status", [401, 403])
def test_a_forbidden_read_has_its_own_error(api: Api, cluster: Cluster, status: int) -> None:
    api.says(PODS, {"reason": "Forbidden"}, status)
    with pytest.raises(ForbiddenError, match="not allowed to read /api/v1/namespaces/models/pods"):
        cluster.pods("models", "digits")


def test_a_broken_or_unreachable_api_is_an_error(api: Api, cluster: Cluster) -> None:
    api.says(SERVICE, {"message": "etcd is away"}, 500)
    with pytest.raises(ApiError, match="etcd is away"):
        cluster.inference_service("models", "digits")
    api.says(SERVICE, b"<html>")
    with pytest.raises(ApiError, match="no JSON"):
        cluster.inference_service("models", "digits")
    cluster.url = "http://127.0.0.1:1"
    with pytest.raises(ApiError, match="does not answer"):
        cluster.inference_service("models", "digits")


def test_outside_of_a_cluster_there_is_none() -> None:
    assert Cluster.of_this_pod({}) is None
