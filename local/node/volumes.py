"""A pod's volumes: folders of the machine, which are mounted into its containers."""

from __future__ import annotations

import datetime
import shutil
import time
from typing import TYPE_CHECKING

from local.layout import write_atomically
from local.node.sandbox.root import Mount
from local.node.variables import ConfigError, expand, field, resource_field

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from local.api import Object
    from local.node.host import Host

__all__ = ["Volumes"]

_KINDS = ("emptyDir", "configMap", "secret", "projected", "downwardAPI")
_RENEW_AT = 0.8
"""The part of a token's life after which it is renewed."""


class Volumes:
    """The volumes of one pod. A restart of the agent writes them again, except an emptyDir."""

    def __init__(self, host: Host, pod: Object, folder: Path) -> None:
        self._host, self._pod, self._folder = host, pod, folder
        self._tokens: list[tuple[float, Object, Path]] = []
        self.volumes: dict[str, Object] = {
            volume["name"]: volume for volume in pod["spec"].get("volumes", [])
        }

    @property
    def in_memory(self) -> list[str]:
        """Folders that must be file systems in memory."""
        return [
            str(self._path(name))
            for name, volume in self.volumes.items()
            if (volume.get("emptyDir") or {}).get("medium") == "Memory"
        ]

    def prepare(self) -> None:
        """Write their files. Raises ConfigError and ApiError."""
        self._tokens = []
        for name, volume in self.volumes.items():
            path = self._path(name)
            path.mkdir(parents=True, exist_ok=True)
            kind = next((each for each in _KINDS if each in volume), None)
            if kind is None:
                has = ", ".join(key for key in volume if key != "name")
                raise ConfigError(
                    f"volume {name!r}: {has} is not supported here, only {', '.join(_KINDS)}"
                )
            if kind == "projected":
                for source in volume[kind]["sources"]:
                    ((inner, content),) = source.items()
                    self._write(path, inner, content, volume[kind].get("defaultMode"))
            elif kind != "emptyDir":
                self._write(path, kind, volume[kind], volume[kind].get("defaultMode"))

    def renew(self) -> None:
        """Renew the tokens that expire soon. Raises ApiError."""
        due, now = [each for each in self._tokens if each[0] <= time.time()], time.time()
        self._tokens = [each for each in self._tokens if each[0] > now]
        for _, source, folder in due:
            self._write_token(folder, source)

    def mounts(self, container: Object, values: Mapping[str, str]) -> list[Mount]:
        """The mounts of a container. Raises ConfigError."""
        made = []
        for mount in container.get("volumeMounts", []):
            source = self._path(mount["name"])
            inner = mount.get("subPath") or expand(mount.get("subPathExpr", ""), values)
            if inner:
                source = (source / inner).resolve()
                if not source.is_relative_to(self._path(mount["name"]).resolve()):
                    raise ConfigError(f"subPath {inner!r} leads out of volume {mount['name']!r}")
                if not source.exists():
                    source.mkdir(parents=True)
            # Files from the API are read-only, whatever the mount says.
            fixed = "emptyDir" not in self.volumes[mount["name"]]
            made.append(
                Mount(mount["mountPath"], str(source), bool(mount.get("readOnly")) or fixed)
            )
        return made

    def remove(self) -> None:
        """Delete them."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _path(self, name: str) -> Path:
        return self._folder / name

    def _write(self, folder: Path, kind: str, content: Object, mode: int | None) -> None:
        if kind == "serviceAccountToken":
            self._write_token(folder, content)
        elif kind == "downwardAPI":
            for item in content.get("items", []):
                _put(folder / item["path"], self._downward(item).encode(), item.get("mode", mode))
        elif kind in ("configMap", "secret"):
            name = content.get("name") or content["secretName"]
            data = self._host.look_up(self._pod["metadata"]["namespace"], kind.lower(), name)
            if data is None and not content.get("optional"):
                raise ConfigError(f"{kind.lower()} {name!r} not found")
            for key, path, own in _items(content, data or {}, name):
                _put(folder / path, (data or {})[key], own or mode)
        else:
            raise ConfigError(f"projected volume: {kind} is not supported here")

    def _downward(self, item: Object) -> str:
        if "fieldRef" in item:
            return field(item["fieldRef"]["fieldPath"], self._pod)
        return resource_field(item["resourceFieldRef"], self._pod, "", self._host.capacity)

    def _write_token(self, folder: Path, source: Object) -> None:
        about = self._pod["metadata"]
        account = self._pod["spec"].get("serviceAccountName", "default")
        wanted = {
            "audiences": [source["audience"]] if source.get("audience") else [],
            "expirationSeconds": source.get("expirationSeconds", 3600),
            "boundObjectRef": {
                "apiVersion": "v1",
                "kind": "Pod",
                "name": about["name"],
                "uid": about["uid"],
            },
        }
        path = f"/api/v1/namespaces/{about['namespace']}/serviceaccounts/{account}/token"
        request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": wanted}
        status = self._host.api.request("POST", path, request)["status"]
        _put(folder / source["path"], status["token"].encode(), 0o600)
        ends = datetime.datetime.fromisoformat(status["expirationTimestamp"]).timestamp()
        at = time.time() + (ends - time.time()) * _RENEW_AT
        self._tokens.append((at, source, folder))


def _items(
    content: Object, data: Mapping[str, bytes], name: str
) -> list[tuple[str, str, int | None]]:
    """Key, path and mode of each file."""
    if "items" not in content:
        return [(key, key, None) for key in data]
    for item in content["items"]:
        if item["key"] not in data and not content.get("optional"):
            raise ConfigError(f"{name!r} has no key {item['key']!r}")
    chosen = [item for item in content["items"] if item["key"] in data]
    return [(item["key"], item["path"], item.get("mode")) for item in chosen]


def _put(path: Path, data: bytes, mode: int | None) -> None:
    write_atomically(path, data, mode or 0o644)
