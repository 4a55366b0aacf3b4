"""Writes pods' statuses and events to the API server, in the background."""

from __future__ import annotations

import queue
import socket
import sys
import threading
import time
import uuid

from local.api import Api, ApiError, Object
from local.node.pod_status import now

__all__ = ["Events", "Statuses", "log"]

_AGAIN = 0.5


def log(text: str) -> None:
    """Write a line of the agent's log."""
    print(f"{now()} {text}", file=sys.stderr, flush=True)


class Statuses:
    """Writes the newest status of each pod; older ones that wait are dropped."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._waiting: dict[str, tuple[Object, Object]] = {}
        self._changed = threading.Condition()
        self._busy = ""
        threading.Thread(target=self._run, name="statuses", daemon=True).start()

    def put(self, about: Object, status: Object) -> None:
        """`about` is the pod's metadata."""
        with self._changed:
            self._waiting[about["uid"]] = (about, status)
            self._changed.notify_all()

    def flush(self, uid: str, seconds: float = 10.0) -> None:
        """Wait until a pod's status is written."""
        with self._changed:
            self._changed.wait_for(
                lambda: uid not in self._waiting and self._busy != uid, timeout=seconds
            )

    def _run(self) -> None:
        while True:
            with self._changed:
                self._busy = ""
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._waiting)
                self._busy = uid = next(iter(self._waiting))
                about, status = self._waiting.pop(uid)
            try:
                self._write(about, status)
            except ApiError as error:
                if error.status in (404, 409):  # The pod was deleted, or another one has its name.
                    continue
                log(f"status of {about['namespace']}/{about['name']}: {error}")
                with self._changed:
                    self._waiting.setdefault(uid, (about, status))
                time.sleep(_AGAIN)

    def _write(self, about: Object, status: Object) -> None:
        path = f"/api/v1/namespaces/{about['namespace']}/pods/{about['name']}/status"
        body = {"metadata": {"uid": about["uid"]}, "status": status}
        self._api.merge(path, body)


class Events:
    """Events of pods, each of them written once."""

    def __init__(self, api: Api, node: str) -> None:
        self._api, self._node = api, node
        self._queue: queue.SimpleQueue[Object] = queue.SimpleQueue()
        self._seen: dict[tuple[str, str, str, str], None] = {}
        threading.Thread(target=self._run, name="events", daemon=True).start()

    def add(
        self, pod: Object, reason: str, message: str, *, bad: bool = False, on: str = ""
    ) -> None:
        """`on` names the container."""
        about = pod["metadata"]
        key = (about["uid"], on, reason, message)
        if key in self._seen:
            return
        self._seen[key] = None
        while len(self._seen) > 2000:
            self._seen.pop(next(iter(self._seen)))
        place = {"fieldPath": f"spec.containers{{{on}}}"} if on else {}
        names = {key: about[key] for key in ("namespace", "name", "uid")}
        at = now()
        self._queue.put(
            {
                "apiVersion": "v1",
                "kind": "Event",
                "metadata": {
                    "name": f"{about['name']}.{uuid.uuid4().hex[:16]}",
                    "namespace": about["namespace"],
                },
                "involvedObject": {"apiVersion": "v1", "kind": "Pod", **names, **place},
                "reason": reason,
                "message": message[:1000],
                "type": "Warning" if bad else "Normal",
                "count": 1,
                "firstTimestamp": at,
                "lastTimestamp": at,
                "source": {"component": "node-agent", "host": self._node},
                "reportingComponent": "node-agent",
                "reportingInstance": socket.gethostname(),
            }
        )

    def _run(self) -> None:
        while True:
            event = self._queue.get()
            path = f"/api/v1/namespaces/{event['metadata']['namespace']}/events"
            try:
                self._api.request("POST", path, event)
            except ApiError as error:
                if error.status not in (403, 404):  # Its namespace is being deleted.
                    log(f"event {event['reason']}: {error}")
