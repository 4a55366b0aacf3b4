"""A few requests to the Kubernetes API, without the weight of a client library at every start."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import urllib3

if TYPE_CHECKING:
    from collections.abc import Iterable

    from local.layout import Layout

__all__ = ["Api", "ApiError", "Client", "Manifest", "message"]

Manifest = dict[str, Any]
# Not the name of a stack's field manager, PROJECT-STACK: server-side apply tells them apart by it.
_MANAGER = "local-cluster"


class ApiError(Exception):
    """The server's answer when it's not a success, or its silence (status 0)."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Client:
    """Requests over connections that stay open."""

    def __init__(
        self, server: str, pool: urllib3.PoolManager, headers: dict[str, str], timeout: float
    ) -> None:
        self.server, self.pool = server, pool
        self.headers = {"Accept": "application/json"} | headers
        self._timeout = timeout

    def request(
        self, method: str, path: str, body: object = None, kind: str = "application/json"
    ) -> Manifest:
        """One request. Raises ApiError."""
        try:
            answer = self.pool.request(
                method,
                self.server + path,
                body=None if body is None else json.dumps(body),
                headers=self.headers | {"Content-Type": kind},
                timeout=self._timeout,
            )
        except urllib3.exceptions.HTTPError as error:
            raise ApiError(0, f"the API server doesn't answer: {error}") from error
        text = answer.data.decode(errors="replace")
        if answer.status >= 400:
            raise ApiError(answer.status, message(text))
        try:
            parsed = json.loads(text)
        except ValueError:  # The health pages are plain text.
            parsed = text
        return parsed if isinstance(parsed, dict) else {"text": parsed}

    def get(self, path: str) -> Manifest:
        return self.request("GET", path)

    def find(self, path: str) -> Manifest | None:
        """As get; None where there is nothing."""
        try:
            return self.get(path)
        except ApiError as error:
            if error.status == 404:
                return None
            raise


class Api(Client):
    """As the cluster's administrator."""

    def __init__(self, layout: Layout, timeout: float = 30.0) -> None:
        folder = layout.certificates
        pool = urllib3.PoolManager(
            maxsize=8,
            retries=False,
            cert_file=str(folder / "admin.crt"),
            key_file=str(folder / "admin.key"),
            ca_certs=str(folder / "ca.crt"),
        )
        super().__init__(layout.server(), pool, {}, timeout)
        self._resources: dict[tuple[str, str], tuple[str, bool]] = {}

    def delete(self, path: str) -> None:
        """Absent afterwards, whether it was there or not."""
        try:
            self.request("DELETE", path)
        except ApiError as error:
            if error.status != 404:
                raise

    def apply(self, manifest: Manifest) -> Manifest:
        """Server-side apply; what others own of the object stays theirs."""
        path = self.path(manifest)
        query = f"?fieldManager={_MANAGER}&force=true"
        return self.request("PATCH", path + query, manifest, "application/apply-patch+yaml")

    def path(self, manifest: Manifest) -> str:
        """Where the server keeps such an object."""
        version, kind = manifest["apiVersion"], manifest["kind"]
        base = f"/apis/{version}" if "/" in version else f"/api/{version}"
        if (version, kind) not in self._resources:
            for each in self.get(base)["resources"]:
                if "/" not in each["name"]:
                    self._resources[version, each["kind"]] = (each["name"], each["namespaced"])
        if (version, kind) not in self._resources:
            raise ApiError(404, f"the server doesn't know {kind} of {version}")
        plural, namespaced = self._resources[version, kind]
        place = manifest["metadata"]
        within = f"/namespaces/{place.get('namespace', 'default')}" if namespaced else ""
        return f"{base}{within}/{plural}/{place['name']}"

    def wait_for_definitions(self, definitions: Iterable[Manifest], patience: float = 60.0) -> None:
        """Until the server serves these custom resources."""
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


def message(text: str) -> str:
    """The server's own words in an answer that is not a success."""
    try:
        return str(json.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        return text.strip()[:1000]
