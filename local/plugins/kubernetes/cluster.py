"""The Kubernetes API, as far as the plugin needs it: plain REST."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from local.plugins.kubernetes.connection import Connection, connect
from local.plugins.resource import PluginError

if TYPE_CHECKING:
    from local.plugins.kubernetes.kinds import Kind

Object = dict[str, Any]

APPLY: Final = "application/apply-patch+yaml"
JSON: Final = "application/json"
# How long a restarting API server or webhook is waited for.
PATIENCE_SECONDS = 10.0


class ApiError(PluginError):
    """What the API server refused. `status` is HTTP's; `causes` are the server's own."""

    def __init__(self, doing: str, status: int, answer: Object) -> None:
        self.status = status
        self.reason = str(answer.get("reason", ""))
        self.causes: list[Object] = (answer.get("details") or {}).get("causes") or []
        message = answer.get("message") or f"HTTP status {status}"
        super().__init__(f"{doing}: {message}")


@dataclass(frozen=True)
class Place:
    """Where an object is."""

    kind: Kind
    namespace: str
    name: str

    @property
    def path(self) -> str:
        return self.kind.path(self.namespace, self.name)

    @property
    def id(self) -> str:
        """Pulumi's id of it."""
        return f"{self.namespace}/{self.name}" if self.kind.namespaced else self.name

    def __str__(self) -> str:
        return f"{self.kind.name} {self.id}"


class Cluster:
    """One cluster. Every method raises PluginError; ApiError for what the server refused."""

    def __init__(self, patience: float = PATIENCE_SECONDS) -> None:
        self._patience = patience
        self._kubeconfig, self._context, self._namespace = "", "", ""
        self._lock = Lock()
        self._connection: Connection | None = None
        # Found so by this preview; a deployment asks the server again.
        self.absent_namespaces: set[str] = set()

    def configure(self, kubeconfig: str, context: str, namespace: str) -> None:
        """Use a kubeconfig: its text, its path, or none for the shell's own."""
        self._kubeconfig, self._context, self._namespace = kubeconfig, context, namespace

    @property
    def namespace(self) -> str:
        """Where objects go that say nothing themselves."""
        return self._namespace or self._connected.namespace

    @property
    def _connected(self) -> Connection:
        with self._lock:
            if self._connection is None:
                self._connection = connect(self._kubeconfig, self._context)
            return self._connection

    def get(self, place: Place) -> Object | None:
        """An object, or None."""
        try:
            return self._call("GET", place.path, f"reading {place}")
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def list_pods(self, namespace: str, selector: str) -> list[Object]:
        """The pods with given labels."""
        query = {"labelSelector": selector}
        path = f"/api/v1/namespaces/{namespace}/pods"
        items: list[Object] = self._call("GET", path, "listing pods", query)["items"]
        return items

    def log(self, namespace: str, pod: str, container: str, lines: int) -> str:
        """The last lines that a container wrote."""
        query = {"container": container, "tailLines": str(lines)}
        path = f"/api/v1/namespaces/{namespace}/pods/{pod}/log?{urlencode(query)}"
        status, text = self._connected.request("GET", path, "", {})
        return text if status == 200 else ""

    def dry_create(self, place: Place, body: Object, manager: str) -> Object:
        """What creating an object would make, or the server's refusal; nothing is kept."""
        query = {"dryRun": "All", "fieldManager": manager, "fieldValidation": "Strict"}
        path = place.kind.path(place.namespace, "")
        return self._call("POST", path, f"creating {place}", query, body, JSON)

    def apply(
        self, place: Place, body: Object, manager: str, *, force: bool = False, dry: bool = False
    ) -> Object:
        """Server-side apply: make the manager's fields what the body says."""
        query = {
            "fieldManager": manager,
            "force": str(force).lower(),
            "fieldValidation": "Strict",
            **({"dryRun": "All"} if dry else {}),
        }
        return self._call("PATCH", place.path, f"applying {place}", query, body, APPLY)

    def delete(self, place: Place, propagation: str) -> None:
        """Ask for an object's deletion; one that is gone already is no error."""
        body = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": propagation}
        try:
            self._call("DELETE", place.path, f"deleting {place}", {}, body, JSON)
        except ApiError as error:
            if error.status != 404:
                raise

    def _call(
        self,
        method: str,
        path: str,
        doing: str,
        query: dict[str, str] | None = None,
        body: Object | None = None,
        content_type: str = "",
    ) -> Object:
        url = f"{path}?{urlencode(query)}" if query else path
        text = json.dumps(body) if body is not None else ""
        headers = {"Content-Type": content_type} if content_type else {}
        deadline = time.monotonic() + self._patience
        while True:
            status, answer = self._connected.request(method, url, text, headers)
            found = _parsed(answer)
            if 200 <= status < 300:
                return found
            if not _may_pass(status, found) or time.monotonic() > deadline:
                raise ApiError(doing, status, _explained(status, found, path))
            time.sleep(0.5)


def _may_pass(status: int, answer: Object) -> bool:
    """Whether the server, or a webhook that it asks, is just starting."""
    message = str(answer.get("message", ""))
    webhook = "failed calling webhook" in message and "connection refused" in message
    return status in (0, 429, 503) or webhook


def _parsed(answer: str) -> Object:
    try:
        found = json.loads(answer)
    except ValueError:
        return {"message": answer.strip()}
    return found if isinstance(found, dict) else {}


def _explained(status: int, answer: Object, path: str) -> Object:
    if status == 404 and answer.get("kind") != "Status":
        api = path.split("/")[2:4] if path.startswith("/apis/") else ["v1"]
        text = f"the cluster does not know {'/'.join(api)}: what brings it is not installed there"
        return {"message": text}
    return answer
