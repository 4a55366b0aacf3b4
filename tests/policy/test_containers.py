"""Every place in which a resource can name a container is looked at."""

from __future__ import annotations

from itertools import chain
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.containers import COMPONENTS, SERVED_BY_RUNTIME, containers
from policy.rule import Resource
from tests.policy.resources import INFERENCE_SERVICE

TEMPLATE = "spec/template/spec"
KINDS = {
    "kubernetes:core/v1:Pod": "spec",
    "kubernetes:core/v1:PodTemplate": "template/spec",
    "kubernetes:core/v1:ReplicationController": TEMPLATE,
    "kubernetes:apps/v1:Deployment": TEMPLATE,
    "kubernetes:apps/v1:StatefulSet": TEMPLATE,
    "kubernetes:apps/v1:DaemonSet": TEMPLATE,
    "kubernetes:apps/v1:ReplicaSet": TEMPLATE,
    "kubernetes:batch/v1:Job": TEMPLATE,
    "kubernetes:batch/v1:CronJob": f"spec/jobTemplate/{TEMPLATE}",
    "kubernetes:serving.knative.dev/v1:Service": TEMPLATE,
    "kubernetes:serving.knative.dev/v1:Configuration": TEMPLATE,
    "kubernetes:serving.kserve.io/v1alpha1:ServingRuntime": "spec",
    "kubernetes:serving.kserve.io/v1alpha1:ClusterServingRuntime": "spec",
}
NAMES = st.lists(st.text("abc", min_size=1, max_size=3), max_size=3)
PODS = st.fixed_dictionaries({"initContainers": NAMES, "containers": NAMES})


def pod(named: dict[str, list[str]]) -> dict[str, Any]:
    """A pod's spec with a container of each name."""
    return {key: [{"name": name} for name in names] for key, names in named.items()}


def under(path: str, value: Any) -> dict[str, Any]:
    """The properties that have a value under a path."""
    for key in reversed(path.split("/")):
        value = {key: value}
    return dict(value)


def found(token: str, properties: dict[str, Any]) -> list[str]:
    return sorted(str(each.spec["name"]) for each in containers(Resource(token, properties)))


@given(st.sampled_from(sorted(KINDS)), PODS)
def test_every_container_of_a_pod_is_found(token: str, named: dict[str, list[str]]) -> None:
    assert found(token, under(KINDS[token], pod(named))) == sorted(chain(*named.values()))


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(COMPONENTS, PODS)), PODS)
def test_every_container_of_a_service_is_found(
    named: dict[str, dict[str, list[str]]], workers: dict[str, list[str]]
) -> None:
    spec = {component: pod(each) for component, each in named.items()}
    expected = list(chain(*(chain(*each.values()) for each in [*named.values(), workers])))
    spec["predictor"] = spec.get("predictor", {}) | {"workerSpec": pod(workers)}
    assert found(INFERENCE_SERVICE, {"spec": spec}) == sorted(expected)


@given(st.lists(PODS, max_size=3))
def test_every_container_of_a_canary_is_found(canaries: list[dict[str, list[str]]]) -> None:
    listed = [{"predictor": pod(each)} for each in canaries]
    expected = list(chain(*(chain(*each.values()) for each in canaries)))
    assert found(INFERENCE_SERVICE, {"spec": {"canary": listed}}) == sorted(expected)


@pytest.mark.parametrize("key", SERVED_BY_RUNTIME)
def test_what_a_runtime_completes_is_a_container(key: str) -> None:
    properties = {"spec": {"predictor": {key: {"name": "it"}}}}
    (served,) = containers(Resource(INFERENCE_SERVICE, properties))
    assert served.served
    assert served.where == f"spec.predictor.{key}"


@pytest.mark.parametrize(
    "token", ["kubernetes:core/v1:ConfigMap", "gcp:storage/bucket:Bucket", "pulumi:pulumi:Stack"]
)
def test_what_runs_nothing_has_no_containers(token: str) -> None:
    assert found(token, under(TEMPLATE, pod({"containers": ["a"]}))) == []
