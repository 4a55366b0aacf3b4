"""Which stacks a change touches."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

ROOT = Path(__file__).parents[2]
_spec = importlib.util.spec_from_file_location("stacks", ROOT / ".github/stacks.py")
assert _spec is not None and _spec.loader is not None
stacks = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(stacks)

CLOUD = ["dev", "prod"]
tracked = st.sampled_from(
    sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("*/*.*") if ".venv" not in str(path))
)


@pytest.mark.parametrize(
    "path",
    [
        "Pulumi.yaml",
        "__main__.py",
        "infra/perf.py",
        "templates/config.pbtxt.j2",
        "model/files.py",
        "model/signature.py",
        "models.lock.json",
        "requirements/program.txt",
        "policy/config.dev.json",
    ],
)
def test_what_every_stack_is_made_by_touches_every_cloud_stack(path: str) -> None:
    assert stacks.touched([path], CLOUD) == CLOUD


def test_a_stack_file_touches_its_own_stack() -> None:
    assert stacks.touched(["Pulumi.prod.yaml"], CLOUD) == ["prod"]


@pytest.mark.parametrize(
    "path",
    [
        "docs/local.md",
        "tests/infra/test_program.py",
        "README.md",
        "model/digits.py",
        "transformer/server.py",
        "perf/load.py",
        "requirements/model.txt",
        "Pulumi.local.yaml",
        "bootstrap/Pulumi.dev.yaml",
        "local/infra/perf.py",
    ],
)
def test_what_no_cloud_stack_is_made_by_touches_none(path: str) -> None:
    assert stacks.touched([path], CLOUD) == []


def test_the_local_stack_is_no_cloud_stack() -> None:
    assert stacks.cloud_stacks(ROOT) == CLOUD


@given(st.lists(tracked), st.lists(tracked))
def test_more_changes_never_touch_fewer_stacks(some: list[str], more: list[str]) -> None:
    assert set(stacks.touched(some, CLOUD)) <= set(stacks.touched(some + more, CLOUD))


@given(st.lists(tracked | st.text()), st.lists(st.sampled_from(["a", "b", "c"]), unique=True))
def test_only_stacks_that_exist_are_touched_each_once(paths: list[str], known: list[str]) -> None:
    found = stacks.touched([*paths, "Pulumi.a.yaml"], known)
    assert set(found) <= set(known)
    assert found == sorted(set(found))


def test_a_deployment_is_started_by_what_a_preview_is_made_for() -> None:
    deploy = yaml.safe_load((ROOT / ".github/workflows/deploy.yml").read_text())
    # YAML 1.1 takes the key `on` for true.
    started_by = set(deploy[True]["push"]["paths"])
    assert started_by == {*stacks.EVERY_STACK, "Pulumi.*.yaml", f"!Pulumi.{stacks.LOCAL}.yaml"}
