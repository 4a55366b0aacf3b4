"""A pod's volumes: folders of the machine, which are mounted into its containers."""

from __future__ import annotations

import math
import threading
import time
from typing import TYPE_CHECKING

from local.api import ApiError
from local.node import snapshot
from local.node.reporting import log
from local.node.sandbox.root import Mount
from local.node.tokens import Tokens
from local.node.variables import ConfigError, expand, field, resource_field

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from local.api import Object
    from local.node.host import Host
    from local.node.snapshot import File

__all__ = ["Volumes"]

_KINDS = ("emptyDir", "configMap", "secret", "projected", "downwardAPI")
_AGAIN = 2.0
_MODE = 0o644


class Volumes:
    """The volumes of one pod. A restart of the agent writes them again, except an emptyDir."""

    def __init__(self, host: Host, pod: Object, folder: Path) -> None:
        self._host, self._pod, self._folder = host, pod, folder
        self._title = f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"
        self._tokens = Tokens(host.api, pod)
        self._written: dict[str, dict[str, File]] = {}
        self._outdated = threading.Event()
        self._due = 0.0
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
        """Write their files. Raises ConfigError, ApiError and OSError."""
        self._outdated.clear()
        for name, volume in self.volumes.items():
            self._path(name).mkdir(parents=True, exist_ok=True)
            if not any(each in volume for each in _KINDS):
                has = ", ".join(key for key in volume if key != "name")
                raise ConfigError(
                    f"volume {name!r}: {has} is not supported here, only {', '.join(_KINDS)}"
                )
            self._write(name)
        self._due = self._tokens.renew_at()

    def note(self, kind: str, name: str) -> bool:
        """A `configmap` or `secret` of the pod's namespace has changed. Whether a volume has it.

        May be called from any thread.
        """
        found = any(
            (inner.lower(), _object_name(content)) == (kind, name)
            for volume in self.volumes.values()
            for inner, content, _ in _sources(volume)
            if inner in ("configMap", "secret")
        )
        if found:
            self._outdated.set()
        return found

    def update(self, pod: Object) -> None:
        """Write what has changed, and renew the tokens that expire soon.

        What can't be read stays as it is; it is tried again where that may help.
        """
        moved, self._pod = _followed(pod) != _followed(self._pod), pod
        if not (moved or self._outdated.is_set() or self._due <= time.time()):
            return
        self._outdated.clear()
        again = math.inf
        for name in self.volumes:
            try:
                self._write(name)
            except ConfigError as error:  # Its object is told about when it is mended.
                log(f"{self._title}: volume {name!r} stays as it is: {error}")
            except (ApiError, OSError) as error:
                log(f"{self._title}: volume {name!r} is not up to date yet: {error}")
                again = time.time() + _AGAIN
        self._due = min(self._tokens.renew_at(), again)

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

    def _path(self, name: str) -> Path:
        return self._folder / name

    def _write(self, name: str) -> None:
        """Write the files of a volume, if they have changed."""
        files: dict[str, File] = {}
        for kind, content, mode in _sources(self.volumes[name]):
            files |= self._files(kind, content, mode)
        if "emptyDir" not in self.volumes[name] and files != self._written.get(name):
            snapshot.replace(self._path(name), files)
            self._written[name] = files

    def _files(self, kind: str, content: Object, mode: int) -> dict[str, File]:
        """The files from one source, by their paths in the volume."""
        if kind == "serviceAccountToken":
            audience, seconds = content.get("audience", ""), content.get("expirationSeconds", 3600)
            token, _ = self._tokens.get(audience, seconds)
            return {content["path"]: (token.encode(), 0o600)}
        if kind == "downwardAPI":
            return {
                item["path"]: (self._downward(item).encode(), item.get("mode", mode))
                for item in content.get("items", [])
            }
        if kind not in ("configMap", "secret"):
            raise ConfigError(f"projected volume: {kind} is not supported here")
        name = _object_name(content)
        data = self._host.look_up(self._pod["metadata"]["namespace"], kind.lower(), name)
        if data is None and not content.get("optional"):
            raise ConfigError(f"{kind.lower()} {name!r} not found")
        return {
            path: ((data or {})[key], own or mode)
            for key, path, own in _items(content, data or {}, name)
        }

    def _downward(self, item: Object) -> str:
        if "fieldRef" in item:
            return field(item["fieldRef"]["fieldPath"], self._pod)
        return resource_field(item["resourceFieldRef"], self._pod, "", self._host.capacity)


def _sources(volume: Object) -> Iterator[tuple[str, Object, int]]:
    """What a volume's files come from: kind, content, mode of files without their own."""
    for kind, content in volume.items():
        if kind in ("configMap", "secret", "downwardAPI"):
            yield kind, content, content.get("defaultMode", _MODE)
        elif kind == "projected":
            for source in content["sources"]:
                ((inner, own),) = source.items()
                yield inner, own, content.get("defaultMode", _MODE)


def _object_name(content: Object) -> str:
    """The name of the ConfigMap or Secret that a source reads."""
    return str(content.get("name") or content["secretName"])


def _followed(pod: Object) -> tuple[Object, Object]:
    """The fields of a running pod that may change, and that files can have."""
    about = pod["metadata"]
    return about.get("labels", {}), about.get("annotations", {})


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
