"""Grants on a stack's bucket that come late, never come, or end with their setting."""

from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
import urllib3

from local.storage.identity import account_member
from tests.local.cluster import eventually
from tests.local.stack.accounts import BUCKET
from tests.local.stack.conftest import SETTINGS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.local.stack.conftest import Stack

_NO_LOAD = {"enabled": False}


@pytest.fixture(scope="module")
def deployed(stack: Stack) -> Stack:
    stack.deploy(perf=_NO_LOAD)
    return stack


def _policy(stack: Stack, method: str, body: Any = None) -> dict[str, Any]:
    """The bucket's policy, read or replaced by the owner."""
    layout = stack.cluster.layout
    url = f"{layout.storage()}/storage/v1/b/{BUCKET}/iam"
    answer = urllib3.request(method, url, json=body, headers=layout.owner())
    assert answer.status == 200, answer.data
    found: dict[str, Any] = answer.json()
    return found


@contextlib.contextmanager
def _without_members(stack: Stack) -> Iterator[Callable[[], None]]:
    """The bucket without its members; a function gives them back, as the end of the block does."""
    before = _policy(stack, "GET")["bindings"]

    def give_back() -> None:
        _policy(stack, "PUT", {"bindings": before})

    _policy(stack, "PUT", {"bindings": []})
    try:
        yield give_back
    finally:
        give_back()


def _refused_initializers(stack: Stack) -> int:
    """How often storage initializers of pods that are not ready have failed."""
    return sum(
        status["restartCount"]
        for pod in stack.list("pods")
        for status in pod["status"].get("initContainerStatuses", ())
        if not status["ready"]
    )


def test_a_permission_that_spreads_late_is_waited_for(deployed: Stack) -> None:
    deployed.configure(perf=_NO_LOAD, predictor=SETTINGS["predictor"] | {"env": {"TRY": "late"}})
    words = ("up", "--yes", "--skip-preview", "--suppress-progress")
    with _without_members(deployed) as give_back, ThreadPoolExecutor(1) as pool:
        done = pool.submit(deployed.run, *words)
        try:
            eventually(lambda: _refused_initializers(deployed) > 0, 90)
        finally:
            give_back()
        assert done.result().returncode == 0, done.result().stdout


def test_a_permission_that_is_missing_fails_with_googles_reason(deployed: Stack) -> None:
    with _without_members(deployed):
        done = deployed.up(
            perf=_NO_LOAD, predictor=SETTINGS["predictor"] | {"env": {"TRY": "never"}}
        )
    assert done.returncode != 0
    assert "does not have storage.objects.list access" in done.stdout
    deployed.deploy(perf=_NO_LOAD)


def test_an_account_outlives_the_setting_and_the_stack_and_its_grant_does_not(
    stack: Stack,
) -> None:
    api, accounts = stack.cluster.api, f"/api/v1/namespaces/{stack.namespace}/serviceaccounts"
    stack.deploy(perf=_NO_LOAD)
    about = {"name": "shared", "namespace": stack.namespace, "annotations": {"whose": "others"}}
    api.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": about})
    member = account_member(stack.namespace, "shared")

    def has_grant() -> bool:
        return any(member in each["members"] for each in _policy(stack, "GET")["bindings"])

    stack.deploy(perf=_NO_LOAD, predictor=SETTINGS["predictor"] | {"serviceAccount": "shared"})
    assert has_grant()
    stack.deploy(perf=_NO_LOAD)
    assert not has_grant()
    stack.destroy()
    assert api.get(f"{accounts}/shared")["metadata"]["annotations"]["whose"] == "others"
    assert api.find(f"{accounts}/models") is not None
