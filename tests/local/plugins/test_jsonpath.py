"""The expressions of pulumi.com/waitFor."""

from __future__ import annotations

import pytest
from local.plugins.kubernetes.jsonpath import parse

FOUND = {
    "status": {
        "phase": "Running",
        "replicas": 2,
        "conditions": [
            {"type": "Ready", "status": "True"},
            {"type": "Other", "status": "False"},
        ],
    },
    "data": {"odd.key": "x"},
}


@pytest.mark.parametrize(
    "text",
    [
        "jsonpath={.status.phase}=Running",
        "jsonpath={$.status.phase}",
        "jsonpath={.status.replicas}=2",
        'jsonpath={.status.conditions[?(@.type=="Ready")].status}=True',
        "jsonpath={.status.conditions[?(@.type == 'Other')].status}=False",
        "jsonpath={.status.conditions[0].type}=Ready",
        "jsonpath={.status.conditions[*].status}",
        "jsonpath={.data['odd.key']}=x",
    ],
)
def test_that_hold(text: str) -> None:
    assert parse(text).missing(FOUND) is None


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("jsonpath={.status.phase}=Done", "found Running"),
        ("jsonpath={.status.url}", "nothing there"),
        ("jsonpath={.status.conditions[5].type}", "nothing there"),
        ("jsonpath={.status.conditions[*].status}=True", "found True, False"),
    ],
)
def test_that_do_not_hold_yet(text: str, missing: str) -> None:
    assert parse(text).missing(FOUND) == missing


@pytest.mark.parametrize("text", ["{.a}", "jsonpath=.a", "jsonpath={.a[}", "jsonpath={a b}"])
def test_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match="jsonpath"):
        parse(text)
