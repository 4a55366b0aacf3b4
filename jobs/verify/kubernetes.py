"""What a verification reads from the Kubernetes API with its pod's service account."""

from __future__ import annotations

import os
import ssl
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from jobs.http_client import Response, UnreachableError, request

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ApiError", "Cluster", "ForbiddenError", "Object"]

Object = dict[str, Any]
ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
SERVICE_LABEL = "serving.kserve.io/inferenceservice"
JOB_LABEL = "batch.kubernetes.io/job-name"
TIMEOUT_SECONDS = 5.0
# Objects in a page.
PAGE = 500


class ApiError(Exception):
    """No answer of the API, or an unexpected one; a later request may succeed."""


class ForbiddenError(ApiError):
    """The service account has no permission to read an object."""


class Cluster:
    """A client of one API server. The token is read for each request, since it is rotated."""

    def __init__(self, url: str, token: Path, context: ssl.SSLContext | None = None) -> None:
        self.url, self.token, self.context = url, token, context

    @classmethod
    def of_this_pod(cls, environment: Mapping[str, str] = os.environ) -> Cluster | None:
        """The cluster of this pod; None outside of a cluster."""
        host = environment.get("KUBERNETES_SERVICE_HOST")
        if not host or not (ACCOUNT / "token").exists():
            return None
        port = environment.get("KUBERNETES_SERVICE_PORT", "443")
        name = f"[{host}]" if ":" in host else host
        context = ssl.create_default_context(cafile=str(ACCOUNT / "ca.crt"))
        return cls(f"https://{name}:{port}", ACCOUNT / "token", context)

    def inference_service(self, namespace: str, name: str) -> Object | None:
        """An InferenceService; None if it does not exist."""
        path = f"/apis/serving.kserve.io/v1beta1/namespaces/{namespace}/inferenceservices/{name}"
        return self._json(path)

    def pods(self, namespace: str, service: str) -> list[Object]:
        """The pods of an InferenceService, of all its components and revisions."""
        query = {"labelSelector": f"{SERVICE_LABEL}={service}"}
        return self._items(f"/api/v1/namespaces/{namespace}/pods", query)

    def revisions(self, namespace: str, service: str) -> list[Object]:
        """Knative's revisions of an InferenceService, of all its components."""
        query = {"labelSelector": f"{SERVICE_LABEL}={service}"}
        return self._items(f"/apis/serving.knative.dev/v1/namespaces/{namespace}/revisions", query)

    def replica_sets(self, namespace: str, service: str) -> list[Object]:
        """The ReplicaSets of an InferenceService, of all its components and revisions."""
        query = {"labelSelector": f"{SERVICE_LABEL}={service}"}
        return self._items(f"/apis/apps/v1/namespaces/{namespace}/replicasets", query)

    def job_age(self, namespace: str, pod: str) -> float:
        """Seconds since the start of a pod's Job, by this machine's clock; 0 if it can't be read.

        The Job may have made other pods before this one.
        """
        try:
            found = self._json(f"/api/v1/namespaces/{namespace}/pods/{quote(pod)}") or {}
            job = quote(found["metadata"]["labels"][JOB_LABEL])
            owner = self._json(f"/apis/batch/v1/namespaces/{namespace}/jobs/{job}") or {}
            started = datetime.fromisoformat(owner["status"]["startTime"])
        except (ApiError, KeyError, ValueError):
            return 0.0
        return max(0.0, (datetime.now(UTC) - started).total_seconds())

    def events(self, namespace: str, name: str) -> list[Object]:
        """The events about the objects of that name."""
        query = {"fieldSelector": f"involvedObject.name={name}"}
        return self._items(f"/api/v1/namespaces/{namespace}/events", query)

    def log(
        self, namespace: str, pod: str, container: str, *, previous: bool, lines: int
    ) -> str | None:
        """The last lines of a container's log, or of its previous run's; None without any."""
        query = {"container": container, "tailLines": str(lines), "previous": str(previous).lower()}
        path = f"/api/v1/namespaces/{namespace}/pods/{quote(pod)}/log?{urlencode(query)}"
        answer = self._get(path)
        if answer.status != 200:
            return None
        return answer.body.decode(errors="replace").strip() or None

    def _items(self, path: str, query: dict[str, str]) -> list[Object]:
        """The objects of a list, of all its pages."""
        items: list[Object] = []
        rest = ""
        while True:
            page = query | {"limit": str(PAGE)} | ({"continue": rest} if rest else {})
            found = self._json(f"{path}?{urlencode(page)}") or {}
            items += found.get("items") or []
            rest = (found.get("metadata") or {}).get("continue") or ""
            if not rest:
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

    def _get(self, path: str) -> Response:
        try:
            headers = {"Authorization": f"Bearer {self.token.read_text().strip()}"}
            answer = request(
                self.url + path, headers=headers, timeout=TIMEOUT_SECONDS, context=self.context
            )
        except (UnreachableError, OSError) as error:
            raise ApiError(f"the Kubernetes API does not answer: {error}") from error
        if answer.status in (401, 403):
            raise ForbiddenError(f"not allowed to read {path.partition('?')[0]} ({answer.status})")
        return answer
