"""A list of the API's objects that is kept current."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from local.api import ApiError
from local.node.reporting import log

if TYPE_CHECKING:
    from collections.abc import Callable

    from local.api import Api, Object

__all__ = ["Informer"]

_AGAIN = 0.5


class Informer:
    """Calls its handler with ADDED, MODIFIED or DELETED and the object, for each change.

    A handler that fails is called again, with the object as it is then.
    """

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
            except Exception as error:  # Else nothing would be followed any more.
                log(f"{self._path}: {type(error).__name__}: {error}")
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
                self._tell("MODIFIED" if before else "ADDED", each)
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
                self._tell(kind, each)

    def _tell(self, kind: str, each: Object) -> None:
        try:
            self._changed(kind, each)
        except Exception:
            self.objects.pop(_key(each), None)  # So the next list tells of it.
            raise


def _key(each: Object) -> tuple[str, str]:
    return each["metadata"].get("namespace", ""), each["metadata"]["name"]
