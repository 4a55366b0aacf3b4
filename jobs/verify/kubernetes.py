"""The few things that the verification reads from the Kubernetes API, with its pod's account."""

from __future__ import annotations

import os
import ssl
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from jobs.http_client import Answer, UnreachableError, request

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ApiError", "Cluster", "ForbiddenError", "Object"]

Object = dict[str, Any]
ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
SERVICE_LABEL = "serving.kserve.io/inferenceservice"
TIMEOUT_SECONDS = 5.0
EVENTS = 500


class ApiError(Exception):
    """The API gave no answer, or an unexpected one; it may do so later."""


class ForbiddenError(ApiError):
    """This service account may not read that, and won't later."""


class Cluster:
    """Reads from one API server. The token is read each time, since it is rotated."""

    def __init__(self, url: str, token: Path, context: ssl.SSLContext | None = None) -> None:
        self.url, self.token, self.context = url, token, context

    @classmethod
    def here(cls, environment: Mapping[str, str] = os.environ) -> Cluster | None:
        """The cluster that this pod runs in; None outside of one."""
        host = environment.get("KUBERNETES_SERVICE_HOST")
        if not host or not (ACCOUNT / "token").exists():
            return None
        port = environment.get("KUBERNETES_SERVICE_PORT", "443")
        name = f"[{host}]" if ":" in host else host
        context = ssl.create_default_context(cafile=str(ACCOUNT / "ca.crt"))
        return cls(f"https://{name}:{port}", ACCOUNT / "token", context)

    def inference_service(self, namespace: str, name: str) -> Object | None:
        """None when there is none of that name."""
        path = f"/apis/serving.kserve.io/v1beta1/namespaces/{namespace}/inferenceservices/{name}"
        return self._json(path)

    def pods(self, namespace: str, service: str) -> list[Object]:
        """An InferenceService's pods, of all its components and revisions."""
        query = {"labelSelector": f"{SERVICE_LABEL}={service}"}
        return self._items(f"/api/v1/namespaces/{namespace}/pods", query)

    def age(self, namespace: str, pod: str) -> float:
        """Seconds since a pod was made, by this machine's clock; 0 where that can't be told."""
        try:
            found = self._json(f"/api/v1/namespaces/{namespace}/pods/{quote(pod)}") or {}
            made = datetime.fromisoformat(found["metadata"]["creationTimestamp"])
        except (ApiError, KeyError, ValueError):
            return 0.0
        return max(0.0, (datetime.now(UTC) - made).total_seconds())

    def events(self, namespace: str) -> list[Object]:
        """What happened lately in a namespace."""
        return self._items(f"/api/v1/namespaces/{namespace}/events", {"limit": str(EVENTS)})

    def log(
        self, namespace: str, pod: str, container: str, *, previous: bool, lines: int
    ) -> str | None:
        """The last lines of a container, or of its previous run; None when there are none."""
        query = {"container": container, "tailLines": str(lines), "previous": str(previous).lower()}
        path = f"/api/v1/namespaces/{namespace}/pods/{quote(pod)}/log?{urlencode(query)}"
        answer = self._get(path)
        if answer.status != 200:
            return None
        return answer.body.decode(errors="replace").strip() or None

    def _items(self, path: str, query: dict[str, str]) -> list[Object]:
        found = self._json(f"{path}?{urlencode(query)}") or {}
        items: list[Object] = found.get("items") or []
        return items

    def _json(self, path: str) -> Object | None:
        answer = self._get(path)
        if answer.status == 404:
            return None
        if answer.status != 200:
            raise ApiError(f"the Kubernetes API answers {path} with {answer}")
        try:
            found: Object = answer.json()
            return found
        except ValueError as error:
            raise ApiError(f"the Kubernetes API answers {path} with no JSON: {answer}") from error

    def _get(self, path: str) -> Answer:
        try:
            headers = {"Authorization": f"Bearer {self.token.read_text().strip()}"}
            answer = request(
                self.url + path, headers=headers, timeout=TIMEOUT_SECONDS, context=self.context
            )
        except (UnreachableError, OSError) as error:
            raise ApiError(f"the Kubernetes API is away: {error}") from error
        if answer.status in (401, 403):
            raise ForbiddenError(f"not allowed to read {path.partition('?')[0]} ({answer.status})")
        return answer
