"""The cluster's side of a verification: what stops it, what it waits for, what it goes without."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import Any, Self

import pytest

from jobs.config import Verify
from jobs.progress import Progress
from jobs.verify import diagnosis
from jobs.verify.kubernetes import ApiError, ForbiddenError
from jobs.verify.watch import FailedError, Watch
from tests.jobs import objects
from tests.jobs.objects import NEW, OLD, pod, running, service, waiting

CRASH = waiting("CrashLoopBackOff", restarts=3, last={"exitCode": 1, "reason": "Error"})


class FakeCluster:
    """Says what a test put into it; an exception is raised."""

    def __init__(self, found: Any, pods: Any, log: str | None = None) -> None:
        self.found, self.running, self.text = found, pods, log
        self.asked: list[str] = []

    def _say(self, what: Any, name: str) -> Any:
        self.asked.append(name)
        if isinstance(what, Exception):
            raise what
        return what

    def inference_service(self, namespace: str, name: str) -> Any:
        return self._say(self.found, "service")

    def pods(self, namespace: str, name: str) -> Any:
        return self._say(self.running, "pods")

    def events(self, namespace: str) -> Any:
        return self._say([], "events")

    def log(self, *_: Any, previous: bool, lines: int) -> str | None:
        return self.text if previous else None


@pytest.fixture
def out() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def look(
    write: Any, verify_job: dict[str, Any], out: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> Any:
    """A Watch of a cluster, at the time that the objects were made for."""

    class Clock(datetime):
        @classmethod
        def now(cls, tz: Any = UTC) -> Self:
            return cls.fromtimestamp(objects.NOW.timestamp(), tz)

    monkeypatch.setattr("jobs.verify.watch.datetime", Clock)
    job = Verify.read(write(verify_job | {"predictor_url": "http://digits"}))
    return lambda cluster: Watch(cluster, job, Progress(out))


def test_rolled_out_version_has_nothing_to_wait_for(look: Any) -> None:
    seen = look(FakeCluster(service(), [pod(ready=True, containers=[running()])]))
    assert seen.look() is None
    assert seen.settled


def test_status_of_an_older_version_is_not_believed(look: Any) -> None:
    cluster = FakeCluster(service(OLD, model_status={"transitionStatus": "InvalidSpec"}), [])
    seen = look(cluster)
    assert seen.look() == f"the InferenceService still names {OLD}, not {NEW}"
    assert not seen.settled


def test_trouble_must_last_before_it_stops_anything(
    look: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr("jobs.verify.watch.time.monotonic", lambda: now[0])
    log = "E1124 failed to load 'digits'\nerror: creating server: Internal"
    cluster = FakeCluster(service(), [pod(containers=[CRASH])], log)
    seen = look(cluster)
    assert "CrashLoopBackOff" in seen.look()
    now[0] += diagnosis.SETTLE_SECONDS - 1
    seen.look()
    cluster.running = [pod(containers=[running(ready=False)])]
    seen.look()
    cluster.running = [pod(containers=[CRASH])]
    seen.look()
    now[0] += diagnosis.SETTLE_SECONDS
    with pytest.raises(FailedError) as raised:
        seen.look()
    assert "digits can't come up: pod digits-predictor-6c9d4f7b5-x2x7p" in str(raised.value)
    assert str(raised.value).endswith(f"Its log says:\n{log}")


def test_goes_on_without_what_it_may_not_read(look: Any, out: io.StringIO) -> None:
    refused = ForbiddenError("not allowed to read /pods (403)")
    cluster = FakeCluster(service(), refused)
    seen = look(cluster)
    assert seen.look() is None
    assert seen.look() is None
    assert out.getvalue().count("goes on without the pods") == 1
    assert cluster.asked.count("pods") == 1


def test_inference_service_that_may_not_be_read_is_not_waited_for(look: Any) -> None:
    assert look(FakeCluster(ForbiddenError("no"), [])).look() is None
    assert look(FakeCluster(None, [])).look() == "no InferenceService models/digits"


def test_api_that_is_away_is_waited_for(look: Any) -> None:
    assert look(FakeCluster(ApiError("the Kubernetes API is away"), [])).look() == (
        "the Kubernetes API is away"
    )


def test_without_a_cluster_there_is_nothing_to_see(look: Any) -> None:
    seen = look(None)
    assert seen.look() is None
    assert not seen.settled
    assert seen.hint() == ""
