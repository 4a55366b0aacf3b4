"""A small client of the cluster's Kubernetes API. Objects are plain dictionaries."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import urllib3

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from local.layout import Layout

__all__ = ["Api", "ApiError", "Object", "condition_status"]

Object = dict[str, Any]
# Not the name of a stack's field manager, PROJECT-STACK: server-side apply tells them apart by it.
_MANAGER = "local-cluster"
_APPLY = "application/apply-patch+yaml"
_STRATEGIC_MERGE = "application/strategic-merge-patch+json"
_WATCH_SECONDS = 300


def condition_status(found: Object, kind: str) -> str:
    """The status of an object's condition: True, False or Unknown."""
    conditions = found.get("status", {}).get("conditions", [])
    return next((str(each["status"]) for each in conditions if each["type"] == kind), "Unknown")


class ApiError(Exception):
    """The server's answer where it is not a success; `status` is 0 where there was none."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Api:
    """The API server, as the cluster's administrator. Connections stay open."""

    def __init__(self, layout: Layout, timeout: float = 30.0) -> None:
        folder = layout.certificates
        self._pool = urllib3.PoolManager(
            maxsize=16,
            retries=False,
            cert_file=str(folder / "admin.crt"),
            key_file=str(folder / "admin.key"),
            ca_certs=str(folder / "ca.crt"),
        )
        self.server = layout.server()
        self._timeout = timeout
        self._resources: dict[tuple[str, str], tuple[str, bool]] = {}

    def request(
        self, method: str, path: str, body: object = None, kind: str = "application/json"
    ) -> Object:
        """One request. Raises ApiError."""
        answer = json.loads(self._request(method, path, body, kind))
        assert isinstance(answer, dict)  # As every object and list of objects is.
        return answer

    def text(self, path: str) -> str:
        """An answer that is plain text, such as a log or a health check's."""
        return self._request("GET", path)

    def get(self, path: str) -> Object:
        return self.request("GET", path)

    def find(self, path: str) -> Object | None:
        """As `get`; None where there is no such object."""
        try:
            return self.get(path)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def delete(self, path: str) -> None:
        """Delete an object, if it is there."""
        try:
            self.request("DELETE", path)
        except ApiError as error:
            if error.status != 404:
                raise

    def merge(self, path: str, body: Object) -> Object:
        """Merge patch: lists are replaced, and null removes a key."""
        return self.request("PATCH", path, body, "application/merge-patch+json")

    def patch(self, path: str, body: Object) -> Object:
        """Strategic merge: lists are merged by their keys, as the API's types define."""
        return self.request("PATCH", path, body, _STRATEGIC_MERGE)

    def apply(self, manifest: Object, manager: str = _MANAGER) -> Object:
        """Server-side apply; fields of other managers stay as they are."""
        query = f"?fieldManager={manager}&force=true"
        return self.request("PATCH", self.path(manifest) + query, manifest, _APPLY)

    def path(self, manifest: Object) -> str:
        """The path of an object."""
        version, kind = manifest["apiVersion"], manifest["kind"]
        base = f"/apis/{version}" if "/" in version else f"/api/{version}"
        if (version, kind) not in self._resources:
            for each in self.get(base)["resources"]:
                if "/" not in each["name"]:
                    self._resources[version, each["kind"]] = (each["name"], each["namespaced"])
        if (version, kind) not in self._resources:
            raise ApiError(404, f"the server has no {kind} of {version}")
        plural, namespaced = self._resources[version, kind]
        metadata = manifest["metadata"]
        namespace = f"/namespaces/{metadata.get('namespace', 'default')}" if namespaced else ""
        return f"{base}{namespace}/{plural}/{metadata['name']}"

    def wait_for_definitions(self, definitions: Iterable[Object], patience: float = 60.0) -> None:
        """Wait until the server serves these custom resources. Raises ApiError."""
        missing = {
            (each["spec"]["group"], version["name"], each["spec"]["names"]["plural"])
            for each in definitions
            for version in each["spec"]["versions"]
            if version["served"]
        }
        deadline = time.monotonic() + patience
        while missing:
            for group, version in {(group, version) for group, version, _ in missing}:
                served = self.find(f"/apis/{group}/{version}") or {"resources": []}
                missing -= {(group, version, each["name"]) for each in served["resources"]}
            if missing and time.monotonic() > deadline:
                names = ", ".join(sorted(f"{plural}.{group}" for group, _, plural in missing))
                raise ApiError(0, f"not served {patience:.0f} s after they were defined: {names}")
            time.sleep(0.1 if missing else 0)

    def watch(self, path: str, version: str) -> Iterator[tuple[str, Object]]:
        """Changes after a resource version, until the server ends the watch. Raises ApiError."""
        joint = "&" if "?" in path else "?"
        options = f"watch=true&allowWatchBookmarks=true&timeoutSeconds={_WATCH_SECONDS}"
        try:
            answer = self._pool.request(
                "GET",
                f"{self.server}{path}{joint}{options}&resourceVersion={version}",
                preload_content=False,
                timeout=urllib3.Timeout(connect=5, read=_WATCH_SECONDS + 30),
            )
            if answer.status >= 400:
                raise ApiError(answer.status, _message(answer.read()))
            for line in _lines(answer):
                event = json.loads(line)
                if event["type"] == "ERROR":
                    status = event["object"]
                    raise ApiError(status.get("code", 0), status.get("message", ""))
                yield event["type"], event["object"]
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise ApiError(0, f"the watch broke off: {error}") from error

    def _request(self, method: str, path: str, body: object = None, kind: str = "") -> str:
        try:
            answer = self._pool.request(
                method,
                self.server + path,
                body=None if body is None else json.dumps(body),
                headers={"Content-Type": kind} if kind else {},
                timeout=self._timeout,
            )
        except urllib3.exceptions.HTTPError as error:
            raise ApiError(0, f"the API server doesn't answer: {error}") from error
        if answer.status >= 400:
            raise ApiError(answer.status, _message(answer.data))
        return answer.data.decode(errors="replace")


def _message(data: bytes) -> str:
    """The server's message in an answer that is not a success."""
    text = data.decode(errors="replace")
    try:
        return str(json.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        return text.strip()[:1000]


def _lines(answer: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
    rest = b""
    for piece in answer.stream(amt=None):
        *whole, rest = (rest + piece).split(b"\n")
        yield from (line for line in whole if line)
