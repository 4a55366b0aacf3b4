"""A change of what the cluster is asked for is seen in a file's diff."""

from __future__ import annotations

import pytest

from tests.infra.golden import CASES, GOLDEN, STACKS, manifests, path, stack_manifests


@pytest.mark.parametrize("name", CASES)
def test_manifests_are_as_in_the_golden_file(name: str) -> None:
    again = "write it anew: .venv/bin/python -m tests.infra.golden"
    assert manifests(CASES[name]) == path(name).read_text(), again


@pytest.mark.parametrize("stack", STACKS)
def test_a_cloud_stack_is_as_in_its_golden_file(stack: str) -> None:
    assert stack_manifests(stack) == path(f"stacks/{stack}").read_text()


def test_no_golden_file_is_left_over() -> None:
    assert set(GOLDEN.rglob("*.yaml")) == {
        *map(path, CASES),
        *(path(f"stacks/{stack}") for stack in STACKS),
    }
