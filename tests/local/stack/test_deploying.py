"""The bootstrap's accounts: what deploys a stack, and what only previews it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import urllib3

from tests.local.stack.accounts import bootstrap_tokens

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.local.stack.conftest import Stack

_UP = ("up", "--yes", "--skip-preview", "--suppress-progress")


@pytest.fixture
def tokens(stack: Stack) -> Iterator[dict[str, str]]:
    with bootstrap_tokens(stack) as found:
        yield found


def _run_as(stack: Stack, token: str, *words: str) -> tuple[int, str]:
    done = stack.run(*words, GOOGLE_OAUTH_ACCESS_TOKEN=token)
    return done.returncode, done.stdout + done.stderr


def test_the_deploy_account_makes_changes_and_removes_a_stack(
    stack: Stack, tokens: dict[str, str]
) -> None:
    stack.destroy()
    stack.configure(perf={"enabled": False})
    for command in ("up", "destroy", "up"):
        code, text = _run_as(stack, tokens["deploy"], command, *_UP[1:])
        assert code == 0, text
    assert stack.predict()["label"]


def test_the_deploy_account_has_nothing_of_another_bucket(
    stack: Stack, tokens: dict[str, str]
) -> None:
    storage, owner = stack.cluster.layout.storage(), stack.cluster.layout.owner()
    body = json.dumps({"name": "foreign"}).encode()
    made = urllib3.request("POST", f"{storage}/storage/v1/b?project=p", body=body, headers=owner)
    assert made.status in (200, 409)
    own = {"Authorization": f"Bearer {tokens['deploy']}"}
    for method, path in (("GET", "o"), ("GET", "iam"), ("DELETE", ""), ("GET", "o/a")):
        url = f"{storage}/storage/v1/b/foreign/{path}".rstrip("/")
        assert urllib3.request(method, url, headers=own).status == 403, path


def test_the_preview_account_sees_drift_and_changes_nothing(
    stack: Stack, tokens: dict[str, str]
) -> None:
    stack.deploy(perf={"enabled": False})
    words = ("refresh", "--preview-only", "--expect-no-changes")
    code, text = _run_as(stack, tokens["preview"], *words)
    assert code == 0, text
    stack.configure(perf={"enabled": False}, triton={"maxBatchSize": 4})
    code, text = _run_as(stack, tokens["preview"], "preview")
    assert code == 0, text
    code, text = _run_as(stack, tokens["preview"], *_UP)
    assert code != 0
    assert "does not have storage.objects.create access" in text
    stack.deploy(perf={"enabled": False})
