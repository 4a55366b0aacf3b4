"""The rollout of an InferenceService during a verification: its progress and its failures."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

from jobs.verify.diagnosis import STALE_SECONDS, Snapshot, diagnose, last_warning
from jobs.verify.failure import Failure
from jobs.verify.kubernetes import ApiError, Cluster, ForbiddenError
from jobs.verify.revisions import misplaced_traffic, unfinished_revisions
from jobs.verify.rollout import (
    is_ready,
    is_young,
    serving_pods,
    split,
    storage_uri,
    unfinished_rollout,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from jobs.config import VerifyConfig
    from jobs.progress import Progress
    from jobs.verify.kubernetes import Object

__all__ = ["FailedError", "Watch"]

T = TypeVar("T")
# Pods whose events are read: replicas mostly wait for the same.
EXAMINED_PODS = 3
LOG_LINES = 200
LOG_CHARACTERS = 2500
# Triton logs in glog's format: the letter of the level, month and day.
GLOG_ERROR = re.compile(r"E\d{4} ")
GLOG_OTHER = re.compile(r"[IWV]\d{4} ")
ERROR = re.compile(
    r"\b(error|failed|failure|exception|traceback|denied|not found)\b", re.IGNORECASE
)
TABLE = re.compile(r"[|+]")
# Triton logs these as errors on every machine without a GPU.
HARMLESS = ("CudaDriverHelper", "Failed to initialize NVML", "DCGM", "pinned system memory")


class FailedError(Exception):
    """The endpoint can't become ready, or did not in time."""


class Watch:
    """Reads a rollout, as far as the service account may; without a cluster it knows nothing."""

    def __init__(self, cluster: Cluster | None, config: VerifyConfig, progress: Progress) -> None:
        self.cluster, self.config, self.progress = cluster, config, progress
        self.settled = False
        self._snapshot = Snapshot(None, None, [])
        self._failure: Failure | None = None
        self._since = 0.0
        self._forbidden: set[str] = set()

    def check(self) -> str | None:
        """Return what the rollout waits for; None when it is finished or can't be read.

        Raises FailedError when the version can't become ready.
        """
        if self.cluster is None:
            return None
        self.settled = False
        try:
            self._snapshot = self._read(self.cluster)
        except ApiError as error:
            return str(error)
        service, uri = self._snapshot.service, self.config.storage_uri
        if service is None:
            name = f"{self.config.namespace}/{self.config.service}"
            return None if "InferenceService" in self._forbidden else f"no InferenceService {name}"
        found = storage_uri(service, self.config.canary)
        if found != uri:
            return f"the InferenceService still names {found}, not {uri}"
        now = datetime.now(UTC)
        unfinished = self._unfinished(service, now)
        misplaced = None if unfinished else self._misplaced(service)
        failure = diagnose(self._snapshot, uri, now)
        if misplaced and (failure is None or failure.settle > STALE_SECONDS):
            failure = Failure("traffic", misplaced, STALE_SECONDS)
        self._fail_if_lasting(failure)
        self.settled = not (unfinished or misplaced)
        if unfinished and failure:
            return f"{unfinished}: {failure.reason}"
        return unfinished or misplaced

    def _unfinished(self, service: Object, now: datetime) -> str | None:
        if is_young(service, now):
            return "KServe may not have seen the new spec yet"
        config, seen = self.config, self._snapshot
        if config.mode == "Standard":
            if seen.pods is None:
                return None
            sets = seen.replica_sets or []
            return unfinished_rollout(service, seen.pods, config.storage_uri, config.canary, sets)
        if seen.revisions is None:
            return None
        canary = config.stable_uri is not None
        return unfinished_revisions(service, seen.revisions, config.storage_uri, canary=canary)

    def _misplaced(self, service: Object) -> str | None:
        """Of a canary under Knative: why its stable release doesn't get the other requests."""
        revisions, uri = self._snapshot.revisions, self.config.stable_uri
        return misplaced_traffic(service, revisions, uri) if revisions and uri else None

    def serving(self) -> list[Object]:
        """The pods of the version that are ready, as they were read last."""
        seen, config = self._snapshot, self.config
        if seen.service is None or seen.pods is None:
            return []
        return serving_pods(seen.service, seen.pods, config.storage_uri, config.canary)

    def reported(self) -> str:
        """The URLs that KServe reports, to append to a message."""
        status = (self._snapshot.service or {}).get("status", {})
        found = {each.get("url") for each in (status, *status.get("components", {}).values())}
        urls = ", ".join(sorted(url for url in found if url))
        return f"; KServe reports {urls}" if urls else ""

    def hint(self) -> str:
        """The newest warning, and the log of a failed container, to append to a message."""
        warning = last_warning(self._snapshot, self.config.storage_uri, self.config.service)
        return (f"\nlast warning: {warning}" if warning else "") + self._log()

    def _read(self, cluster: Cluster) -> Snapshot:
        namespace, name = self.config.namespace, self.config.service
        service = self._allowed(
            "InferenceService", lambda: cluster.inference_service(namespace, name)
        )
        pods = self._allowed("pods", lambda: cluster.pods(namespace, name))
        sets = self._allowed("ReplicaSets", lambda: cluster.replica_sets(namespace, name))
        revisions = None
        if self.config.mode == "Knative":
            revisions = self._allowed("revisions", lambda: cluster.revisions(namespace, name))
        events = self._allowed("events", lambda: self._events(cluster, pods or []))
        return Snapshot(service, pods, events or [], revisions, sets)

    def _events(self, cluster: Cluster, pods: list[Object]) -> list[Object]:
        """Events of the service, and of some of its pods that are not ready."""
        current, _ = split(pods, self.config.storage_uri)
        waiting = [pod["metadata"]["name"] for pod in current if not is_ready(pod)]
        names = [self.config.service, *waiting[:EXAMINED_PODS]]
        return [each for name in names for each in cluster.events(self.config.namespace, name)]

    def _allowed(self, what: str, read: Callable[[], T]) -> T | None:
        """Read a kind of object; None, logged once, if the service account may not."""
        if what in self._forbidden:
            return None
        try:
            return read()
        except ForbiddenError as error:
            self._forbidden.add(what)
            self.progress.log(f"continuing without the {what}: {error}")
            return None

    def _fail_if_lasting(self, failure: Failure | None) -> None:
        """Raise FailedError once the same failure has lasted for its `settle` seconds."""
        now = time.monotonic()
        if failure is None or self._failure is None or failure.key != self._failure.key:
            self._since = now
        self._failure = failure
        if failure and now - self._since >= failure.settle:
            raise FailedError(
                f"{self.config.service} can't become ready: {failure.reason}{self._log()}"
            )

    def _log(self) -> str:
        """The log of the failed container, as lines to append to a message."""
        log, namespace = self._failure.log if self._failure else None, self.config.namespace
        if log is None or self.cluster is None:
            return ""
        for previous in (log.previous, not log.previous):
            try:
                text = self.cluster.log(
                    namespace, log.pod, log.container, previous=previous, lines=LOG_LINES
                )
            except ApiError as error:
                return f"\n(its log: {error})"
            if text:
                return f"\nits log:\n{log_excerpt(text, LOG_CHARACTERS)}"
        return ""


def log_excerpt(log: str, characters: int) -> str:
    """The newest error lines of a log, else its last lines."""
    lines = [
        line
        for line in log.splitlines()
        if (GLOG_ERROR.match(line) or ERROR.search(line))
        and not TABLE.match(line)
        and not GLOG_OTHER.match(line)
        and not any(text in line for text in HARMLESS)
    ]
    return ("\n".join(lines) or log)[-characters:]
