"""The cluster's side of a verification: what stops it, what it waits for, what it goes without."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import Any, Self

import pytest

from jobs.config import VerifyConfig, read_config
from jobs.progress import Progress
from jobs.verify.diagnosis import STALE_SECONDS
from jobs.verify.failure import SETTLE_SECONDS
from jobs.verify.kubernetes import ApiError, ForbiddenError
from jobs.verify.watch import FailedError, Watch, log_excerpt
from tests.jobs import objects
from tests.jobs.objects import (
    NEW,
    OLD,
    pod,
    replica_set,
    revision,
    running,
    service,
    traffic,
    waiting,
)

CRASH = waiting("CrashLoopBackOff", restarts=3, last={"exitCode": 1, "reason": "Error"})


class FakeCluster:
    """Says what a test put into it; an exception is raised."""

    def __init__(self, found: Any, pods: Any, log: str | None = None) -> None:
        self.found, self.running, self.text = found, pods, log
        self.revised: Any = []
        self.sets: Any = []
        self.happened: dict[str, Any] = {}
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

    def events(self, namespace: str, name: str) -> Any:
        return self._say(self.happened.get(name, []), f"events of {name}")

    def replica_sets(self, namespace: str, name: str) -> Any:
        return self._say(self.sets, "sets")

    def revisions(self, namespace: str, name: str) -> Any:
        return self._say(self.revised, "revisions")

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

    def watch(cluster: Any, **changes: Any) -> Watch:
        made = {"predictor_url": "http://digits", "release_digest": "0" * 64}
        job = read_config(VerifyConfig, write(verify_job | made | changes))
        return Watch(cluster, job, Progress(out))

    return watch


def test_rolled_out_version_has_nothing_to_wait_for(look: Any) -> None:
    seen = look(FakeCluster(service(), [pod(ready=True, containers=[running()])]))
    assert seen.check() is None
    assert seen.settled


def test_the_status_of_an_older_version_is_ignored(look: Any) -> None:
    cluster = FakeCluster(service(OLD, model_status={"transitionStatus": "InvalidSpec"}), [])
    seen = look(cluster)
    assert seen.check() == f"the InferenceService still names {OLD}, not {NEW}"
    assert not seen.settled


def test_a_failure_must_last_before_it_is_raised(
    look: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr("jobs.verify.watch.time.monotonic", lambda: now[0])
    log = "E1124 failed to load 'digits'\nerror: creating server: Internal"
    cluster = FakeCluster(service(), [pod(containers=[CRASH])], log)
    seen = look(cluster)
    assert "CrashLoopBackOff" in seen.check()
    now[0] += SETTLE_SECONDS - 1
    seen.check()
    cluster.running = [pod(containers=[running(ready=False)])]
    seen.check()
    cluster.running = [pod(containers=[CRASH])]
    seen.check()
    now[0] += SETTLE_SECONDS
    with pytest.raises(FailedError) as raised:
        seen.check()
    assert "digits can't become ready: pod digits-predictor-6c9d4f7b5-x2x7p" in str(raised.value)
    assert str(raised.value).endswith(f"its log:\n{log}")


def test_what_heals_is_waited_for_until_the_deadline_with_its_cause(
    look: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr("jobs.verify.watch.time.monotonic", lambda: now[0])
    pulling = pod(containers=[waiting("ErrImagePull", "503 Service Unavailable")])
    seen = look(FakeCluster(service(), [pulling]))
    for _ in range(3):
        said = seen.check()
        assert said.startswith("0 of 1 predictor pods of this version are ready")
        assert said.endswith("can't be pulled: ErrImagePull: 503 Service Unavailable")
        now[0] += 3600


def test_a_refused_pod_ends_it_within_seconds(look: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("jobs.verify.watch.time.monotonic", lambda: now[0])
    cluster = FakeCluster(service(), [])
    cluster.sets = [replica_set('pods "x" is forbidden: exceeded quota: gpus')]
    seen = look(cluster)
    seen.check()
    now[0] += SETTLE_SECONDS
    with pytest.raises(FailedError, match="exceeded quota: gpus"):
        seen.check()


def test_events_are_asked_for_by_object(look: Any) -> None:
    """Those of the service, and of the pods that are not ready."""
    pods = [pod("ready", ready=True), pod("waiting"), pod("old", uri=OLD)]
    cluster = FakeCluster(service(replicas=2), pods)
    cluster.happened["waiting"] = [
        objects.event("waiting", "FailedScheduling", "0/1 nodes", first=30, last=3)
    ]
    seen = look(cluster)
    seen.check()
    asked = [each for each in cluster.asked if each.startswith("events")]
    assert asked == ["events of digits", "events of waiting"]
    assert seen.hint() == "\nlast warning: waiting: FailedScheduling: 0/1 nodes"


def test_it_continues_without_what_it_may_not_read(look: Any, out: io.StringIO) -> None:
    refused = ForbiddenError("not allowed to read /pods (403)")
    cluster = FakeCluster(service(), refused)
    seen = look(cluster)
    assert seen.check() is None
    assert seen.check() is None
    assert out.getvalue().count("continuing without the pods") == 1
    assert cluster.asked.count("pods") == 1


def test_inference_service_that_may_not_be_read_is_not_waited_for(look: Any) -> None:
    assert look(FakeCluster(ForbiddenError("no"), [])).check() is None
    assert look(FakeCluster(None, [])).check() == "no InferenceService models/digits"


def knative(*shares: tuple[int, int]) -> FakeCluster:
    """Two revisions, of OLD and NEW."""
    ready = [{"type": "PredictorReady", "status": "True"}]
    thing = service(conditions=ready, components={"predictor": traffic(*shares)})
    cluster = FakeCluster(thing, [])
    cluster.revised = [revision(1, uri=OLD), revision(2)]
    return cluster


def test_under_knative_the_revisions_are_examined(look: Any) -> None:
    seen = look(knative((1, 100)), mode="Knative")
    assert "reach digits-predictor-00001" in seen.check()
    assert not seen.settled
    seen = look(knative((2, 100)), mode="Knative")
    assert seen.check() is None
    assert seen.settled


def test_a_canary_beside_another_release_than_the_stable_one_fails(
    look: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    shares = (1, 90), (2, 10)
    assert look(knative(*shares), mode="Knative", stable_uri=OLD).check() is None
    now = [100.0]
    monkeypatch.setattr("jobs.verify.watch.time.monotonic", lambda: now[0])
    seen = look(knative(*shares), mode="Knative", stable_uri=f"{OLD}er")
    # KServe may find out later which revision the canary stands beside.
    assert "the requests that the canary leaves must reach" in seen.check()
    assert not seen.settled
    now[0] += STALE_SECONDS
    with pytest.raises(FailedError, match="Deploy the release without the canary first"):
        seen.check()


def test_revisions_that_may_not_be_read_are_not_waited_for(look: Any, out: io.StringIO) -> None:
    cluster = knative((1, 100))
    cluster.revised = ForbiddenError("not allowed to read /revisions (403)")
    assert look(cluster, mode="Knative").check() is None
    assert "continuing without the revisions" in out.getvalue()


def test_a_spec_that_kserve_may_not_have_seen_is_waited_for(look: Any) -> None:
    cluster = FakeCluster(service(changed=1), [pod(ready=True, containers=[running()])])
    assert look(cluster).check() == "KServe may not have seen the new spec yet"


def test_an_unreachable_api_is_waited_for(look: Any) -> None:
    assert look(FakeCluster(ApiError("the Kubernetes API is away"), [])).check() == (
        "the Kubernetes API is away"
    )


def test_without_a_cluster_nothing_is_checked(look: Any) -> None:
    seen = look(None)
    assert seen.check() is None
    assert not seen.settled
    assert seen.hint() == ""


_TRITON = """\
E1124 16:00:45.502623 2 server.cc:241] "CudaDriverHelper has not been initialized."
I1124 16:00:45.503575 2 model_lifecycle.cc:472] "loading: digits:1"
E1124 16:00:48.766219 2 model_lifecycle.cc:642] "failed to load 'digits' version 1: model.pt"
+--------+---------+--------+
| digits | 1       | UNAVAILABLE: error |
I1124 16:24:50.627766 2 server.cc:336] "All models are stopped, unloading models"
error: creating server: Internal - failed to load all models
"""


def test_an_excerpt_has_tritons_reason() -> None:
    assert log_excerpt(_TRITON, 1000).splitlines() == [
        """E1124 16:00:48.766219 2 model_lifecycle.cc:642] \
"failed to load 'digits' version 1: model.pt\"""",
        "error: creating server: Internal - failed to load all models",
    ]


def test_an_excerpt_without_errors_has_the_last_lines() -> None:
    assert log_excerpt("one\ntwo\nthree", 9) == "two\nthree"


def test_an_excerpt_is_never_longer_than_its_limit() -> None:
    assert len(log_excerpt(_TRITON, 50)) == 50


def test_the_urls_that_kserve_reports_are_appended(look: Any) -> None:
    components = {"predictor": {"url": "https://digits-predictor.example.com"}}
    found = service(components=components)
    found["status"]["url"] = "https://digits.example.com"
    seen = look(FakeCluster(found, []))
    assert seen.reported() == ""
    seen.check()
    assert seen.reported() == (
        "; KServe reports https://digits-predictor.example.com, https://digits.example.com"
    )
