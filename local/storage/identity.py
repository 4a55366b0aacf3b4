"""The local cluster's workload identity pool: tokens of its service accounts as IAM members.

On GKE a pod's token has the pool as its audience, and Google's token service exchanges it for an
access token of the principal. Here the token itself is the access token, and the API server says
whose it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.manifests.access import principal

if TYPE_CHECKING:
    from local.api import Api

__all__ = ["AUDIENCE", "PROJECT", "PROJECT_NUMBER", "account_member", "member"]

PROJECT, PROJECT_NUMBER = "kserve-triton-local", 1
AUDIENCE = f"{PROJECT}.svc.id.goog"
_REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews"
_USER = "system:serviceaccount:"


def account_member(namespace: str, account: str) -> str:
    """The IAM member for a service account of the local cluster."""
    return principal(PROJECT, PROJECT_NUMBER, namespace, account)


def member(api: Api, token: str) -> str | None:
    """The IAM member for a service account's token; None if it is not valid. Raises ApiError."""
    review = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenReview",
        "spec": {"token": token, "audiences": [AUDIENCE]},
    }
    status = api.request("POST", _REVIEWS, review)["status"]
    user = status.get("user", {}).get("username", "")
    if not status.get("authenticated") or not user.startswith(_USER):
        return None
    namespace, account = user.removeprefix(_USER).split(":")
    return account_member(namespace, account)
