"""Wrong settings: every one is named, with what was found and what is allowed, all together."""

from __future__ import annotations

from typing import Any

import pulumi
import pytest

from infra.config import merged
from infra.config.problems import ConfigError
from infra.config.settings import Settings
from tests.infra.program import Recorder, run, stack_config

STORAGE = {"bucket": "models-of-mine", "project": "my-project"}
KMS = "projects/my-project/locations/{}/keyRings/ring/cryptoKeys/key"


def problems(changes: dict[str, Any]) -> str:
    values = merged({"storage": STORAGE, "models": {"digits": {}}}, changes)
    with pytest.raises(ConfigError) as caught:
        Settings.parse(values)
    return str(caught.value)


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"pullSecrets": "ngc"}, "a list"),
        ({"storage": {"readers": "me"}}, "a list"),
        ({"storage": {"labels": ["a"]}}, "an object"),
        ({"identity": True}, "an object"),
        ({"triton": ["26.05-py3"]}, "an object"),
        ({"createNamespace": "perhaps"}, "true or false"),
        ({"perf": {"rate": "fast"}}, "a whole number"),
        ({"perf": {"rate": 1.5}}, "a whole number"),
        ({"monitoring": {"queueMs": "long"}}, "a number"),
        ({"promotion": {"override": True}}, "a text"),
    ],
)
def test_what_is_allowed_is_named_in_yamls_words(changes: dict[str, Any], kind: str) -> None:
    said = problems(changes)
    assert f"; allowed: {kind}\n" in said
    assert not any(word in said for word in ("tuple", "dictionary", "instance", "Input"))


@pytest.mark.parametrize("stack", ["local", "dev", "prod"])
def test_the_stacks_as_they_are_committed_are_right(stack: str) -> None:
    assert Settings.parse(stack_config(stack)).models


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"devise": "gpu"}, "devise: found"),
        ({"device": "tpu"}, 'device: found "tpu"'),
        ({"models": {"digits": {"device": "tpu"}}}, 'models.digits.device: found "tpu"'),
        ({"models": {"Digits": {}}}, 'models.Digits: found "Digits"'),
        ({"models": {"digits": None}}, "models.digits: found null"),
        ({"protocol": "rest"}, 'protocol: found "rest"'),
        ({"placement": "beside"}, "placement: found"),
        ({"mode": "Serverless"}, "mode: found"),
        ({"namespace": "Models_"}, "namespace: found"),
        ({"storage": {"bucket": "goog-models"}}, "storage.bucket: found"),
        ({"storage": {"bucket": "192.168.5.4"}}, "storage.bucket: found"),
        ({"storage": {"bucket": "Models"}}, "storage.bucket: found"),
        ({"storage": {"location": "europe_west4"}}, "storage.location: found"),
        ({"storage": {"kmsKey": "my-key"}}, "storage.kmsKey: found"),
        ({"storage": {"kmsKey": KMS.format("us-east1")}}, "storage.kmsKey: found"),
        ({"storage": {"readers": ["allUsers"]}}, "storage.readers.0: found"),
        ({"storage": {"readers": ["me@example.com"]}}, "storage.readers.0: found"),
        ({"storage": {"labels": {"Team": "a"}}}, "storage.labels: found"),
        ({"storage": {"softDeleteDays": 3}}, "storage.softDeleteDays: found 3"),
        ({"knative": {"progressDeadline": "-1s"}}, "knative.progressDeadline: found"),
        ({"knative": {"registries": ["https://nvcr.io"]}}, "knative.registries.0: found"),
        ({"triton": {"container": "latest"}}, "triton.container: found"),
        ({"triton": {"maxBatchSize": 8, "preferredBatchSizes": [16]}}, "preferredBatchSizes: "),
        ({"transformer": {"args": ["--size=32"]}}, "transformer.args: found"),
        (
            {"transformer": {"image": "mine:1", "args": []}, "placement": "collocated"},
            "placement: found collocated with transformer.args",
        ),
        (
            {
                "transformer": {"enabled": False},
                "models": {"digits": {"handler": {"parameters": {"lower": True}}}},
            },
            "models.digits.handler: found parameters with transformer.enabled false",
        ),
        ({"handler": {"parameters": {"lower": True}}}, "handler: found"),
        ({"models": {"digits": {"handler": {"memory": "32Mi"}}}}, "handler.memory: found 32Mi"),
        ({"triton": {"gpus": [0]}}, "triton.gpus: found"),
        ({"transformer": {"memory": "500M"}}, "transformer.memory: found 500M"),
        ({"transformer": {"traces": "collector:4317"}}, "transformer.traces: found"),
        ({"predictor": {"minReplicas": 0}}, "predictor.minReplicas: found 0"),
        ({"predictor": {"minReplicas": 3}}, "predictor.maxReplicas: found"),
        (
            {"predictor": {"scaleMetric": "rps", "scaleTarget": 5}},
            "predictor.scaleMetric: found rps",
        ),
        ({"predictor": {"memory": "2 GB"}}, "predictor.memory: found"),
        ({"predictor": {"memory": 4}}, "predictor.memory: found 4; allowed: 1Mi or more"),
        ({"predictor": {"cpu": -1}}, "predictor.cpu: found -1"),
        ({"models": {"m" * 39: {}}}, "allowed: 1 to 38 of a-z"),
        ({"models": {"digits-predictor": {}}}, "at the end none of -canary, -pods, -predictor"),
        (
            {"namespace": "n" * 40},
            'models.digits: found "digits"; allowed: 45 characters together with the namespace',
        ),
        ({"models": {"digits": {"release": 12345}}}, "models.digits.release: found 12345"),
        ({"domain": "https://example.com"}, "domain: found"),
        ({"domain": "Example.com"}, "domain: found"),
        ({"urlScheme": "ftp"}, "urlScheme: found"),
        ({"cluster": "my-cluster"}, "cluster: found"),
        ({"network": {"clientCidrs": ["10.0.0.1/8"]}}, "network.clientCidrs.0: found"),
        (
            {"mode": "Knative", "predictor": {"timeoutSeconds": 601}},
            "predictor.timeoutSeconds: found 601 in mode Knative; allowed: 600 at most",
        ),
        (
            {"mode": "Knative", "transformer": {"containerConcurrency": 1001}},
            "transformer.containerConcurrency: found 1001 in mode Knative; allowed: 1000 at most",
        ),
        (
            {"mode": "Knative", "predictor": {"deploymentStrategy": {"type": "Recreate"}}},
            "predictor.deploymentStrategy: found Recreate in mode Knative",
        ),
        (
            {"predictor": {"deploymentStrategy": {"maxSurge": 0, "maxUnavailable": 0}}},
            "predictor.deploymentStrategy.maxUnavailable: found 0 with maxSurge 0",
        ),
        (
            {"predictor": {"deploymentStrategy": {"type": "Recreate", "maxSurge": 1}}},
            "predictor.deploymentStrategy.type: found Recreate with maxSurge",
        ),
        ({"transformer": {"image": "transformer:latest"}}, "transformer.image: found"),
        (
            {"transformer": {"enabled": False}, "perf": {"target": "transformer"}},
            "perf.target: found",
        ),
        ({"perf": {"rate": 0}}, "perf.rate: found 0"),
        ({"perf": {"objectives": {"successRatio": 1.5}}}, "perf.objectives.successRatio: found"),
    ],
)
def test_a_wrong_value_is_named_with_what_was_found(changes: dict[str, Any], expected: str) -> None:
    message = problems(changes)
    assert expected in message
    assert "allowed" in message


def test_missing_ones_are_named() -> None:
    with pytest.raises(ConfigError) as caught:
        Settings.parse({})
    assert "storage: missing" in str(caught.value)
    assert "models: missing" in str(caught.value)


def test_all_wrong_ones_are_reported_together_before_anything_is_touched() -> None:
    engine = Recorder()
    changes = {"device": "tpu", "storage": {"bucket": "X"}, "perf": {"rate": -1}, "colour": 1}
    with pytest.raises(pulumi.RunError) as caught:
        run("local", changes, engine)
    for key in ("device", "storage.bucket", "perf.rate", "colour"):
        assert f"kserve-triton:{key}: found" in str(caught.value)
    assert engine.resources == []


def test_a_models_own_values_win_over_the_stacks_key_by_key() -> None:
    values = {
        "storage": STORAGE,
        # `pulumi config set` stores a number.
        "predictor": {"cpu": 3, "env": {"A": "1"}},
        "models": {"digits": {"predictor": {"env": {"B": "2"}}}},
    }
    predictor = Settings.parse(values).models["digits"].predictor
    assert (predictor.cpu, predictor.env) == ("3", {"A": "1", "B": "2"})


def test_a_number_stands_for_its_text_as_pulumi_config_set_writes_it() -> None:
    values = {
        "storage": STORAGE | {"labels": {"team": 7}},
        "namespace": 123,
        "predictor": {
            "cpu": 0.5,
            "memory": 2147483648,
            "env": {"THREADS": 2},
            "nodeSelector": {"pool": 1},
        },
        "models": {"digits": {"release": 123456789012}},
    }
    settings = Settings.parse(values)
    model = settings.models["digits"]
    assert (model.predictor.cpu, model.predictor.memory) == ("0.5", "2147483648")
    assert model.predictor.env == {"THREADS": "2"}
    assert model.predictor.node_selector == {"pool": "1"}
    assert model.release == "123456789012"
    assert (settings.stack.namespace, settings.stack.storage.labels) == ("123", {"team": "7"})


def test_under_knative_a_long_name_and_a_long_namespace_go_together() -> None:
    values = {"storage": STORAGE, "mode": "Knative", "namespace": "n" * 63}
    assert Settings.parse(values | {"models": {"m" * 38: {}}}).models
