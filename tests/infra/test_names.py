"""One rule for the names of models: whatever is made of them is a name too, and nobody else's."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.config import Jobs, ModelSettings
from infra.config.problems import ConfigError
from infra.config.settings import Settings
from infra.config.types import LABEL_LENGTH
from infra.manifests.artefact import Artefact
from infra.manifests.cache import local_model_cache
from infra.manifests.compilation import compilation
from infra.manifests.jobs import load_test, verification
from infra.manifests.names import pods_name
from infra.manifests.served_release import ServedRelease
from infra.manifests.urls import canary_host
from release import files
from release.schema import NAME, NAME_LENGTH
from tests.infra.projects import TEST_ROOT

MODELS = st.from_regex(NAME, fullmatch=True)
RELEASE = files.read(TEST_ROOT / "build" / "digits" / "release.json")
LABEL = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")


def served(
    name: str,
    settings: ModelSettings | None = None,
    namespace: str = "models",
    bucket: str = "bucket",
) -> ServedRelease:
    """A release of `digits` under another name, as a stack serves it."""
    artefact = Artefact(replace(RELEASE, name=name), "d" * 64, "{}", Path(), "")
    uri = f"gs://{bucket}/models/{name}/v"
    return ServedRelease(artefact, settings or ModelSettings(), namespace, uri)


def made(name: str) -> list[str]:
    """The names of what this project makes of a model, as far as they are labels."""
    stable = served(name)
    proofs = [
        verification(stable, Jobs(), "dev"),
        verification(stable, Jobs(), "dev", stable=stable),
    ]
    specs = [
        *proofs,
        load_test(stable, Jobs(), "bucket", proofs),
        compilation(stable, Jobs(), "bucket"),
    ]
    return [
        *(spec.name for spec in specs),
        pods_name(name),
        local_model_cache(stable)["metadata"]["name"],
    ]


def services(name: str) -> set[str]:
    """Services and Deployments, by KServe 0.20 in both modes, and those of this project."""
    ends = ("predictor", "transformer", "canary-predictor", "pods")
    return {name, *(f"{name}-{end}" for end in ends)}


@given(MODELS)
def test_every_name_made_of_a_models_is_a_label(name: str) -> None:
    kserves = [f"latest-{name}-transformer", f"{name}-transformer-00001"]
    for each in (*made(name), *services(name), *kserves):
        assert LABEL.fullmatch(each)
        assert len(each) <= LABEL_LENGTH
    # KServe's label of a Deployment's pods.
    assert len(f"isvc.{name}-canary-predictor") <= LABEL_LENGTH


def test_the_longest_name_is_as_long_as_it_can_be() -> None:
    assert max(map(len, made("m" * NAME_LENGTH))) == LABEL_LENGTH


@given(MODELS, MODELS)
def test_two_models_never_share_a_service(one: str, other: str) -> None:
    assert one == other or not services(one) & services(other)


def test_every_host_that_kserve_makes_begins_with_a_label() -> None:
    """KServe's domainTemplate in mode Standard is NAME-NAMESPACE.DOMAIN, of each component too."""
    name, namespace = "m" * 30, "n" * 15
    values = {"storage": {"bucket": "bucket", "project": "project"}, "mode": "Standard"}
    assert Settings.parse(values | {"namespace": namespace, "models": {name: {}}}).models
    assert max(len(f"{each}-{namespace}") for each in services(name)) == LABEL_LENGTH
    with pytest.raises(ConfigError, match="NAME-canary-predictor-NAMESPACE"):
        Settings.parse(values | {"namespace": f"{namespace}n", "models": {name: {}}})


def test_a_canarys_host_begins_with_a_label() -> None:
    longest = served("m" * NAME_LENGTH)
    for mode in ("Knative", "Standard"):
        settings = ModelSettings(mode=mode)
        host = canary_host(longest.name, longest.namespace, settings.mode)
        assert len(host.split(".")[0]) <= LABEL_LENGTH


def test_a_cache_of_the_cluster_is_of_one_stacks_model() -> None:
    def cache(each: ServedRelease) -> str:
        return str(local_model_cache(each)["metadata"]["name"])

    first = cache(served("digits"))
    # KServe serves from it whatever names the same URI, in any namespace.
    assert cache(served("digits", namespace="other")) == first
    assert cache(served("digits", bucket="another")) != first
