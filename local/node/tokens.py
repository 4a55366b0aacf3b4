"""Tokens of a pod's service account, bound to the pod."""

from __future__ import annotations

import datetime
import math
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from local.api import Api, Object

__all__ = ["Tokens"]

_RENEW_AT = 0.8
"""The part of a token's life after which it is renewed."""


class Tokens:
    """The last token for each audience and life, until it is to be renewed."""

    def __init__(self, api: Api, pod: Object) -> None:
        self._api, self._pod = api, pod
        self._found: dict[tuple[str, int], tuple[float, float, str]] = {}

    def get(self, audience: str, seconds: int) -> tuple[str, float]:
        """A token, and when it expires. Raises ApiError."""
        renew_at, ends, token = self._found.get((audience, seconds), (0.0, 0.0, ""))
        if renew_at <= time.time():
            status = self._request(audience, seconds)
            token = status["token"]
            ends = datetime.datetime.fromisoformat(status["expirationTimestamp"]).timestamp()
            renew_at = time.time() + (ends - time.time()) * _RENEW_AT
            self._found[audience, seconds] = renew_at, ends, token
        return token, ends

    def renew_at(self) -> float:
        """When the first of them must be renewed."""
        return min((renew_at for renew_at, _, _ in self._found.values()), default=math.inf)

    def _request(self, audience: str, seconds: int) -> Object:
        about = self._pod["metadata"]
        account = self._pod["spec"].get("serviceAccountName", "default")
        wanted = {
            "audiences": [audience] if audience else [],
            "expirationSeconds": seconds,
            "boundObjectRef": {
                "apiVersion": "v1",
                "kind": "Pod",
                "name": about["name"],
                "uid": about["uid"],
            },
        }
        path = f"/api/v1/namespaces/{about['namespace']}/serviceaccounts/{account}/token"
        request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": wanted}
        status: Object = self._api.request("POST", path, request)["status"]
        return status
