"""The inputs that the program registers of a model are read as what they are."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.config import merged
from review.serving import GIB, ServedModel, parse_quantity, parse_served_model
from tests.infra.golden import CASES
from tests.infra.program import run
from tests.infra.projects import TEST_ROOT
from tests.review.stacks import Pods, Setting, served_model

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def project_folder(monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder with build/ and models.lock.json of releases made for tests."""
    assert (TEST_ROOT / "models.lock.json").exists(), "run: make build/test/models.lock.json"
    monkeypatch.chdir(TEST_ROOT)
    return TEST_ROOT


@pytest.mark.usefixtures("project_folder")
@pytest.mark.parametrize("name", ["cpu-http-separate-standard", "gpu-grpc-collocated-knative"])
def test_the_switches_of_a_stack_are_read(name: str) -> None:
    served = _registered(CASES[name])
    assert {key: getattr(served, key) for key in CASES[name]} == CASES[name]
    assert served.predictor.gpus == (CASES[name]["device"] == "gpu")
    assert len(served.release) == 64


@pytest.mark.usefixtures("project_folder")
@pytest.mark.parametrize(("mode", "replicas"), [("standard", (1, 1)), ("knative", (3, 6))])
def test_a_canary_is_read(mode: str, replicas: tuple[int, int]) -> None:
    scaled = {"predictor": {"minReplicas": 3, "maxReplicas": 6}}
    served = _registered(merged(CASES[f"options/canary-{mode}"], scaled))
    canary = served.canary
    assert canary is not None
    assert canary.traffic_percent == 25
    assert (canary.min_replicas, canary.max_replicas) == replicas
    assert list(served.pods) == ["predictor", "canary", "transformer"]


@pytest.mark.usefixtures("project_folder")
def test_pods_and_images_are_read() -> None:
    served = _registered(CASES["options/everything-knative"])
    assert (served.predictor.accelerator, served.predictor.spot) == ("nvidia-l4", True)
    assert (served.predictor.min_replicas, served.predictor.max_replicas) == (2, 8)
    assert served.container.startswith("nvcr.io/nvidia/tritonserver@sha256:")
    assert served.transformer_image == "dev.local/kserve-triton/transformer:local"


@pytest.mark.usefixtures("project_folder")
def test_the_stack_whose_pass_is_required_is_read() -> None:
    assert _registered({}).requires is None
    promotion = {"requires": "staging", "override": "a test"}
    assert _registered({"promotion": promotion}).requires == "staging"


def test_a_collocated_transformer_is_part_of_the_predictors_pods() -> None:
    beside = Setting(collocated=True, predictor=Pods(cpu="500m"), transformer=Pods(cpu="1", high=5))
    served = parse_served_model(served_model(beside))
    assert served is not None
    (pods,) = served.pods.values()
    assert (pods.cpu, pods.memory, pods.max_replicas) == (Decimal("1.5"), 4 * GIB, 1)


@given(st.integers(0, 10**9))
def test_quantities_are_read_as_kubernetes_does(number: int) -> None:
    assert parse_quantity(f"{number}m") == Decimal(number) / 1000
    assert parse_quantity(f"{number}Gi") == number * GIB
    assert parse_quantity(str(number)) == number


@pytest.mark.parametrize("value", [None, True, 1, "", "1 Gi", "-1", "1e9", "9" * 99, [], "٣"])
def test_a_value_that_is_no_quantity_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="Kubernetes quantity"):
        parse_quantity(value)


def _registered(changes: dict[str, Any]) -> ServedModel:
    """Of `digits`, from a run of the program."""
    served = parse_served_model(run("local", changes).of(":ServedModel")["digits"])
    assert served is not None
    return served
