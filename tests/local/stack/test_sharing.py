"""Two stacks, and an administrator, on one cluster: nobody takes what another has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import urllib3

from tests.local.stack.conftest import KNATIVE, Stack, knative_config, kubectl_patch

if TYPE_CHECKING:
    from collections.abc import Iterator

_CONFIG = "/api/v1/namespaces/knative-serving/configmaps/config-deployment"
_REGISTRIES, _DEADLINE = "registries-skipping-tag-resolving", "progress-deadline"


@pytest.fixture
def administrator(stack: Stack) -> Iterator[dict[str, str]]:
    """Somebody's `kubectl patch`, in the walk-through's spelling of the one key."""
    theirs = {"registriesSkippingTagResolving": "a.example.com", _DEADLINE: "900s"}
    stack.destroy()
    kubectl_patch(stack.cluster, _CONFIG, {"data": theirs})
    yield theirs
    kubectl_patch(stack.cluster, _CONFIG, {"data": dict.fromkeys(theirs)})


@pytest.mark.parametrize("leaves", ["first", "second"])
def test_the_stack_that_stays_keeps_what_both_declared(
    stack: Stack, other: Stack, leaves: str
) -> None:
    stack.deploy(**KNATIVE)
    other.deploy(**KNATIVE)
    goes, stays = (stack, other) if leaves == "first" else (other, stack)
    goes.destroy()
    assert "nvcr.io" in knative_config(stack.cluster)[_REGISTRIES]
    assert stays.drift().returncode == 0
    assert _is_ready(stays)
    stays.destroy()
    assert knative_config(stack.cluster) == stack.knative_before


def _is_ready(stack: Stack, model: str = "digits") -> bool:
    conditions = stack.service(model)["status"]["conditions"]
    return {"True"} == {each["status"] for each in conditions if each["type"] == "Ready"}


@pytest.mark.parametrize("leaves", ["first", "second"])
def test_two_stacks_share_a_namespace_and_each_may_leave_it(
    stack: Stack, other: Stack, leaves: str
) -> None:
    stack.deploy(perf={"enabled": False})
    without = {"ratings": {"transformer": {"enabled": False}}}
    beside = Stack(
        other.cluster, other.folder, other.name, other.settings | {"namespace": "models"}
    )
    beside.deploy(models=without)
    claims = "/api/v1/namespaces/models/configmaps/kserve-triton-models"
    assert {"digits", "ratings"} <= stack.cluster.api.get(claims)["data"].keys()
    goes, stays = (stack, beside) if leaves == "first" else (beside, stack)
    goes.destroy()
    assert stays.drift().returncode == 0
    kept, gone = ("ratings", "digits") if leaves == "first" else ("digits", "ratings")
    assert _is_ready(stays, kept)
    claimed = stack.cluster.api.get(claims)["data"].keys()
    assert kept in claimed
    assert gone not in claimed
    beside.destroy()


def test_knative_is_left_alone_where_no_model_is_in_its_mode(stack: Stack) -> None:
    stack.deploy(perf={"enabled": False})
    assert knative_config(stack.cluster) == stack.knative_before


def test_another_value_than_the_first_stacks_is_refused_by_name(stack: Stack, other: Stack) -> None:
    stack.deploy(**KNATIVE)
    done = other.up(**KNATIVE, knative={"progressDeadline": "700s"})
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert ".data.progress-deadline" in said
    assert "kserve-triton.dev/STACK" in said
    assert "pulumi config set --path knative.managedBy none" in said
    annotations = stack.cluster.api.get(_CONFIG)["metadata"]["annotations"]
    assert "kserve-triton.dev/test" in annotations
    # The first of the remedies.
    other.deploy(**KNATIVE, knative={"managedBy": "none"})
    assert knative_config(stack.cluster)[_DEADLINE] == "600s"


def test_a_model_that_another_stack_serves_is_not_taken_over(stack: Stack, other: Stack) -> None:
    stack.deploy(perf={"enabled": False})
    before = stack.service()
    done = other.up(namespace="models")
    assert done.returncode != 0
    assert "another stack has a model" in done.stdout + done.stderr
    assert stack.service()["metadata"]["uid"] == before["metadata"]["uid"]
    assert stack.service()["spec"] == before["spec"]
    assert stack.drift().returncode == 0


def test_what_an_administrator_set_stops_the_update_and_stays(
    stack: Stack, administrator: dict[str, str]
) -> None:
    done = stack.up(**KNATIVE)
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert 'conflicts with "kubectl-patch"' in said
    assert "knative.force true" in said
    assert knative_config(stack.cluster).items() >= administrator.items()
    stack.destroy()
    assert knative_config(stack.cluster) == stack.knative_before | administrator


def test_it_is_taken_over_when_the_stack_says_so(
    stack: Stack, administrator: dict[str, str]
) -> None:
    registries = ["nvcr.io", administrator["registriesSkippingTagResolving"]]
    stack.deploy(**KNATIVE, knative={"force": True, "registries": registries})
    found = knative_config(stack.cluster)
    assert found[_REGISTRIES].endswith(",nvcr.io,a.example.com")
    assert found[_DEADLINE] == "600s"
    assert stack.drift().returncode == 0


def test_the_namespace_outlives_the_stack_and_comes_back_to_it(stack: Stack) -> None:
    stack.deploy(perf={"enabled": False})
    before = stack.service()["metadata"]["uid"]
    stack.deploy(createNamespace=False, perf={"enabled": False})
    assert stack.service()["metadata"]["uid"] == before
    stack.deploy(perf={"enabled": False})
    assert stack.service()["metadata"]["uid"] == before
    assert stack.predict()["label"]
    stack.destroy()
    namespace = stack.cluster.api.get("/api/v1/namespaces/models")
    assert namespace["status"]["phase"] == "Active"


def _bucket(stack: Stack, method: str = "GET") -> urllib3.BaseHTTPResponse:
    """The answer to a request for the stack's bucket, as its owner."""
    layout = stack.cluster.layout
    url = f"{layout.storage()}/storage/v1/b/{stack.settings['storage']['bucket']}"
    return urllib3.request(method, url, headers=layout.owner(), timeout=10)


def test_a_bucket_is_handed_over_and_outlives_the_stack(stack: Stack) -> None:
    stack.deploy(perf={"enabled": False})
    made, own = _bucket(stack).json()["timeCreated"], stack.settings["storage"]
    moved = own | {"bucket": "kserve-triton-moved"}
    refused = stack.up(storage=moved, perf={"enabled": False})
    assert refused.returncode != 0
    assert f"pulumi config set --path storage.bucket {own['bucket']}" in refused.stdout
    assert f"storage.bucket: found {moved['bucket']}" in refused.stdout

    stack.deploy(storage=own | {"create": False}, perf={"enabled": False})
    assert _bucket(stack).json()["timeCreated"] == made
    assert stack.predict()["label"]
    assert stack.drift().returncode == 0
    stack.deploy(storage=moved, perf={"enabled": False})
    assert stack.predict()["label"]
    stack.destroy()
    assert _bucket(stack).json()["timeCreated"] == made
    # Only its owner deletes it.
    assert _bucket(stack, "DELETE").status < 300


def test_managed_by_changes_back_and_forth_without_drift(stack: Stack) -> None:
    for managed_by in ("configmap", "none", "configmap"):
        stack.deploy(**KNATIVE, knative={"managedBy": managed_by})
        assert (_REGISTRIES in knative_config(stack.cluster)) == (managed_by != "none")
        assert stack.drift().returncode == 0
