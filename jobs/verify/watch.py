"""The InferenceService during a verification: whether it is the wanted version, and can come up."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

from jobs.verify.diagnosis import Snapshot, Trouble, diagnose, last_warning
from jobs.verify.kubernetes import ApiError, Cluster, ForbiddenError
from jobs.verify.rollout import storage_uri, unsettled
from jobs.verify.telling import telling

if TYPE_CHECKING:
    from collections.abc import Callable

    from jobs.config import Verify
    from jobs.progress import Progress

__all__ = ["FailedError", "Watch"]

T = TypeVar("T")
LOG_LINES = 200
LOG_CHARACTERS = 2500


class FailedError(Exception):
    """The endpoint won't come up, or did not in time; the message is the Job's last words."""


class Watch:
    """Looks at the cluster with what rights it has; without one it has nothing to say."""

    def __init__(self, cluster: Cluster | None, job: Verify, progress: Progress) -> None:
        self.cluster, self.job, self.progress = cluster, job, progress
        self.settled = False
        self._seen = Snapshot(None, None, [])
        self._trouble: Trouble | None = None
        self._since = 0.0
        self._refused: set[str] = set()

    def look(self) -> str | None:
        """What the rollout waits for, None when it is done or can't be seen.

        Raises FailedError when the version can't come up.
        """
        if self.cluster is None:
            return None
        self.settled = False
        try:
            self._seen = self._snapshot(self.cluster)
        except ApiError as error:
            return str(error)
        service = self._seen.service
        if service is None:
            name = f"{self.job.namespace}/{self.job.service}"
            return None if "InferenceService" in self._refused else f"no InferenceService {name}"
        found = storage_uri(service, self.job.canary)
        if found != self.job.storage_uri:
            return f"the InferenceService still names {found}, not {self.job.storage_uri}"
        now = datetime.now(UTC)
        self._judge(diagnose(self._seen, self.job.storage_uri, now))
        text = unsettled(
            service, self._seen.pods, self.job.storage_uri, self.job.mode, now, self.job.canary
        )
        self.settled = text is None
        return text

    def hint(self) -> str:
        """What else may help: the newest warning."""
        warning = last_warning(self._seen, self.job.storage_uri, self.job.service)
        return f"\nlast warning: {warning}" if warning else ""

    def _snapshot(self, cluster: Cluster) -> Snapshot:
        space, name = self.job.namespace, self.job.service
        service = self._allowed("InferenceService", lambda: cluster.inference_service(space, name))
        pods = self._allowed("pods", lambda: cluster.pods(space, name))
        events = self._allowed("events", lambda: cluster.events(space))
        return Snapshot(service, pods, events or [])

    def _allowed(self, what: str, read: Callable[[], T]) -> T | None:
        """None for what this service account may not read; said once, not asked again."""
        if what in self._refused:
            return None
        try:
            return read()
        except ForbiddenError as error:
            self._refused.add(what)
            self.progress.note(f"goes on without the {what}: {error}")
            return None

    def _judge(self, trouble: Trouble | None) -> None:
        """Raises FailedError once the same trouble has been there for long enough."""
        now = time.monotonic()
        if trouble is None or self._trouble is None or trouble.key != self._trouble.key:
            self._since = now
        self._trouble = trouble
        if trouble and now - self._since >= trouble.settle:
            raise FailedError(f"{self.job.service} can't come up: {trouble.reason}{self._tail()}")

    def _tail(self) -> str:
        log = self._trouble.log if self._trouble else None
        if log is None or self.cluster is None:
            return ""
        for previous in (log.previous, not log.previous):
            try:
                text = self.cluster.log(
                    self.job.namespace, log.pod, log.container, previous=previous, lines=LOG_LINES
                )
            except ApiError as error:
                return f"\n(its log: {error})"
            if text:
                return f"\nIts log says:\n{telling(text, LOG_CHARACTERS)}"
        return ""
