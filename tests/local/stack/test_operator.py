"""Where Knative's operator rules: its resource has the keys, and the administrator's stay."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.local.stack.conftest import KNATIVE, knative_config, kubectl_patch

if TYPE_CHECKING:
    from tests.local.stack.conftest import Stack

_PATH = (
    "/apis/operator.knative.dev/v1beta1/namespaces/knative-serving/knativeservings/knative-serving"
)
# No operator carries the settings into Knative's ConfigMap here. Knative leaves a digest as it is.
_IMAGE = f"nvcr.io/nvidia/tritonserver:26.05-py3@sha256:{'0' * 64}"
_OPERATED: dict[str, Any] = KNATIVE | {
    "knative": {"managedBy": "operator"},
    "triton": {"image": _IMAGE},
}


def _deployment(stack: Stack) -> dict[str, str]:
    found: dict[str, str] = stack.cluster.api.get(_PATH)["spec"]["config"]["deployment"]
    return found


def _edit(stack: Stack, deployment: dict[str, Any]) -> None:
    """What `kubectl edit` does to the administrator's settings."""
    change = {"spec": {"config": {"deployment": deployment}}}
    kubectl_patch(stack.cluster, _PATH, change, "kubectl-edit")


def test_it_gets_the_keys_and_gives_them_back(
    stack: Stack, knative_serving: dict[str, Any]
) -> None:
    theirs = knative_serving["spec"]["config"]["deployment"]
    stack.deploy(**_OPERATED)
    assert _deployment(stack).items() >= theirs.items()
    assert _deployment(stack)["progress-deadline"] == "600s"
    assert knative_config(stack.cluster) == stack.knative_before
    assert stack.drift().returncode == 0
    stack.deploy("--expect-no-changes", **_OPERATED)
    stack.destroy()
    assert _deployment(stack) == theirs


def test_a_key_of_the_administrators_is_not_taken(
    stack: Stack, knative_serving: dict[str, Any]
) -> None:
    theirs = {"progress-deadline": "900s", "registries-skipping-tag-resolving": "a.example.com"}
    _edit(stack, theirs)
    done = stack.up(**_OPERATED)
    assert done.returncode != 0
    assert 'conflicts with "kubectl-edit"' in done.stdout + done.stderr
    stack.destroy()
    assert _deployment(stack).items() >= theirs.items()
    _edit(stack, dict.fromkeys(theirs))
    assert _deployment(stack) == knative_serving["spec"]["config"]["deployment"]


def test_a_config_map_that_the_operator_owns_is_refused(
    stack: Stack, knative_serving: dict[str, Any]
) -> None:
    metadata = stack.cluster.api.get(_PATH)["metadata"]
    owner = {key: knative_serving[key] for key in ("apiVersion", "kind")}
    owner |= {key: metadata[key] for key in ("name", "uid")}
    path = "/api/v1/namespaces/knative-serving/configmaps/config-deployment"

    def own(*owners: dict[str, str]) -> None:
        change = {"metadata": {"ownerReferences": list(owners)}}
        kubectl_patch(stack.cluster, path, change)

    own(owner)
    try:
        done = stack.up(**KNATIVE)
    finally:
        own()
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert "belongs to Knative's operator" in said
    assert "pulumi config set --path knative.managedBy operator" in said
    stack.destroy()


def test_a_cluster_without_the_operator_is_said_in_words(stack: Stack) -> None:
    stack.destroy()
    definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    definition = f"{definitions}/knativeservings.operator.knative.dev"
    if stack.cluster.api.find(definition):
        stack.cluster.api.delete(definition)
    done = stack.up(**_OPERATED)
    assert done.returncode != 0
    said = done.stdout + done.stderr
    assert "there is no KnativeServing resource in this cluster" in said
    assert "pulumi config set --path knative.managedBy configmap" in said
