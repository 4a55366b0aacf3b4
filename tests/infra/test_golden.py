"""A change of what the cluster is asked for is seen in a file's diff."""

from __future__ import annotations

import pytest

from tests.infra.golden import CASES, GOLDEN, manifests, path


@pytest.mark.parametrize("name", CASES)
def test_manifests_are_as_in_the_golden_file(name: str) -> None:
    again = "write it anew: .venv/bin/python -m tests.infra.golden"
    assert manifests(CASES[name]) == path(name).read_text(), again


def test_no_golden_file_is_left_over() -> None:
    assert set(GOLDEN.rglob("*.yaml")) == {path(name) for name in CASES}
