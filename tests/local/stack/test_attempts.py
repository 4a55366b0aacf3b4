"""Load tests and verifications that run again, or can't run at all."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import urllib3

if TYPE_CHECKING:
    from tests.local.stack.conftest import Stack


def _results(stack: Stack) -> list[str]:
    """Every result in the bucket, oldest first. Writing one again would show as one only."""
    storage = stack.cluster.layout.storage()
    url = f"{storage}/storage/v1/b/kserve-triton-test/o?prefix=perf/"
    answer = urllib3.request("GET", url, headers=stack.cluster.layout.owner(), timeout=10)
    items = answer.json().get("items", [])
    found = [each for each in items if each["name"].endswith("/result.json")]
    ordered = sorted(found, key=lambda each: str(each["timeCreated"]))
    return [f"gs://kserve-triton-test/{each['name']}" for each in ordered]


def _newest(stack: Stack) -> str:
    return str(stack.outputs()["perf"]["digits"]["result"])


def test_settings_that_were_tested_before_get_a_result_of_their_own(stack: Stack) -> None:
    stack.destroy()
    named = []
    for rate in (50, 40, 50):
        stack.deploy(perf=stack.settings["perf"] | {"rate": rate})
        named.append(_newest(stack))
    assert _results(stack) == named
    assert len(set(named)) == 3
    # The first and the last tested the same.
    assert named[0].rsplit("/", 2)[0] == named[2].rsplit("/", 2)[0]


def test_a_load_test_that_is_tried_again_has_both_results(stack: Stack) -> None:
    stack.deploy()
    passed, before = _newest(stack), len(_results(stack))
    perf: dict[str, Any] = stack.settings["perf"]
    impossible = perf | {"objectives": perf["objectives"] | {"p99Ms": 0.001}}
    for tries in (1, 2):
        done = stack.up(perf=impossible)
        assert done.returncode != 0
        assert "load test of digits: fail" in done.stdout + done.stderr
        assert len(_results(stack)) == before + tries
    # The settings that passed are in force again, with the result that they have.
    stack.deploy()
    assert _newest(stack) == passed


def test_an_image_that_cant_be_pulled_is_the_cause_that_is_told(stack: Stack) -> None:
    stack.deploy(perf={"enabled": False})
    begun = time.monotonic()
    jobs = stack.settings["jobs"] | {"image": "nowhere.example/absent:1"}
    deadline = 10
    done = stack.up(jobs=jobs, verification={"deadlineSeconds": deadline}, perf={"enabled": False})
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert "ErrImagePull" in said
    assert 'image "nowhere.example/absent:1" can\'t be pulled' in said
    # A minute for last words after the deadline, and as long again for a busy machine.
    assert time.monotonic() - begun < deadline + 120
    stack.deploy(perf={"enabled": False})
