"""The real KServe and Knative on the local cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from local.api import ApiError
from tests.local.cluster import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.api import Api, Object
    from tests.local.cluster import Cluster

_NVCR_IMAGE = "nvcr.io/kserve-triton/no-such-image:1"


_INFERENCE_SERVICES = "/apis/serving.kserve.io/v1beta1/namespaces/default/inferenceservices"
_KNATIVE = "/apis/serving.knative.dev/v1/namespaces/default"
_CONFIG = "/api/v1/namespaces/knative-serving/configmaps/config-deployment"


@pytest.fixture
def api(cluster: Cluster) -> Iterator[Api]:
    """The cluster's API. Services that a test makes in `default` are deleted after it."""
    yield cluster.api
    for path in (_INFERENCE_SERVICES, f"{_KNATIVE}/services"):
        cluster.api.delete(path)


def _inference_service(name: str, /, **model: Any) -> Object:
    model = {
        "modelFormat": {"name": "triton"},
        "runtime": "kserve-tritonserver",
        "protocolVersion": "v2",
        "storageUri": "gs://models/none",
    } | model
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": name},
        "spec": {"predictor": {"minReplicas": 1, "model": model}},
    }


def test_an_inference_service_gets_pods_with_the_storage_initializer(api: Api) -> None:
    api.request(
        "POST", _INFERENCE_SERVICES, _inference_service("first", runtimeVersion="26.05-py3")
    )
    path = _selected("/api/v1/namespaces/default/pods", "serving.kserve.io/inferenceservice=first")
    pod = eventually(lambda: api.get(path)["items"])[0]
    [initializer] = pod["spec"]["initContainers"]
    assert initializer["image"].startswith("kserve/storage-initializer:v")
    assert initializer["args"][0] == "gs://models/none"
    assert pod["spec"]["containers"][0]["image"] == "nvcr.io/nvidia/tritonserver:26.05-py3"
    assert pod["metadata"]["ownerReferences"][0]["kind"] == "ReplicaSet"


@pytest.mark.parametrize(
    ("manifest", "reason"),
    [
        (_inference_service("1st"), "is invalid"),
        (_inference_service("named", name="triton"), "name"),
        (
            _inference_service("two")
            | {
                "spec": {
                    "predictor": {
                        "sklearn": {"storageUri": "gs://models/none"},
                        "xgboost": {"storageUri": "gs://models/none"},
                    }
                }
            },
            "exactly one",
        ),
    ],
    ids=["bad name", "model.name", "two implementations"],
)
def test_kserve_refuses_invalid_inference_services(api: Api, manifest: Object, reason: str) -> None:
    with pytest.raises(ApiError) as refused:
        api.request("POST", _INFERENCE_SERVICES, manifest)
    assert "inferenceservice.kserve-webhook-server" in str(refused.value)
    assert reason in str(refused.value).lower()


def test_knative_resolves_digests_until_it_is_told_to_skip_the_registry(api: Api) -> None:
    """The problem that the program solves, and its solution, on Knative's own controller."""
    api.request("POST", f"{_KNATIVE}/services", _knative_service("before"))
    eventually(lambda: "ContainerMissing" in _reasons(api, "before"))
    assert not _deployments(api, "before")
    skipped = "kind.local,ko.local,dev.local,nvcr.io"
    keys = {"registries-skipping-tag-resolving": skipped, "progress-deadline": "1200s"}
    api.merge(_CONFIG, {"data": keys})
    try:
        api.request("POST", f"{_KNATIVE}/services", _knative_service("after"))
        spec = eventually(lambda: _deployments(api, "after"))[0]["spec"]
        assert spec["progressDeadlineSeconds"] == 1200
        assert spec["template"]["spec"]["containers"][0]["image"] == _NVCR_IMAGE
    finally:
        api.merge(_CONFIG, {"data": dict.fromkeys(keys)})


def test_knative_refuses_a_wrong_deadline(api: Api) -> None:
    with pytest.raises(ApiError, match="progress-deadline cannot be"):
        api.merge(_CONFIG, {"data": {"progress-deadline": "-1s"}})


def test_controllers_have_no_more_rights_than_their_own_roles(cluster: Cluster) -> None:
    """They have the users of their service accounts, and are no administrators."""
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {
            "user": "system:serviceaccount:kserve:kserve-controller-manager",
            "resourceAttributes": {"verb": "delete", "resource": "nodes"},
        },
    }
    path = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
    assert not cluster.api.request("POST", path, review)["status"]["allowed"]


def _knative_service(name: str) -> Object:
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"template": {"spec": {"containers": [{"image": _NVCR_IMAGE}]}}},
    }


def _reasons(api: Api, name: str) -> set[str]:
    path = _selected(f"{_KNATIVE}/revisions", f"serving.knative.dev/service={name}")
    found = api.get(path)["items"]
    return {c.get("reason", "") for item in found for c in item["status"]["conditions"]}


def _deployments(api: Api, name: str) -> list[Object]:
    path = "/apis/apps/v1/namespaces/default/deployments"
    return list(api.get(_selected(path, f"serving.knative.dev/service={name}"))["items"])


def _selected(path: str, label: str) -> str:
    return f"{path}?labelSelector={quote(label)}"
