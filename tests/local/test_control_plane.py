"""What KServe and Knative, the real ones, do on the local cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from kubernetes import client, config

from tests.local.cluster import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.local.cluster import Cluster

Manifest = dict[str, Any]
_NVCR_IMAGE = "nvcr.io/kserve-triton/no-such-image:1"


@pytest.fixture(scope="session")
def kubernetes(cluster: Cluster) -> Any:
    """The official client, on the kubeconfig that users get."""
    return config.new_client_from_config(str(cluster.kubeconfig))


@pytest.fixture
def objects(kubernetes: Any) -> Iterator[Any]:
    """The custom objects' API; what a test makes in `default` goes with it."""
    api = client.CustomObjectsApi(kubernetes)
    yield api
    for group, version, plural in (_KSERVE, _KNATIVE):
        api.delete_collection_namespaced_custom_object(group, version, "default", plural)


_KSERVE = ("serving.kserve.io", "v1beta1", "inferenceservices")
_KNATIVE = ("serving.knative.dev", "v1", "services")


def _inference_service(name: str, /, **model: Any) -> Manifest:
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


def _create(objects: Any, kind: tuple[str, str, str], manifest: Manifest) -> Manifest:
    group, version, plural = kind
    made: Manifest = objects.create_namespaced_custom_object(
        group, version, "default", plural, manifest
    )
    return made


def test_an_inference_service_becomes_pods_with_the_storage_initializer(
    kubernetes: Any, objects: Any
) -> None:
    _create(objects, _KSERVE, _inference_service("first", runtimeVersion="26.05-py3"))
    core = client.CoreV1Api(kubernetes)
    selector = "serving.kserve.io/inferenceservice=first"
    pods = eventually(lambda: core.list_namespaced_pod("default", label_selector=selector).items)
    [initializer] = pods[0].spec.init_containers
    assert initializer.image.startswith("kserve/storage-initializer:v")
    assert initializer.args[0] == "gs://models/none"
    assert pods[0].spec.containers[0].image == "nvcr.io/nvidia/tritonserver:26.05-py3"
    assert pods[0].metadata.owner_references[0].kind == "ReplicaSet"


@pytest.mark.parametrize(
    ("manifest", "words"),
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
def test_kserve_refuses_in_its_own_words(objects: Any, manifest: Manifest, words: str) -> None:
    with pytest.raises(client.ApiException) as refused:
        _create(objects, _KSERVE, manifest)
    assert "inferenceservice.kserve-webhook-server" in refused.value.body
    assert words in refused.value.body.lower()


def test_knative_resolves_digests_until_it_is_told_to_skip_the_registry(
    kubernetes: Any, objects: Any
) -> None:
    """The seed's problem and its cure, by Knative's own controller."""
    _create(objects, _KNATIVE, _knative_service("before"))
    reasons = eventually(lambda: "ContainerMissing" in _reasons(objects, "before"))
    assert reasons
    deployments = client.AppsV1Api(kubernetes)
    assert _deployment(deployments, "before") is None

    core = client.CoreV1Api(kubernetes)
    place = ("config-deployment", "knative-serving")
    skipped = "kind.local,ko.local,dev.local,nvcr.io"
    keys = {"registries-skipping-tag-resolving": skipped, "progress-deadline": "1200s"}
    core.patch_namespaced_config_map(*place, {"data": keys})
    try:
        _create(objects, _KNATIVE, _knative_service("after"))
        made = eventually(lambda: _deployment(deployments, "after"))
        assert made.spec.progress_deadline_seconds == 1200
        container = made.spec.template.spec.containers[0]
        assert container.image == _NVCR_IMAGE
    finally:
        core.patch_namespaced_config_map(*place, {"data": dict.fromkeys(keys)})


def test_knative_refuses_a_wrong_deadline(kubernetes: Any) -> None:
    core = client.CoreV1Api(kubernetes)
    wrong = {"data": {"progress-deadline": "-1s"}}
    with pytest.raises(client.ApiException, match="progress-deadline cannot be"):
        core.patch_namespaced_config_map("config-deployment", "knative-serving", wrong)


def test_controllers_have_no_more_rights_than_their_own_roles(cluster: Cluster) -> None:
    """They come as their service accounts; nothing makes them administrators."""
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


def _knative_service(name: str) -> Manifest:
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"template": {"spec": {"containers": [{"image": _NVCR_IMAGE}]}}},
    }


def _reasons(objects: Any, name: str) -> set[str]:
    found = objects.list_namespaced_custom_object(
        "serving.knative.dev",
        "v1",
        "default",
        "revisions",
        label_selector=f"serving.knative.dev/service={name}",
    )
    conditions = [c for item in found["items"] for c in item["status"]["conditions"]]
    return {c.get("reason", "") for c in conditions}


def _deployment(deployments: Any, name: str) -> Any:
    selector = f"serving.knative.dev/service={name}"
    found = deployments.list_namespaced_deployment("default", label_selector=selector).items
    return found[0] if found else None
