"""A release's handler: where its files lie, what the transformer is told, what is refused."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pulumi
import pytest

from infra.config import ModelSettings, Triton, handler
from infra.config.settings import Settings
from infra.manifests.artefact import Artefact
from infra.manifests.handler import handler_environment
from infra.manifests.served_release import ServedRelease
from infra.preflight import unbounded_handlers, unused_batching
from infra.releases import Releases
from tests.infra.program import Recorder, run, stack_config
from tests.release import examples

if TYPE_CHECKING:
    from release.schema import Release

ISVC = "InferenceService"
TOPICS: dict[str, Any] = {"models": {"topics": {}}}
LARGE: dict[str, Any] = {"models": {"large": {}}}


def transformer(engine: Recorder) -> dict[str, Any]:
    """The container, wherever it runs."""
    spec = engine.one(ISVC)["spec"]
    (found,) = spec.get("transformer", spec["predictor"])["containers"]
    return dict(found)


def environment(engine: Recorder) -> dict[str, str]:
    return {each["name"]: each["value"] for each in transformer(engine)["env"]}


def release_map(engine: Recorder) -> dict[str, Any]:
    (found,) = (m for name, m in engine.of(":ConfigMap").items() if name.startswith("release-"))
    return found


def refused(changes: dict[str, Any]) -> str:
    with pytest.raises(pulumi.RunError) as caught:
        run("local", changes)
    return str(caught.value)


def with_parameters(**values: Any) -> dict[str, Any]:
    return {"models": {"topics": {"handler": {"parameters": values}}}}


def test_a_small_handler_is_mounted_from_the_releases_configmap() -> None:
    engine = run("local", TOPICS)
    binary = release_map(engine)["binaryData"]
    (volume,) = (
        each["configMap"]
        for each in engine.one(ISVC)["spec"]["transformer"]["volumes"]
        if each["name"] == "release"
    )
    found = {item["path"]: item["key"] for item in volume["items"]}
    assert set(found) == {"release.json", "handler/handler.py", "handler/words.txt"}
    text = base64.b64decode(binary[found["handler/handler.py"]])
    assert text == b"topics handler/handler.py"
    (mount,) = (m for m in transformer(engine)["volumeMounts"] if m["name"] == "release")
    assert environment(engine)["HANDLER"] == f"{mount['mountPath']}/handler"
    assert not [n for n in engine.of(":BucketObject") if "/handler/" in n]


def test_a_large_one_is_in_the_bucket_and_kserve_brings_it() -> None:
    engine = run("local", LARGE | {"predictor": {"serviceAccount": "models"}})
    assert "binaryData" not in release_map(engine)
    uri = engine.exports["models"]["large"]["storageUri"]
    names = {each["name"] for each in engine.of(":BucketObject").values()}
    folder = f"{uri.removeprefix('gs://kserve-triton-local/')}/large/handler"
    assert {f"{folder}/handler.py", f"{folder}/words.txt"} <= names
    assert environment(engine) | {"HANDLER_PARAMETERS": ""} == {
        "HANDLER": "/mnt/models",
        "HANDLER_PARAMETERS": "",
        "STORAGE_URI": f"{uri}/large/handler",
    }
    assert engine.one(ISVC)["spec"]["transformer"]["serviceAccountName"] == "models"


def test_beside_triton_it_is_in_the_models_own_folder() -> None:
    engine = run("local", LARGE | {"placement": "collocated"})
    found = environment(engine)
    assert found["HANDLER"] == "/mnt/models/large/handler"
    assert "STORAGE_URI" not in found, "KServe's webhook refuses it there"


def test_only_pods_that_fetch_reach_the_bucket() -> None:
    def ports(changes: dict[str, Any]) -> set[int]:
        policies = run("local", changes).of("NetworkPolicy")
        (policy,) = (p for name, p in policies.items() if name.endswith("-transformer"))
        rules = policy["spec"]["egress"]
        return {int(port["port"]) for rule in rules for port in rule.get("ports", ())}

    assert ports(TOPICS) == {53}
    assert ports(LARGE) == {53, 80, 443, 988}


def test_a_model_without_a_handler_says_nothing_of_one() -> None:
    assert environment(run("local", {"models": {"ratings": {}}})) == {}


def test_the_stacks_parameters_win_and_keep_their_types() -> None:
    assert environment(run("local", TOPICS))["HANDLER_PARAMETERS"] == '{"lower": true}'
    changed = environment(run("local", with_parameters(lower=False)))
    assert changed["HANDLER_PARAMETERS"] == '{"lower": false}'


@pytest.mark.parametrize(("lower", "predictions"), [(True, "equal"), (False, "any")])
def test_predictions_are_the_releases_only_with_its_parameters(
    lower: bool, predictions: str
) -> None:
    (asked,) = run("local", with_parameters(lower=lower)).asked("verify-").values()
    assert asked["predictions"] == predictions


def test_another_parameter_is_another_thing_to_verify_and_the_same_release() -> None:
    before, after = run("local", TOPICS), run("local", with_parameters(lower=False))
    assert set(before.of(":ConfigMap")) == set(after.of(":ConfigMap"))
    assert not set(before.of(":Job")) & set(after.of(":Job"))


def test_memory_of_its_processes_is_bounded_where_the_stack_says_so() -> None:
    changes = {"models": {"topics": {"handler": {"memory": "0.5Gi"}}}}
    assert environment(run("local", changes))["HANDLER_MEMORY"] == "512"
    assert "HANDLER_MEMORY" not in environment(run("local", TOPICS))


def artefact(release: Release) -> Artefact:
    return Artefact(release, release.digest, release.to_json().decode(), Path("build"), "")


def test_kubernetes_expands_nothing_in_the_parameters() -> None:
    release = examples.texts(handler=examples.handler(parameters={"sign": "$(PATH)"}))
    served = ServedRelease(artefact(release), ModelSettings(), "models", "gs://bucket/models")
    assert handler_environment(served)["HANDLER_PARAMETERS"] == '{"sign": "$$(PATH)"}'


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (with_parameters(upper=True), "handler.parameters.upper: found an unknown parameter; al"),
        (with_parameters(lower="yes"), 'handler.parameters.lower: found "yes"; allowed: true or'),
        (
            {"models": {"ratings": {"handler": {"parameters": {"lower": True}}}}},
            "handler.parameters: found lower for a release without a handler; allowed: none",
        ),
        (
            {"models": {"large": {"storageUri": f"oci://r.example/m@sha256:{'a' * 64}"}}},
            "storageUri: found an image; its handler is larger than 1,000,000 bytes",
        ),
        (
            LARGE | {"predictor": {"cacheNodeGroup": "gpu-nodes"}},
            "predictor.cacheNodeGroup: found gpu-nodes; its handler is larger than",
        ),
    ],
)
def test_what_cannot_work_fails_the_preview(changes: dict[str, Any], message: str) -> None:
    assert message in refused(changes)


@pytest.mark.parametrize(
    ("found", "known", "allowed"),
    [
        (1, 0.5, None),
        (0.5, 1, None),
        (True, 1, "a number"),
        (1, True, "true or false"),
        ([], {}, "an object"),
        ("a", None, None),
        (None, 1, "a number"),
    ],
)
def test_a_value_is_of_the_releases_kind(found: Any, known: Any, allowed: str | None) -> None:
    broken = handler.broken_rules({"a": found}, {"a": known})
    wanted = f"handler.parameters.a: found {json.dumps(found)}; allowed: {allowed}"
    assert broken == ([wanted] if allowed else [])


def test_parameters_fit_into_an_environment_variable() -> None:
    (broken,) = handler.broken_rules({"a": "x" * 100_000}, {"a": ""})
    assert "allowed: 100,000; put large values into a file beside handler.py" in broken


def test_a_server_of_ones_own_gets_the_sdks_arguments_and_nothing_of_ours() -> None:
    own = {"transformer": {"image": "registry.example/mine:1", "args": ["--size=32"]}}
    engine = run("local", TOPICS | own)
    found = transformer(engine)
    assert found["args"] == [
        "--model_name=topics",
        "--predictor_protocol=v2",
        "--http_port=8080",
        "--workers=1",
        "--size=32",
    ]
    assert found["env"] == []
    (asked,) = engine.asked("verify-").values()
    assert asked["predictions"] == "none", "its answers are not in the release"
    assert asked["predictor_url"]
    (load,) = engine.asked("perf-").values()
    assert load["target"] == "transformer"


def test_an_image_made_from_ours_works_as_ours() -> None:
    engine = run("local", TOPICS | {"transformer": {"image": "registry.example/from-ours:1"}})
    assert environment(engine)["HANDLER"]
    assert any(each.startswith("--release=") for each in transformer(engine)["args"])


def test_without_a_transformer_triton_is_loaded_over_its_protocol() -> None:
    changes = {"transformer": {"enabled": False}, "models": {"ratings": {}}}
    (asked,) = run("local", changes | {"protocol": "grpc"}).asked("perf-").values()
    assert (asked["target"], asked["predictor_protocol"]) == ("predictor", "grpc")
    assert asked["url"] == "ratings-predictor.models.svc.cluster.local:80"
    (asked,) = run("local", changes).asked("perf-").values()
    assert asked["url"] == "http://ratings-predictor.models.svc.cluster.local"


@pytest.mark.parametrize(
    ("triton", "named"),
    [
        ({}, ""),
        ({"max_batch_size": 0}, ""),
        ({"max_batch_size": 8}, "maxBatchSize"),
        (
            {"preferred_batch_sizes": (4,), "queue_delay_microseconds": 5},
            "preferredBatchSizes, queueDelayMicroseconds",
        ),
    ],
)
def test_batching_that_a_release_without_batches_ignores_is_named(
    triton: dict[str, Any], named: str
) -> None:
    models = {"topics": ModelSettings(triton=Triton(**triton))}
    settings = replace(Settings.parse(stack_config("local")), models=models)
    for batching, expected in ((True, ""), (False, named)):
        releases = Releases({"topics": artefact(examples.texts(batching=batching))}, {})
        text = f"models.topics.triton: {expected}: no effect, since the release has no batch dim"
        found = unused_batching(settings, releases)
        assert [each.startswith(text) for each in found] == [True] * bool(expected)


@pytest.mark.parametrize(
    ("changes", "warned"),
    [
        ({}, True),
        ({"handler": {"memory": "256Mi"}}, False),
        ({"transformer": {"enabled": False}}, False),
        ({"transformer": {"image": "registry.example/mine:1", "args": []}}, False),
    ],
)
def test_a_handler_without_a_bound_of_memory_is_named(
    changes: dict[str, Any], warned: bool
) -> None:
    settings = Settings.parse(stack_config("local", {"models": {"topics": changes}}))
    found = unbounded_handlers(settings, Releases({"topics": artefact(examples.texts())}, {}))
    key = "models.topics.handler.memory"
    assert [each.startswith(f"{key}: none, ") for each in found] == [True] * warned
    assert all(each.endswith(f"pulumi config set --path {key} 256Mi") for each in found)


def test_a_model_without_a_handler_needs_no_bound() -> None:
    settings = Settings.parse(stack_config("local", {"models": {"topics": {}}}))
    releases = Releases({"topics": artefact(examples.texts(handler=None, exchanges=()))}, {})
    assert unbounded_handlers(settings, releases) == []
