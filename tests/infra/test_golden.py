"""A change of what the cluster is asked for is seen in a file's diff."""

from __future__ import annotations

import pytest

from tests.infra.golden import COMBINATIONS, GOLDEN, manifests, path


@pytest.mark.parametrize("switches", COMBINATIONS, ids=lambda each: path(each).stem)
def test_manifests_are_as_in_the_golden_file(switches: dict[str, str]) -> None:
    again = "write it anew: .venv/bin/python -m tests.infra.golden"
    assert manifests(switches) == path(switches).read_text(), again


def test_no_golden_file_is_left_over() -> None:
    assert {each.name for each in GOLDEN.iterdir()} == {path(each).name for each in COMBINATIONS}
