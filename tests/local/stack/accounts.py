"""Accounts as callers of the storage: those of a stack's pods, and the bootstrap's."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING

from bootstrap.permissions import for_environment, only_bucket
from local.storage.identity import AUDIENCE, account_member
from tests.local.stack.conftest import SETTINGS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.local.stack.conftest import Stack

BUCKET: str = SETTINGS["storage"]["bucket"]


def make_account(stack: Stack, namespace: str, name: str) -> None:
    """A Kubernetes service account, unless there is one."""
    place = {"name": name, "namespace": namespace}
    stack.cluster.api.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": place})


def token(stack: Stack, namespace: str, name: str) -> str:
    """A token with which an account calls the storage, as one of its pods gets it."""
    spec = {"audiences": [AUDIENCE], "expirationSeconds": 3600}
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"
    return str(stack.cluster.api.request("POST", path, request)["status"]["token"])


@contextlib.contextmanager
def bootstrap_tokens(stack: Stack) -> Iterator[dict[str, str]]:
    """Tokens of the bootstrap's accounts, which have what it grants them for the stack's bucket.

    On this cluster they are Kubernetes accounts in the namespace `default`.
    """
    bindings, only = [], {"title": "only models", "expression": only_bucket(BUCKET)}
    for name, allowed in for_environment("dev").items():
        make_account(stack, "default", name)
        members = [account_member("default", name)]
        models = {"permissions": list(allowed.models), "condition": only}
        bindings.append({"members": members, **models})
        if allowed.own:
            bindings.append({"members": members, "permissions": list(allowed.own)})
    policy = stack.cluster.layout.iam / "project.json"
    policy.write_text(json.dumps({"bindings": bindings}))
    try:
        yield {name: token(stack, "default", name) for name in for_environment("dev")}
    finally:
        policy.unlink()
