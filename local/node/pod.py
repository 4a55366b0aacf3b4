"""A pod on the node: its thread, and what others tell it."""

from __future__ import annotations

import queue
import threading
import time
import traceback
from typing import TYPE_CHECKING

from local.node.life import Life
from local.node.reporting import log

if TYPE_CHECKING:
    from collections.abc import Callable

    from local.api import Object
    from local.node.containers import Containers
    from local.node.host import Host
    from local.node.life import Message

__all__ = ["Pod"]

_BACK_OFF, _BACK_OFF_LIMIT, _FORGIVEN = 2.0, 300.0, 600.0


class Pod:
    """One thread does everything for it, when messages arrive or time passes."""

    def __init__(self, host: Host, pod: Object, ended: Callable[[str], None]) -> None:
        self._host, self._ended = host, ended
        about = pod["metadata"]
        self.uid: str = about["uid"]
        self.title = f"{about['namespace']}/{about['name']}"
        self._inbox: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._life = Life(host, pod, self._inbox)
        threading.Thread(target=self._run, name=self.title, daemon=True).start()

    @property
    def containers(self) -> Containers:
        return self._life.containers

    def update(self, pod: Object) -> None:
        """Take the newest version of the object."""
        self._inbox.put(("update", pod))

    def delete(self) -> None:
        """The object was deleted."""
        self._inbox.put(("deleted",))

    def note_change(self, namespace: str, kind: str, name: str) -> None:
        """A `configmap` or `secret` has changed; a volume may have its data."""
        life = self._life
        if namespace == life.object["metadata"]["namespace"] and life.volumes.note(kind, name):
            self._inbox.put(("changed",))

    def kill(self, key: str, cause: str) -> None:
        """End the container that runs under this key."""
        self._inbox.put(("kill", key, cause))

    def _run(self) -> None:
        """Until the pod has ended. If something fails, it starts again from the beginning."""
        pause = _BACK_OFF
        while True:
            begun = time.monotonic()
            try:
                self._life.run()
                break
            except Exception as error:
                if self._host.stopping.is_set():
                    break
                log(f"{self.title} starts again in {pause:.0f} s:\n{traceback.format_exc()}")
                self._life.abandon()
                self._life = self._life.successor(error, time.monotonic() + pause)
            lived = time.monotonic() - begun
            pause = min(2 * pause, _BACK_OFF_LIMIT) if lived < _FORGIVEN else _BACK_OFF
        self._ended(self.uid)
