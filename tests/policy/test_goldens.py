"""What the program asks of a cluster, for each combination of its switches, is within bounds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from policy.containers import containers
from policy.rule import Resource
from tests.policy.resources import broken

FOLDER = Path(__file__).resolve().parents[1] / "golden"
GOLDEN, OPTIONS = sorted(FOLDER.glob("*.yaml")), sorted(FOLDER.glob("options/*.yaml"))
CONTAINERS = {"InferenceService": 2, "Job": 1}
# Tags are the reader's to pin: the manifests here are of the local stack, which has no registry.
NOT_HERE = {"images-by-digest"}


def documents(path: Path) -> list[tuple[str, dict[str, Any]]]:
    """Resources, by the type that the program gives them."""
    return [
        (f"kubernetes:{each['apiVersion']}:{each['kind']}", each)
        for each in yaml.safe_load_all(path.read_text())
    ]


@pytest.mark.parametrize("path", GOLDEN + OPTIONS, ids=lambda path: path.stem)
def test_a_golden_manifest_breaks_no_rule_on_bounds(path: Path) -> None:
    for token, properties in documents(path):
        assert set(broken(token, properties)) <= NOT_HERE, token


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_the_containers_of_a_golden_manifest_are_seen(path: Path) -> None:
    for token, properties in documents(path):
        expected = CONTAINERS.get(token.rpartition(":")[2], 0)
        assert len(list(containers(Resource(token, properties)))) == expected, token


def test_the_canary_of_a_golden_manifest_is_seen() -> None:
    places = [
        container.where
        for token, properties in documents(FOLDER / "options" / "canary-standard.yaml")
        for container in containers(Resource(token, properties))
    ]
    assert [place for place in places if "canary" in place] == ["spec.canary[0].predictor.model"]


def test_there_are_golden_manifests_on_gpus() -> None:
    assert sum("gpu" in path.stem for path in GOLDEN) >= 8
