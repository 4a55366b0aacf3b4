"""Following the API's objects."""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING, Any, cast

from local.node.informer import Informer
from tests.local.cluster import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.api import Api


class _Server:
    """Lists what there is and sends changes, as the API server does."""

    def __init__(self, *names: str) -> None:
        self._names = list(names)
        self._events: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()

    def add(self, name: str) -> None:
        self._names.append(name)
        self._events.put(_object(name))

    def get(self, _path: str) -> dict[str, Any]:
        return {"metadata": {"resourceVersion": "1"}, "items": [_object(n) for n in self._names]}

    def watch(self, _path: str, _version: str) -> Iterator[tuple[str, dict[str, Any]]]:
        while True:
            yield "ADDED", self._events.get()


def _object(name: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "ns", "uid": name, "resourceVersion": "1"}}


def test_a_handler_that_fails_is_called_again_and_the_others_are_still_followed() -> None:
    server = _Server("listed")
    told: list[str] = []
    failing = {"listed", "watched"}
    watching = threading.Event()

    def changed(_kind: str, each: dict[str, Any]) -> None:
        name = each["metadata"]["name"]
        told.append(name)
        if name in failing:
            failing.remove(name)
            raise OSError("no space left on device")
        if name == "listed":
            watching.set()

    Informer(cast("Api", server), "/things", changed)
    assert watching.wait(20)
    server.add("watched")
    eventually(lambda: told.count("watched") == 2)
    server.add("last")
    eventually(lambda: "last" in told)
    assert told == ["listed", "listed", "watched", "watched", "last"]
