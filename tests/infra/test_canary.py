"""Two releases at once: who gets which traffic, what is proven where, and the way back."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pulumi
import pytest

from infra.manifests.canary import canary_with_new_mode, misplaced_canary
from release.load_test import RELEASE_ANNOTATION
from tests.infra.program import Recorder, run
from tests.infra.projects import TEST_ROOT

ISVC = "InferenceService"
LOCK = json.loads((TEST_ROOT / "models.lock.json").read_text())["models"]["digits"]
CURRENT, EARLIER = (entry["digest"] for entry in LOCK)


def canary(changes: dict[str, Any] | None = None, percent: int = 25) -> Recorder:
    wanted = {"release": CURRENT[:12], "trafficPercent": percent}
    digits = {"release": EARLIER[:12], "canary": wanted}
    return run("local", {"models": {"digits": digits}} | (changes or {}))


def uri(predictor: dict[str, Any]) -> str:
    return str(predictor["model"]["storageUri"])


def spec(engine: Recorder) -> dict[str, Any]:
    return dict(engine.one(ISVC)["spec"])


def stable_uri(changes: dict[str, Any] | None = None) -> str:
    digits = {"models": {"digits": {"release": EARLIER[:12]}}}
    return uri(spec(run("local", digits | (changes or {})))["predictor"])


def test_both_releases_are_in_the_bucket_and_named_by_the_outputs() -> None:
    engine = canary()
    files = [o["name"] for o in engine.of(":BucketObject").values()]
    assert len([name for name in files if name.endswith("/model.pt")]) == 2
    model = engine.exports["models"]["digits"]
    assert (model["digest"], model["canary"]["digest"]) == (EARLIER, CURRENT)
    assert model["canary"]["trafficPercent"] == 25


def test_in_standard_mode_the_canary_stands_beside() -> None:
    found = spec(canary({"predictor": {"minReplicas": 4, "maxReplicas": 4}}))
    assert uri(found["predictor"]) == stable_uri()
    (beside,) = found["canary"]
    assert beside["trafficPercent"] == 25
    assert beside["predictor"]["name"] == "canary"
    # KServe counts the same: a quarter of four.
    assert beside["predictor"]["minReplicas"] == 1
    assert not {"maxReplicas", "scaleMetric", "scaleTarget"} & set(beside["predictor"])
    assert uri(beside["predictor"]) != stable_uri()


def test_in_standard_mode_the_transformer_reaches_the_pods_of_both() -> None:
    engine = canary()
    args = spec(engine)["transformer"]["containers"][0]["args"]
    assert "--predictor_pods=digits-pods.models:8080" in args
    service = engine.one(":Service")["spec"]
    assert service["selector"] == {
        "serving.kserve.io/inferenceservice": "digits",
        "component": "predictor",
    }
    assert service["clusterIP"] == "None"


def test_a_canary_that_waits_gets_no_requests() -> None:
    selector = canary(percent=0).one(":Service")["spec"]["selector"]
    assert selector["app"] == "isvc.digits-predictor"
    assert "app" not in canary().one(":Service")["spec"]["selector"]


def test_a_server_of_the_users_own_reaches_the_pods_of_both_by_one_address() -> None:
    engine = canary({"transformer": {"image": "registry.example/mine:1", "args": []}})
    args = spec(engine)["transformer"]["containers"][0]["args"]
    assert "--predictor_host=digits-pods.models:8080" in args
    assert "clusterIP" not in engine.one(":Service")["spec"]


def test_under_knative_the_newest_revision_is_the_canary() -> None:
    engine = canary({"mode": "Knative"})
    found = spec(engine)
    assert found["predictor"]["canaryTrafficPercent"] == 25
    assert uri(found["predictor"]) != stable_uri({"mode": "Knative"})
    assert "canary" not in found
    annotations = engine.one(ISVC)["metadata"]["annotations"]
    assert annotations["serving.kserve.io/enable-tag-routing"] == "true"


def test_a_canary_is_proven_at_its_own_address() -> None:
    (standard,) = canary().asked("verify-digits-canary-").values()
    assert standard["predictor_url"] == ("http://digits-canary-predictor.models.svc.cluster.local")
    assert standard["transformer_url"] is None
    assert (standard["canary"], standard["release_digest"]) == ("canary", CURRENT)
    assert standard["stable_uri"] is None
    (knative,) = canary({"mode": "Knative"}).asked("verify-digits-canary-").values()
    assert knative["predictor_url"] == ("http://latest-digits-predictor.models.svc.cluster.local")
    # The gateway must give the other requests to this one.
    assert knative["stable_uri"] == stable_uri({"mode": "Knative"})


def test_the_stable_release_is_not_asked_where_the_canary_answers_too() -> None:
    def asked(percent: int) -> dict[str, Any]:
        engine = canary({"domain": "models.example.com"}, percent)
        jobs = engine.asked("verify-digits-").items()
        (found,) = (each for name, each in jobs if "-canary-" not in name)
        return found

    mixed = ("transformer_url", "transformer_port", "outer_url")
    assert [asked(25)[each] for each in mixed] == [None, None, None]
    assert asked(25)["predictor_url"] and asked(25)["predictor_port"]
    # A canary that waits gives no answers.
    assert all(asked(0)[each] for each in mixed)


def test_what_was_proven_before_a_canary_stays_proven() -> None:
    digits = {"models": {"digits": {"release": EARLIER[:12]}}}
    before = {name for name in run("local", digits).of(":Job") if name.startswith("verify-")}
    assert before < set(canary().of(":Job"))
    under_knative = canary({"mode": "Knative"}).of(":Job")
    assert [name for name in under_knative if name.startswith("verify-digits-canary-")]
    assert len([name for name in under_knative if name.startswith("verify-")]) == 1


def test_taking_the_canary_as_the_release_is_one_change_of_the_stack() -> None:
    promoted = run("local", {"models": {"digits": {}}})
    (beside,) = spec(canary())["canary"]
    assert uri(spec(promoted)["predictor"]) == uri(beside["predictor"])
    knative = {"mode": "Knative"}
    promoted = run("local", {"models": {"digits": {}}} | knative)
    assert uri(spec(promoted)["predictor"]) == uri(spec(canary(knative))["predictor"])


def refused(changes: dict[str, Any], percent: int = 25) -> str:
    with pytest.raises(pulumi.RunError) as caught:
        canary(changes, percent)
    return str(caught.value)


def test_where_nothing_would_split_the_traffic_a_canary_may_only_wait() -> None:
    alone = {"placement": "collocated"}
    assert "models.digits.canary.trafficPercent: found 25 in mode Standard" in refused(alone)
    assert spec(canary(alone, percent=0))["canary"][0]["trafficPercent"] == 0
    assert spec(canary(alone | {"mode": "Knative"}))["predictor"]["canaryTrafficPercent"] == 25


def test_a_canary_of_what_is_served_already_is_refused() -> None:
    digits = {"canary": {"release": CURRENT[:12]}}
    assert "the one that is served already" in refused({"models": {"digits": digits}})


def test_under_knative_a_canary_of_the_stable_release_gives_another_one_up() -> None:
    """Without it the other one, the newest revision that is ready, would get all requests."""
    same = {"release": EARLIER[:12], "canary": {"release": EARLIER[:12], "trafficPercent": 0}}
    engine = run("local", {"mode": "Knative", "models": {"digits": same}})
    predictor = spec(engine)["predictor"]
    assert predictor["canaryTrafficPercent"] == 0
    assert predictor["model"]["storageUri"] == stable_uri({"mode": "Knative"})
    # What both need is registered once.
    names = [(each.typ, each.name) for each in engine.resources]
    assert len(names) == len(set(names))
    assert spec(run("local", {"mode": "Knative", "models": {"digits": {"release": EARLIER[:12]}}}))[
        "predictor"
    ] == {key: value for key, value in predictor.items() if key != "canaryTrafficPercent"}


def served(uri: str) -> Any:
    return SimpleNamespace(name="digits", storage_uri=uri)


def misplaced(before: dict[str, Any], canary: str = "gs://b/canary") -> str | None:
    return misplaced_canary(served("gs://b/stable"), served(canary), before)


def running(uri: str, **more: Any) -> dict[str, Any]:
    """The inputs of an InferenceService under Knative."""
    found = json.loads(json.dumps(run("local", {"mode": "Knative"}).one(ISVC)))
    found["spec"]["predictor"] |= more
    found["spec"]["predictor"]["model"]["storageUri"] = uri
    return dict(found)


def test_under_knative_a_canary_begins_beside_the_stable_release_only() -> None:
    assert misplaced(running("gs://b/stable")) is None
    other = misplaced(running("gs://b/another"))
    assert other is not None
    assert "stay with what runs now, gs://b/another, and the stack's release is gs://b/stable" in (
        other
    )
    nothing = misplaced({})
    assert nothing is not None
    assert "found one where nothing is served yet" in nothing
    assert "pulumi config rm --path models.digits.canary" in nothing


def test_which_revision_a_running_canary_leaves_its_verification_tells() -> None:
    assert misplaced(running("gs://b/another", canaryTrafficPercent=10)) is None


def test_a_canary_of_the_stable_release_may_begin_anywhere() -> None:
    assert misplaced({}, canary="gs://b/stable") is None


def inputs(mode: str, canary: str | None = None) -> dict[str, Any]:
    """Those of a ServedModel. The engine gives hooks no keys that are None."""
    found = {"canary": {"storageUri": f"gs://b/{canary}"}} if canary else {}
    return {"model": "digits", "mode": mode, "storageUri": "gs://b/stable"} | found


def test_a_canary_does_not_begin_with_knative_itself() -> None:
    both = canary_with_new_mode(inputs("Standard"), inputs("Knative", "new"))
    assert both is not None
    assert "change from mode Standard to Knative" in both
    assert "pulumi config rm --path models.digits.canary" in both


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, inputs("Knative", "new")),
        (inputs("Knative"), inputs("Knative", "new")),
        (inputs("Knative"), inputs("Standard", "new")),
        (inputs("Standard"), inputs("Knative")),
        (inputs("Standard"), inputs("Knative", "stable")),
    ],
)
def test_other_changes_are_not_those_of_both(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert canary_with_new_mode(before, after) is None


@pytest.mark.parametrize(("percent", "has"), [(0, True), (10, False)])
def test_a_load_test_over_two_releases_has_a_verdict_of_neither(percent: int, has: bool) -> None:
    engine = canary(percent=percent)
    load = next(job for name, job in engine.of(":Job").items() if name.startswith("perf-"))
    assert (RELEASE_ANNOTATION in load["metadata"]["annotations"]) == has


def test_a_release_or_a_canary_is_one_models_own() -> None:
    assert "release: found" in refused({"release": EARLIER[:12]})
    assert "allowed: for one model only, as models.NAME.release" in refused(
        {"release": EARLIER[:12]}
    )
