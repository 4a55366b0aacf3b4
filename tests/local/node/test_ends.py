"""How pods end: hooks, signals and their order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.local.cluster import eventually
from tests.local.node.conftest import python

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.local.node.conftest import Pods

# Prints what the pods under test do, since their own logs are deleted with them.
_RECORDER = """
import http.server
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        print(self.path[1:] + '\\n', end='', flush=True)
        self.send_response(200)
        self.end_headers()
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(('', 8000), Handler).serve_forever()
"""
_RECORD = """
import os, signal, sys, threading, time, urllib.request
def record(what):
    urllib.request.urlopen(f'http://{os.environ["RECORDER"]}:8000/{what}', timeout=5).read()
"""
# Records SIGTERM, and its end some time later.
_PROGRAM = (
    _RECORD
    + """
name, seconds = sys.argv[1], float(sys.argv[2])
def end(*_):
    record(f'{name}-term')
    time.sleep(seconds)
    record(f'{name}-end')
    os._exit(0)
signal.signal(15, end)
record(f'{name}-up')
open('/tmp/up', 'w').close()
time.sleep(999)
"""
)
# As Knative's queue-proxy: a request for /wait is answered when it has got SIGTERM.
_PROXY = (
    _RECORD
    + """
import http.server
ending = threading.Event()
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        record(f"hook-{self.headers['User-Agent'].split('/')[0]}")
        ending.wait()
        time.sleep(0.5)
        self.send_response(200)
        self.end_headers()
    def log_message(self, *_): pass
signal.pthread_sigmask(signal.SIG_BLOCK, {15})
server = http.server.ThreadingHTTPServer(('', 8022), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
record('proxy-up')
# A handler may miss a signal that arrives as the thread begins to wait.
signal.sigwait({15})
ending.set()
record('proxy-term')
time.sleep(1)
"""
)
_HOOK = _RECORD + "record('hook'); time.sleep(float(sys.argv[1]))"


class _Recorder:
    def __init__(self, pods: Pods) -> None:
        self._pods, self.name = pods, pods.run(python(_RECORDER))
        self.address = eventually(lambda: pods.get(self.name)["status"].get("podIP"))
        self._env = [{"name": "RECORDER", "value": self.address}]

    def container(self, name: str, seconds: float = 0, **more: Any) -> dict[str, Any]:
        """A container that takes so long to end."""
        return {**self.python(_PROGRAM, **more), "args": ["-uc", _PROGRAM, name, str(seconds)]}

    def python(self, code: str, **more: Any) -> dict[str, Any]:
        return python(code, env=self._env, **more)

    @property
    def lines(self) -> list[str]:
        return self._pods.log(self.name).split()

    def wait(self, *wanted: str) -> None:
        eventually(lambda: set(wanted) <= set(self.lines))


@pytest.fixture
def recorder(pods: Pods) -> Iterator[_Recorder]:
    made = _Recorder(pods)
    yield made
    pods.delete(made.name)


def _hook(seconds: float) -> dict[str, Any]:
    command = ["python", "-c", _HOOK, str(seconds)]
    return {"lifecycle": {"preStop": {"exec": {"command": command}}}}


def _end(
    pods: Pods, name: str, patience: float, delete: Callable[[str], None] | None = None
) -> None:
    (delete or pods.delete)(name)
    eventually(lambda: pods.is_gone(name), patience)


def test_a_hook_over_http_ends_when_another_container_has_got_sigterm(
    pods: Pods, recorder: _Recorder
) -> None:
    """As with Knative, whose hook is answered by the queue-proxy of the same pod."""
    hook = {"preStop": {"httpGet": {"path": "/wait", "port": 8022}}}
    user = recorder.container("user", lifecycle=hook)
    name = pods.run(user, recorder.python(_PROXY), terminationGracePeriodSeconds=60)
    recorder.wait("user-up", "proxy-up")
    _end(pods, name, 20)
    ended = [each for each in recorder.lines if not each.endswith("-up")]
    assert set(ended[:2]) == {"hook-kube-lifecycle", "proxy-term"}
    assert ended[2:] == ["user-term", "user-end"]


def test_a_container_gets_sigterm_after_its_own_hook(pods: Pods, recorder: _Recorder) -> None:
    containers = recorder.container("slow", **_hook(2)), recorder.container("fast")
    name = pods.run(*containers, terminationGracePeriodSeconds=60)
    recorder.wait("slow-up", "fast-up")
    _end(pods, name, 20)
    ended = [each for each in recorder.lines if each in ("hook", "slow-term", "fast-end")]
    assert ended[-1] == "slow-term" and set(ended[:2]) == {"hook", "fast-end"}


def test_a_hook_beyond_the_grace_period_leaves_two_seconds_after_sigterm(
    pods: Pods, recorder: _Recorder
) -> None:
    name = pods.run(recorder.container("c", 1, **_hook(60)), terminationGracePeriodSeconds=1)
    recorder.wait("c-up")
    _end(pods, name, 20)
    assert recorder.lines == ["c-up", "hook", "c-term", "c-end"]


def test_a_hook_that_fails_is_an_event_and_ends_the_container(
    pods: Pods, recorder: _Recorder
) -> None:
    hook = {"preStop": {"httpGet": {"path": "/", "port": 1}}}
    name = pods.run(recorder.container("c", lifecycle=hook), terminationGracePeriodSeconds=60)
    recorder.wait("c-up")
    _end(pods, name, 20)
    assert recorder.lines[-1] == "c-end"
    path = f"/api/v1/namespaces/{pods.namespace}/events"
    events = eventually(
        lambda: [
            each["message"]
            for each in pods.cluster.api.get(path)["items"]
            if each["involvedObject"]["name"] == name and each["reason"] == "FailedPreStopHook"
        ]
    )
    assert "Connection refused" in events[0]


def test_the_hook_runs_before_a_restart_too(pods: Pods, recorder: _Recorder) -> None:
    up = {"command": ["test", "!", "-e", "/tmp/up"]}
    probe = {"exec": up, "periodSeconds": 1, "failureThreshold": 1, "timeoutSeconds": 30}
    container = recorder.container("c", livenessProbe=probe, **_hook(2))
    name = pods.run(container, restartPolicy="Always", terminationGracePeriodSeconds=60)
    eventually(lambda: pods.status(name)["restartCount"] == 1)
    assert recorder.lines[:4] == ["c-up", "hook", "c-term", "c-end"]
    _end(pods, name, 20)


@pytest.mark.parametrize("deleted", [True, False], ids=["deleted", "completed"])
def test_sidecars_end_after_the_others_in_reverse_order(
    pods: Pods, recorder: _Recorder, deleted: bool
) -> None:
    up = {"exec": {"command": ["test", "-e", "/tmp/up"]}, "periodSeconds": 1}
    more = {"restartPolicy": "Always", "startupProbe": up}
    sidecars = [
        {**recorder.container(each, 0.5, **more), "name": each} for each in ("first", "second")
    ]
    once = recorder.python(_RECORD + "record('main-up'); record('main-end')")
    main = recorder.container("main", 0.5) if deleted else once
    name = pods.run(main, initContainers=sidecars, terminationGracePeriodSeconds=60)
    recorder.wait("main-up", "first-up", "second-up")
    if deleted:
        pods.delete(name)
    recorder.wait("first-end")
    ended = [each for each in recorder.lines if not each.endswith(("-up", "main-term"))]
    assert ended == ["main-end", "second-term", "second-end", "first-term", "first-end"]
    if not deleted:
        assert pods.phase(name, "Succeeded")
        pods.delete(name)
    eventually(lambda: pods.is_gone(name))


def test_a_second_deletion_shortens_the_grace_period(pods: Pods, recorder: _Recorder) -> None:
    name = pods.run(recorder.container("c", 60), terminationGracePeriodSeconds=60)
    recorder.wait("c-up")
    pods.delete(name)
    recorder.wait("c-term")
    path = f"/api/v1/namespaces/{pods.namespace}/pods/{name}"
    options = {"kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": 1}
    _end(pods, name, 20, lambda _: pods.cluster.api.request("DELETE", path, options) and None)
