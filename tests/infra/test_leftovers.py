"""What a change of settings leaves, hands over or replaces in the cluster and the bucket."""

from __future__ import annotations

from typing import Any

import pytest

from infra.config import ModelSettings
from infra.manifests.inference_service import AUTOSCALER_CLASS
from infra.manifests.leftovers import leftovers
from tests.infra.program import Recorder, run
from tests.infra.test_names import served

WITH, WITHOUT = ({"spec": {"predictor": {}, **each}} for each in ({"transformer": {}}, {}))


@pytest.mark.parametrize(
    ("mode", "kinds"),
    [
        ("Standard", "deployment,service,horizontalpodautoscaler"),
        ("Knative", "services.serving.knative.dev"),
    ],
)
def test_a_transformer_that_goes_leaves_what_kserve_made_of_it(mode: str, kinds: str) -> None:
    digits = served("digits", ModelSettings(mode=mode))
    found = leftovers(digits, WITH, WITHOUT)
    assert found is not None
    command = f"kubectl delete {kinds} digits-transformer --namespace models --ignore-not-found"
    assert command in found


def test_nothing_is_left_where_it_stays_comes_or_never_was() -> None:
    digits = served("digits")
    assert leftovers(digits, WITH, WITH) is None
    assert leftovers(digits, WITHOUT, WITH) is None
    assert leftovers(digits, WITHOUT, WITHOUT) is None
    assert leftovers(digits, {}, WITHOUT) is None


def test_a_canary_that_ends_leaves_the_autoscaler_that_kserve_made_of_it() -> None:
    digits, beside = served("digits"), {"spec": {"predictor": {}, "canary": [{}]}}
    found = leftovers(digits, beside, WITHOUT)
    assert found is not None
    assert (
        "kubectl delete horizontalpodautoscaler digits-canary-predictor --namespace models "
        "--ignore-not-found"
    ) in found
    assert leftovers(digits, beside, beside) is None
    for other in ("none", "external"):
        scaled = beside | {"metadata": {"annotations": {AUTOSCALER_CLASS: other}}}
        assert leftovers(digits, scaled, WITHOUT) is None


def strategy(**found: Any) -> dict[str, Any] | None:
    engine = run("local", {"predictor": {"deploymentStrategy": found}} if found else {})
    service = engine.one("InferenceService")["spec"]
    assert "deploymentStrategy" not in service["transformer"]
    made: dict[str, Any] | None = service["predictor"].get("deploymentStrategy")
    return made


def test_pods_are_replaced_as_the_stack_says() -> None:
    rolling = {"type": "RollingUpdate"}
    assert strategy() is None
    assert strategy(type="Recreate") == {"type": "Recreate"}
    # On the only GPU there is: the old pod goes first.
    one_gpu = {"maxSurge": 0, "maxUnavailable": 1}
    assert strategy(maxSurge=0) == rolling | {"rollingUpdate": one_gpu}
    more = {"maxSurge": 2, "maxUnavailable": "25%"}
    assert strategy(maxSurge=2) == rolling | {"rollingUpdate": more}


def buckets(engine: Recorder) -> list[tuple[str, str | None]]:
    """Logical names, and what is only read."""
    found = [each for each in engine.resources if each.typ.endswith("/bucket:Bucket")]
    return [(each.name, each.resource_id or None) for each in found]


def test_a_bucket_is_handed_over_under_the_name_by_which_the_stack_made_it() -> None:
    ((made, own),) = buckets(run("local"))
    ((given, read),) = buckets(run("local", {"storage": {"create": False}}))
    assert (own, read) == (None, "kserve-triton-local")
    assert given == made


def claims(engine: Recorder) -> dict[str, str]:
    (found,) = (
        each["data"]
        for each in engine.of(":ConfigMapPatch").values()
        if each["metadata"]["name"] == "kserve-triton-models"
    )
    return dict(found)


def test_two_copies_of_this_project_may_have_stacks_of_one_name() -> None:
    first, second = claims(run("local")), claims(run("local", {"storage": {"bucket": "other-one"}}))
    assert set(first) == set(second) == {"digits", "serviceaccount.verifier-local"}
    # A server-side apply of another value is a conflict.
    assert not set(first.values()) & set(second.values())
