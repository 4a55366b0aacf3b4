"""Knative's settings: what a stack declares, under whose name, and what it leaves alone."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.components.knative import TAKEN, explain
from infra.components.ownership import FIELD_MANAGER, FORCE
from infra.config import KnativeSettings
from infra.manifests.knative import DEFAULTS, deployment
from tests.infra.program import Recorder, run

HOSTS = st.lists(st.from_regex(r"[a-z]{1,8}\.(io|dev|local)", fullmatch=True), max_size=5)
KNATIVE = {"mode": "Knative"}
OPERATED = {"knative": {"managedBy": "operator"}}


def knative(engine: Recorder) -> dict[str, dict[str, Any]]:
    """What is declared in Knative's ConfigMaps, by their names."""
    found = engine.of(":ConfigMapPatch").values()
    maps = {each["metadata"]["name"]: each for each in found}
    return {name: each for name, each in maps.items() if name.startswith("config-")}


def patch(stack: str = "local", changes: dict[str, Any] | None = None) -> dict[str, Any]:
    return knative(run(stack, KNATIVE | (changes or {})))["config-deployment"]


def test_two_keys_are_declared_under_both_of_their_names() -> None:
    assert patch()["data"] == {
        "registries-skipping-tag-resolving": "kind.local,ko.local,dev.local,nvcr.io",
        "registriesSkippingTagResolving": "kind.local,ko.local,dev.local,nvcr.io",
        "progress-deadline": "600s",
        "progressDeadline": "600s",
    }


def test_stacks_declare_the_same_and_force_nothing() -> None:
    first, second = patch("local"), patch("dev")
    assert first["data"] == second["data"]
    # On an annotation with the stack's name as its value two stacks could not agree.
    shared = first["metadata"]["annotations"].keys() & second["metadata"]["annotations"].keys()
    assert not shared
    assert {FORCE, FIELD_MANAGER}.isdisjoint(first["metadata"]["annotations"])


def test_force_takes_the_keys_over() -> None:
    found = patch(changes={"knative": {"force": True}})
    assert found["metadata"]["annotations"][FORCE] == "true"


def test_it_can_be_switched_off() -> None:
    assert not knative(run("local", KNATIVE | {"knative": {"managedBy": "none"}}))


@pytest.mark.parametrize("managed_by", ["configmap", "operator"])
def test_without_a_model_in_its_mode_knative_need_not_be_there(managed_by: str) -> None:
    engine = run("local", {"device": "gpu", "knative": {"managedBy": managed_by}})
    assert "knative-serving" not in str(engine.of("Patch"))
    both = {"digits": {}, "cifar10": {"mode": "Knative"}}
    assert knative(run("local", {"models": both}))


def features(stack: str, changes: dict[str, Any]) -> dict[str, str]:
    return dict(knative(run(stack, changes)).get("config-features", {}).get("data", {}))


def test_what_gpu_pods_need_of_knative_is_allowed_and_no_more() -> None:
    selector, tolerations = "kubernetes.podspec-nodeselector", "kubernetes.podspec-tolerations"
    spread = "kubernetes.podspec-topologyspreadconstraints"
    assert set(features("prod", {})) == {selector, tolerations, spread}
    assert features("dev", {"device": "gpu"}) == {tolerations: "enabled"}
    assert features("dev", {}) == {}
    assert features("local", {"device": "gpu"}) == {}
    assert features("prod", {"knative": {"managedBy": "none"}}) == {}


def test_where_the_operator_rules_its_resource_has_the_keys() -> None:
    engine = run("prod", OPERATED)
    assert not knative(engine)
    found = engine.one(":KnativeServingPatch")
    assert found["metadata"]["name"] == "knative-serving"
    assert found["spec"]["config"]["deployment"] == deployment(KnativeSettings())
    assert found["spec"]["config"]["features"]["kubernetes.podspec-nodeselector"] == "enabled"


def test_a_config_map_of_the_operators_is_not_fought_over() -> None:
    recorder = Recorder(owners=[{"kind": "KnativeServing", "name": "knative-serving"}])
    with pytest.raises(Exception, match=r"allowed: operator, or none"):
        run("local", KNATIVE, recorder)


@pytest.mark.parametrize(
    ("error", "meaning"),
    [
        ('Apply failed with 1 conflict: conflict with "kubectl-patch": .data.x', TAKEN),
        ('namespaces "knative-serving" not found', "absent"),
        (
            'no matches for kind "KnativeServing" in version "operator.knative.dev/v1beta1"',
            "absent",
        ),
        ("admission webhook denied the request: progress-deadline", None),
        ("User cannot patch resource configmaps", None),
    ],
)
def test_a_refusal_is_explained_where_its_meaning_is_known(error: str, meaning: str | None) -> None:
    assert explain(error, "absent") == meaning


@given(HOSTS)
def test_registries_come_after_knatives_own_and_each_once(ours: list[str]) -> None:
    found = deployment(KnativeSettings(registries=tuple(ours)))["registries-skipping-tag-resolving"]
    hosts = found.split(",")
    assert tuple(hosts[:3]) == DEFAULTS
    assert len(hosts) == len(set(hosts))
    assert set(hosts) == {*DEFAULTS, *ours}


def test_the_local_stacks_run_side_by_side_in_either_mode() -> None:
    standard, other = run("local"), run("knative")
    place = [
        (
            engine.one(":Bucket")["name"],
            engine.one(":InferenceService")["metadata"]["namespace"],
        )
        for engine in (standard, other)
    ]
    assert not set(place[0]) & set(place[1])
    assert not knative(standard)
    assert knative(other)
    # Knative asks no registry for the digest of an image from here.
    for engine in (standard, other):
        (container,) = engine.one(":InferenceService")["spec"]["transformer"]["containers"]
        assert container["image"].split("/")[0] in DEFAULTS
    url = other.exports["models"]["digits"]["url"]
    assert url == "http://digits-transformer.knative.localhost/v1/models/digits:predict"
