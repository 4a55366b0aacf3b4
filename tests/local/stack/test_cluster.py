"""A stack and its cluster: whatever kubectl is set to, no other cluster is changed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.local.cluster import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.local.stack.conftest import Stack

_OTHER = "11111111-2222-3333-4444-555555555555"
_NO_LOAD: dict[str, Any] = {"perf": {"enabled": False}}


def _kubeconfig(stack: Stack) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(stack.cluster.kubeconfig.read_text())
    return found


def _deployments(stack: Stack) -> list[dict[str, Any]]:
    return stack.list("deployments", "/apis/apps/v1")


def test_kubectl_may_be_set_to_another_cluster(stack: Stack, tmp_path: Path) -> None:
    stack.deploy(**_NO_LOAD)
    both = _kubeconfig(stack)
    # Nobody listens there.
    both["clusters"].append({"name": "foreign", "cluster": {"server": "https://127.0.0.1:9"}})
    user = both["users"][0]["name"]
    context = {"name": "foreign", "context": {"cluster": "foreign", "user": user}}
    both["contexts"].append(context)
    both["current-context"] = "foreign"
    file = tmp_path / "kubeconfig"
    file.write_text(yaml.safe_dump(both))
    done = stack.run("preview", "--expect-no-changes", KUBECONFIG=str(file))
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_kubeconfig_without_the_stacks_cluster_is_refused(stack: Stack, tmp_path: Path) -> None:
    stack.deploy(**_NO_LOAD)
    foreign = _kubeconfig(stack)
    foreign["contexts"][0]["name"] = foreign["current-context"] = "foreign"
    file = tmp_path / "kubeconfig"
    file.write_text(yaml.safe_dump(foreign))
    done = stack.run("preview", KUBECONFIG=str(file))
    assert done.returncode != 0
    assert "kubernetes:context: found kserve-triton-local; allowed" in done.stdout + done.stderr


@pytest.fixture
def moved(stack: Stack, tmp_path: Path) -> Iterator[Stack]:
    """The stack, with the state of another cluster."""
    stack.deploy(**_NO_LOAD)
    exported = json.loads(stack.run("stack", "export").stdout)
    for each in exported["deployment"]["resources"]:
        if each["type"] == "kserve-triton:index:Cluster":
            each["inputs"]["uid"] = _OTHER
    file = tmp_path / "state.json"
    file.write_text(json.dumps(exported))
    done = stack.run("stack", "import", "--file", str(file))
    assert done.returncode == 0, done.stderr
    yield stack
    stack.destroy()


def test_another_cluster_than_in_the_state_is_refused_before_anything_is_changed(
    moved: Stack,
) -> None:
    before = moved.service()["metadata"]
    # The namespace, the policies and the service would change.
    moved.configure(**_NO_LOAD, predictor={"cpu": "300m"}, network={"clientNamespaces": ["shop"]})
    for words in (["preview"], ["up", "--yes", "--skip-preview"]):
        done = moved.run(*words)
        said = done.stdout + done.stderr
        assert done.returncode != 0
        assert "this is another cluster than the stack's" in said
    assert moved.service()["metadata"]["generation"] == before["generation"]

    # The remedy, for a cluster that was made anew.
    uid = moved.cluster.api.get("/api/v1/namespaces/kube-system")["metadata"]["uid"]
    assert f"pulumi config set cluster {uid}" in said
    moved.deploy(**_NO_LOAD, cluster=uid)
    assert moved.drift().returncode == 0


def test_what_kserve_leaves_is_named_with_the_command(stack: Stack) -> None:
    stack.deploy(**_NO_LOAD)
    stack.configure(**_NO_LOAD, placement="collocated")
    done = stack.run("preview")
    command = (
        "kubectl --context kserve-triton-local delete deployment,service,horizontalpodautoscaler "
        "digits-transformer --namespace models --ignore-not-found"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert command in done.stdout + done.stderr
    stack.deploy(**_NO_LOAD, placement="collocated")
    left = {each["metadata"]["name"] for each in _deployments(stack)}
    # Once KServe deletes it, the notice can go.
    assert "digits-transformer" in left
    stack.destroy()


@pytest.mark.parametrize("strategy", [{"type": "Recreate"}, {"maxSurge": 0}])
def test_pods_are_replaced_without_room_for_another(stack: Stack, strategy: dict[str, Any]) -> None:
    stack.deploy(**_NO_LOAD, predictor={"cpu": "250m", "deploymentStrategy": strategy})
    found = {each["metadata"]["name"]: each for each in _deployments(stack)}
    made = found["digits-predictor"]["spec"]["strategy"]
    if "type" in strategy:
        assert made == {"type": "Recreate"}
    else:
        assert made["rollingUpdate"] == {"maxSurge": 0, "maxUnavailable": 1}


def _autoscalers(stack: Stack) -> dict[str, dict[str, Any]]:
    found = stack.list("horizontalpodautoscalers", "/apis/autoscaling/v2")
    return {each["metadata"]["name"]: each["spec"] for each in found}


def test_the_stacks_own_autoscalers_set_the_replicas(stack: Stack) -> None:
    slowly = {"scaleDown": {"stabilizationWindowSeconds": 900}}
    scaled = {"cpu": "100m", "memory": "1Gi", "minReplicas": 2, "maxReplicas": 3}
    stack.deploy(**_NO_LOAD, predictor=scaled | {"behavior": slowly})
    found = _autoscalers(stack)
    assert set(found) == {"digits-predictor-scaling", "digits-transformer-scaling"}
    behavior = found["digits-predictor-scaling"]["behavior"]
    assert behavior["scaleDown"]["stabilizationWindowSeconds"] == 900
    # KServe leaves the number to them.
    deployments = {each["metadata"]["name"]: each for each in _deployments(stack)}
    assert deployments["digits-predictor"]["spec"]["replicas"] == 2
    assert stack.drift().returncode == 0
    stack.deploy(**_NO_LOAD, predictor=scaled)
    eventually(lambda: set(_autoscalers(stack)) == {"digits-predictor", "digits-transformer"})
