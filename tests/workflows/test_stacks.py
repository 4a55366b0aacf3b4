"""The stacks that a change affects."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tests.workflows.files import ROOT, script

stacks = script("stacks")

CLOUD = ["dev", "prod"]
tracked = st.sampled_from(
    sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("*/*.*") if ".venv" not in str(path))
)


@pytest.mark.parametrize(
    "path",
    [
        "Pulumi.yaml",
        "__main__.py",
        "images.lock.json",
        "infra/components/namespace.py",
        "templates/config.pbtxt.j2",
        "release/schema.py",
        "models.lock.json",
        "requirements/program.txt",
        "policy/config.dev.json",
    ],
)
def test_a_change_to_a_common_path_affects_every_cloud_stack(path: str) -> None:
    assert stacks.affected([path], CLOUD) == CLOUD


def test_a_stacks_file_affects_that_stack() -> None:
    assert stacks.affected(["Pulumi.prod.yaml"], CLOUD) == ["prod"]


@pytest.mark.parametrize(
    "path",
    [
        "docs/local.md",
        "tests/infra/test_program.py",
        "README.md",
        "model/definitions/digits.py",
        "transformer/server.py",
        "jobs/load/load.py",
        "requirements/model.txt",
        "Pulumi.local.yaml",
        "Pulumi.knative.yaml",
        "bootstrap/Pulumi.dev.yaml",
        "local/infra/names.py",
    ],
)
def test_other_paths_affect_no_cloud_stack(path: str) -> None:
    assert stacks.affected([path], CLOUD) == []


def test_the_local_stacks_are_no_cloud_stacks() -> None:
    assert stacks.cloud_stacks(ROOT) == CLOUD


@given(st.lists(tracked), st.lists(tracked))
def test_more_changes_never_affect_fewer_stacks(some: list[str], more: list[str]) -> None:
    assert set(stacks.affected(some, CLOUD)) <= set(stacks.affected(some + more, CLOUD))


@given(st.lists(tracked | st.text()), st.lists(st.sampled_from(["a", "b", "c"]), unique=True))
def test_affected_stacks_exist_and_are_listed_once(paths: list[str], known: list[str]) -> None:
    found = stacks.affected([*paths, "Pulumi.a.yaml"], known)
    assert set(found) <= set(known)
    assert found == sorted(set(found))


@pytest.mark.parametrize(("workflow", "stack"), [("deploy", "dev"), ("deploy-prod", "prod")])
def test_deployments_are_started_by_the_paths_that_previews_are_made_for(
    workflow: str, stack: str
) -> None:
    deploy = yaml.safe_load((ROOT / f".github/workflows/{workflow}.yml").read_text())
    # YAML 1.1 takes the key `on` for true.
    started_by = set(deploy[True]["push"]["paths"])
    assert started_by == {*stacks.EVERY_STACK, f"Pulumi.{stack}.yaml"}
