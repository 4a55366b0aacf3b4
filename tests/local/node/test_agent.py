"""The agent: its Node object, and pods after it was killed or hung."""

from __future__ import annotations

import os
import shutil
import signal
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from tests.local.cluster import eventually
from tests.local.node.conftest import python

if TYPE_CHECKING:
    from tests.local.node.conftest import Pods

_NODE = "/api/v1/nodes/local"


def _is_ready(pods: Pods) -> bool:
    conditions = pods.cluster.api.get(_NODE)["status"]["conditions"]
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def _find(mark: str) -> list[int]:
    """The processes with this on their command line."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if mark.encode() in path.read_bytes():
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


def test_the_node_has_the_capacity_of_the_machine(pods: Pods) -> None:
    status = pods.cluster.api.get(_NODE)["status"]
    assert status["capacity"]["cpu"] == str(len(os.sched_getaffinity(0)))
    has_gpu = bool(list(Path("/dev").glob("nvidia[0-9]*")))
    assert ("nvidia.com/gpu" in status["capacity"]) is has_gpu


def test_a_killed_agent_leaves_no_process_and_its_pods_are_restarted(pods: Pods) -> None:
    mark = f"mark-{uuid.uuid4().hex}"
    name = pods.run(python(f"import time; time.sleep(999) # {mark}"), restartPolicy="Always")
    once = pods.run(python(f"import time; time.sleep(999) # {mark}"))
    eventually(lambda: pods.is_ready(name) and pods.is_ready(once))
    assert len(_find(mark)) == 2
    before = pods.cluster.now().processes["node"].pid
    os.kill(before, signal.SIGKILL)
    eventually(lambda: pods.status(name)["restartCount"] == 1 and pods.is_ready(name), 30.0)
    pods.phase(once, "Failed")
    assert pods.status(once)["state"]["terminated"]["reason"] == "NodeAgentRestarted"
    assert len(_find(mark)) == 1
    for each in (name, once):
        pods.delete(each)
    eventually(lambda: pods.is_gone(name) and pods.is_gone(once))
    eventually(lambda: len(_find(mark)) == 0)


def test_a_pod_that_the_end_of_the_agent_interrupts_has_not_succeeded(pods: Pods) -> None:
    """As with `down --keep` and `up`. Its program exits with 0 after SIGTERM."""
    cut = "import signal, sys, time; signal.signal(15, lambda *_: sys.exit(0)); time.sleep(999)"
    name = pods.run(python("import time; time.sleep(999)"), restartPolicy="Always")
    once = pods.run(python(cut))
    eventually(lambda: pods.is_ready(name) and pods.is_ready(once))
    before = pods.cluster.now().processes["node"].pid
    os.kill(before, signal.SIGTERM)
    eventually(lambda: pods.cluster.now().processes["node"].pid not in (0, before))
    eventually(lambda: pods.status(name)["restartCount"] == 1 and pods.is_ready(name))
    pods.phase(once, "Failed")
    for each in (name, once):
        pods.delete(each)


def test_the_node_of_a_hung_agent_and_its_pods_are_not_ready_until_it_continues(
    pods: Pods,
) -> None:
    name = pods.run(python("import time; time.sleep(999)"), restartPolicy="Always")
    eventually(lambda: pods.is_ready(name))
    agent = pods.cluster.now().processes["node"].pid
    os.kill(agent, signal.SIGSTOP)
    try:
        eventually(lambda: not _is_ready(pods), patience=40.0)
        eventually(lambda: not pods.is_ready(name))
    finally:
        os.kill(agent, signal.SIGCONT)
    eventually(lambda: _is_ready(pods))
    eventually(lambda: pods.is_ready(name))
    pods.delete(name)


def test_a_pod_whose_handling_fails_starts_again(pods: Pods) -> None:
    """The agent reads the message of a container that ended from a folder that is gone.

    Services of other pods don't fail.
    """
    mark = f"mark-{uuid.uuid4().hex}"
    name = pods.run(python(f"import time; time.sleep(999) # {mark}"), restartPolicy="Always")
    eventually(lambda: pods.is_ready(name))
    uid = pods.get(name)["metadata"]["uid"]
    shutil.rmtree(pods.cluster.layout.node / "pods" / f"{pods.namespace}_{name}_{uid}")
    (process,) = eventually(lambda: _find(mark))
    other = pods.run(python("print('well')"))
    pods.phase(other, "Succeeded")
    os.kill(process, signal.SIGKILL)
    eventually(lambda: pods.status(name)["restartCount"] == 1 and pods.is_ready(name))
    last = pods.status(name)["lastState"]["terminated"]
    assert last["reason"] == "NodeAgentFailed" and "FileNotFoundError" in last["message"]
    assert len(_find(mark)) == 1
    pods.delete(name)
    eventually(lambda: pods.is_gone(name))
