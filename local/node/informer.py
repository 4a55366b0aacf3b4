"""A list of the API's objects that is kept current."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from local.api import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable

    from local.api import Api, Object

__all__ = ["Informer"]

_AGAIN = 0.5


class Informer:
    """Calls its handler with ADDED, MODIFIED or DELETED and the object, for each change."""

    def __init__(self, api: Api, path: str, changed: Callable[[str, Object], None]) -> None:
        self._api, self._path, self._changed = api, path, changed
        self.objects: dict[tuple[str, str], Object] = {}
        self.synced = threading.Event()
        threading.Thread(target=self._run, name=f"watch {path}", daemon=True).start()

    def _run(self) -> None:
        while True:
            try:
                version = self._list()
                self.synced.set()
                self._follow(version)
            except ApiError:
                time.sleep(_AGAIN)

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
        while True:
            for kind, each in self._api.watch(self._path, version):
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
