"""What changes behind a stack's back: seen by the nightly check, taken back by its remedy."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.local.stack.conftest import KNATIVE, kubectl_patch

if TYPE_CHECKING:
    from pathlib import Path

    from tests.local.stack.conftest import Stack


def test_a_patched_service_is_seen_previewed_and_taken_back(stack: Stack) -> None:
    stack.deploy()
    replicas = stack.service()["spec"]["predictor"]["maxReplicas"]
    predictor = {"maxReplicas": replicas + 2, "model": {"resources": {"limits": {"cpu": "300m"}}}}
    kubectl_patch(stack.cluster, stack.service_path(), {"spec": {"predictor": predictor}})
    assert stack.drift().returncode != 0
    preview = stack.run("preview", "--refresh")
    assert preview.returncode == 0, preview.stdout
    assert "1 to update" in preview.stdout
    stack.deploy("--refresh")
    found = stack.service()["spec"]["predictor"]
    assert found["maxReplicas"] == replicas
    assert found["model"]["resources"]["limits"]["cpu"] == "250m"
    assert stack.drift().returncode == 0


@pytest.mark.parametrize("policy", ["digits-predictor", "digits-transformer"])
def test_a_deleted_policy_is_seen_and_made_again(stack: Stack, policy: str) -> None:
    stack.deploy()
    path = f"/apis/networking.k8s.io/v1/namespaces/models/networkpolicies/{policy}"
    stack.cluster.api.delete(path)
    assert stack.drift().returncode != 0
    stack.deploy("--refresh")
    assert stack.cluster.api.find(path)


def test_a_key_that_somebody_took_from_knative_is_refused_not_taken_back(stack: Stack) -> None:
    stack.deploy(**KNATIVE)
    path = "/api/v1/namespaces/knative-serving/configmaps/config-deployment"
    kubectl_patch(stack.cluster, path, {"data": {"progress-deadline": "800s"}})
    done = stack.up("--refresh", **KNATIVE)
    assert done.returncode != 0
    kubectl_patch(stack.cluster, path, {"data": {"progress-deadline": None}})
    said = done.stdout + done.stderr
    assert 'conflict with "kubectl-patch"' in said
    assert ".data.progress-deadline" in said
    stack.deploy("--refresh", **KNATIVE)
    assert stack.cluster.api.get(path)["data"]["progress-deadline"] == "600s"


def test_a_part_of_the_stack_can_be_updated_by_itself(stack: Stack) -> None:
    stack.destroy()
    stack.configure()
    update = ("up", "--yes", "--skip-preview", "--suppress-progress", "--target")
    for target in ("**::cluster", "**::knative**", "**Namespace**"):
        done = stack.run(*update, target)
        assert done.returncode == 0, done.stdout + done.stderr
    assert stack.run("stack", "export").returncode == 0
    stack.deploy()


@pytest.fixture
def viewer(stack: Stack, tmp_path: Path) -> Path:
    """The kubeconfig of an account that may read everything and write nothing."""
    api = stack.cluster.api
    name, group = {"name": "viewer"}, "rbac.authorization.k8s.io"
    rules = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list", "watch"]}]
    role = {"apiGroup": group, "kind": "ClusterRole", **name}
    subject = {"kind": "ServiceAccount", "namespace": "default", **name}
    version = f"{group}/v1"
    for manifest in (
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": name | {"namespace": "default"}},
        {"apiVersion": version, "kind": "ClusterRole", "metadata": name, "rules": rules},
        {
            "apiVersion": version,
            "kind": "ClusterRoleBinding",
            "metadata": name,
            "roleRef": role,
            "subjects": [subject],
        },
    ):
        api.apply(manifest)
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    path = "/api/v1/namespaces/default/serviceaccounts/viewer/token"
    token = api.request("POST", path, request)["status"]["token"]
    config = json.loads(stack.cluster.kubeconfig.read_text())
    config["users"][0]["user"] = {"token": token}
    (tmp_path / "kubeconfig").write_text(json.dumps(config))
    return tmp_path / "kubeconfig"


def test_an_account_that_may_only_read_gets_its_preview(stack: Stack, viewer: Path) -> None:
    stack.deploy()
    stack.configure(device="gpu")
    preview = stack.run("preview", "--diff", KUBECONFIG=str(viewer))
    assert preview.returncode == 0, preview.stdout + preview.stderr
    assert "nvidia.com/gpu" in preview.stdout
    diagnostics = preview.stdout.partition("Diagnostics:")[2]
    assert "forbidden" not in diagnostics
