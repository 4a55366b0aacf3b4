"""Knative's config-deployment: what is kept, what is set, what is left alone."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.knative import ADDED, DEADLINE, DEFAULTS, REGISTRIES, union
from tests.infra.program import Recorder, run

HOSTS = st.lists(st.from_regex(r"[a-z]{1,8}\.(io|dev|local)", fullmatch=True), max_size=5)


def patch(existing: dict[str, str], changes: dict[str, Any] | None = None) -> dict[str, Any]:
    return run("local", changes, Recorder(existing=existing)).one(":ConfigMapPatch")


def test_the_patch_owns_two_keys_under_its_own_field_manager() -> None:
    found = patch({"_example": "x", "queue-sidecar-image": "y"})
    assert set(found["data"]) == {REGISTRIES, DEADLINE}
    assert found["data"][REGISTRIES] == "kind.local,ko.local,dev.local,nvcr.io"
    annotations = found["metadata"]["annotations"]
    assert annotations["pulumi.com/patchFieldManager"] == "kserve-triton"
    assert annotations["pulumi.com/patchForce"] == "true"


@pytest.mark.parametrize("key", [REGISTRIES, "registriesSkippingTagResolving"])
def test_registries_skipped_already_are_kept(key: str) -> None:
    found = patch({key: "ko.local, ghcr.io"})["data"][REGISTRIES]
    assert found == "kind.local,ko.local,dev.local,ghcr.io,nvcr.io"


def test_it_can_be_switched_off() -> None:
    engine = run("local", {"knative": {"managedBy": "none"}}, Recorder(knative=False))
    assert not engine.of(":ConfigMapPatch")


def features(stack: str, changes: dict[str, Any]) -> dict[str, str]:
    found = run(stack, changes).of(":ConfigMapPatch").values()
    maps = [each["data"] for each in found if each["metadata"]["name"] == "config-features"]
    return dict(maps[0]) if maps else {}


def test_what_gpu_pods_need_of_knative_is_allowed_and_no_more() -> None:
    selector, tolerations = "kubernetes.podspec-nodeselector", "kubernetes.podspec-tolerations"
    spread = "kubernetes.podspec-topologyspreadconstraints"
    assert set(features("prod", {})) == {selector, tolerations, spread}
    assert features("dev", {"device": "gpu"}) == {tolerations: "enabled"}
    assert features("dev", {}) == {}
    assert features("local", {"device": "gpu"}) == {}
    assert features("prod", {"knative": {"managedBy": "none"}}) == {}


OPERATED = {"knative": {"managedBy": "operator"}}


def test_where_the_operator_rules_its_resource_is_patched() -> None:
    recorder = Recorder(existing={REGISTRIES: "ghcr.io"})
    engine = run("prod", OPERATED, recorder)
    assert not engine.of(":ConfigMapPatch")
    found = engine.one(":KnativeServingPatch")
    assert found["metadata"]["name"] == "knative-serving"
    deployment = found["spec"]["config"]["deployment"]
    assert deployment[REGISTRIES] == "kind.local,ko.local,dev.local,ghcr.io,nvcr.io"
    assert deployment[DEADLINE] == "600s"
    assert found["spec"]["config"]["features"]["kubernetes.podspec-nodeselector"] == "enabled"
    assert found["metadata"]["annotations"]["pulumi.com/patchFieldManager"] == "kserve-triton"


def test_a_config_map_of_the_operators_is_not_fought_over() -> None:
    recorder = Recorder(owners=[{"kind": "KnativeServing", "name": "knative-serving"}])
    with pytest.raises(Exception, match=r"allowed: operator, or none"):
        run("local", recorder=recorder)
    assert not recorder.of(":ConfigMapPatch")


def test_an_absent_operator_is_said_in_words() -> None:
    with pytest.raises(Exception, match="does not exist"):
        run("local", OPERATED, Recorder(knative=False))


def test_an_absent_knative_is_said_in_words(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(Exception, match="does not exist"):
        run("local", recorder=Recorder(knative=False))


@given(HOSTS, HOSTS)
def test_the_union_is_settled_after_one_round(others: list[str], ours: list[str]) -> None:
    once = union({REGISTRIES: ",".join(others)}, {}, ours)
    added = {ADDED: json.dumps(sorted(ours))}
    assert union({REGISTRIES: once}, added, ours) == once
    assert set(once.split(",")) == {*DEFAULTS, *others, *ours}


@given(HOSTS, HOSTS)
def test_what_leaves_the_settings_leaves_the_list(others: list[str], ours: list[str]) -> None:
    foreign = [host for host in others if host not in ours]
    once = union({REGISTRIES: ",".join(foreign)}, {}, ours)
    after = union({REGISTRIES: once}, {ADDED: json.dumps(ours)}, [])
    assert set(after.split(",")) == {*DEFAULTS, *foreign} - (set(ours) - set(DEFAULTS)) | {
        host for host in DEFAULTS if host not in ours
    }
