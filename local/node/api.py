"""The Kubernetes API as the agent speaks it: plain objects, over connections that stay open."""

from __future__ import annotations

import base64
import json
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import urllib3
import yaml

from local.api import ApiError, Client, message

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Api", "ApiError", "Informer", "Object"]

Object = dict[str, Any]
_STRATEGIC = "application/strategic-merge-patch+json"
_WATCH_SECONDS = 300


class Api(Client):
    """One API server, as the user of a kubeconfig."""

    def __init__(self, kubeconfig: Path) -> None:
        config = yaml.safe_load(kubeconfig.read_text())
        context = _named(config, "context", config["current-context"])
        cluster, user = (_named(config, kind, context[kind]) for kind in ("cluster", "user"))
        self._scratch = tempfile.TemporaryDirectory(prefix="node-")
        token = {"Authorization": f"Bearer {user['token']}"} if "token" in user else {}
        pool = urllib3.PoolManager(
            maxsize=16,
            retries=False,
            ca_certs=self._file(cluster, "certificate-authority", kubeconfig.parent),
            cert_file=self._file(user, "client-certificate", kubeconfig.parent),
            key_file=self._file(user, "client-key", kubeconfig.parent),
        )
        super().__init__(cluster["server"].rstrip("/"), pool, token, timeout=20.0)

    def _file(self, section: Object, key: str, folder: Path) -> str | None:
        if f"{key}-data" in section:
            path = Path(self._scratch.name, key)
            path.touch(0o600)
            path.write_bytes(base64.b64decode(section[f"{key}-data"]))
            return str(path)
        return str(folder / section[key]) if key in section else None

    def patch(self, path: str, body: Object) -> Object:
        """Merge into an object; lists by their keys, as the API's types say."""
        return self.request("PATCH", path, body, _STRATEGIC)

    def watch(self, path: str, version: str) -> Iterator[tuple[str, Object]]:
        """Changes after that version, until the server ends it. Raises ApiError."""
        joint = "&" if "?" in path else "?"
        options = f"watch=true&allowWatchBookmarks=true&timeoutSeconds={_WATCH_SECONDS}"
        try:
            answer = self.pool.request(
                "GET",
                f"{self.server}{path}{joint}{options}&resourceVersion={version}",
                headers=self.headers,
                preload_content=False,
                timeout=urllib3.Timeout(connect=5, read=_WATCH_SECONDS + 30),
            )
            if answer.status >= 400:
                raise ApiError(answer.status, message(answer.read().decode(errors="replace")))
            for line in _lines(answer):
                event = json.loads(line)
                if event["type"] == "ERROR":
                    raise ApiError(
                        event["object"].get("code", 0), event["object"].get("message", "")
                    )
                yield event["type"], event["object"]
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise ApiError(0, f"the watch broke off: {error}") from error


def _named(config: Object, kind: str, name: str) -> Object:
    for each in config[f"{kind}s"]:
        if each["name"] == name:
            found: Object = each[kind]
            return found
    raise ApiError(0, f"the kubeconfig has no {kind} {name!r}")


def _lines(answer: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
    rest = b""
    for piece in answer.stream(amt=None):
        *whole, rest = (rest + piece).split(b"\n")
        yield from (line for line in whole if line)


class Informer:
    """A list kept current. The handler is called for each change, and once for what was there."""

    def __init__(self, api: Api, path: str, changed: Callable[[str, Object], None]) -> None:
        self._api, self._path, self._changed = api, path, changed
        self.objects: dict[tuple[str, str], Object] = {}
        self.synced = threading.Event()
        self._stopped = threading.Event()
        threading.Thread(target=self._run, name=f"watch {path}", daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                version = self._list()
                self.synced.set()
                self._follow(version)
            except ApiError:
                self._stopped.wait(0.5)

    def _list(self) -> str:
        found = self._api.get(self._path)
        present = {_key(each): each for each in found["items"]}
        for key in set(self.objects) - set(present):
            self._changed("DELETED", self.objects.pop(key))
        for key, each in present.items():
            before = self.objects.get(key)
            self.objects[key] = each
            if before is not None and before["metadata"]["uid"] != each["metadata"]["uid"]:
                self._changed("DELETED", before)
            if before != each:
                self._changed("MODIFIED" if before else "ADDED", each)
        return str(found["metadata"]["resourceVersion"])

    def _follow(self, version: str) -> None:
        while not self._stopped.is_set():
            for kind, each in self._api.watch(self._path, version):
                if self._stopped.is_set():
                    return
                version = each["metadata"]["resourceVersion"]
                if kind == "BOOKMARK":
                    continue
                if kind == "DELETED":
                    self.objects.pop(_key(each), None)
                else:
                    self.objects[_key(each)] = each
                self._changed(kind, each)


def _key(each: Object) -> tuple[str, str]:
    return each["metadata"].get("namespace", ""), each["metadata"]["name"]
