"""Programs of pods on the local cluster, and their crashes."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

from measure.procfs import descendants
from tests.local.cluster import eventually

if TYPE_CHECKING:
    from local.api import Object
    from tests.local.cluster import Cluster

__all__ = ["find", "in_its_network", "kill", "node_process"]


def kill(cluster: Cluster, pod: Object, container: str, program: str) -> None:
    """End a program of a pod as a crash does, and wait until another one is ready."""
    about = pod["metadata"]
    path = f"/api/v1/namespaces/{about['namespace']}/pods/{about['name']}"

    def status() -> Object:
        found = cluster.api.get(path)["status"]["containerStatuses"]
        return next(each for each in found if each["name"] == container)

    before = status()["restartCount"]
    os.kill(find(cluster, about["name"], program), signal.SIGKILL)
    eventually(lambda: status()["restartCount"] > before and status()["ready"], 60)


def find(cluster: Cluster, pod: str, program: str) -> int:
    """The process of a program that the node agent has started in a pod."""

    def matches(process: int) -> bool:
        with contextlib.suppress(OSError):
            folder = Path(f"/proc/{process}")
            environment = (folder / "environ").read_bytes().split(b"\0")
            return (folder / "exe").resolve().name == program and (
                f"HOSTNAME={pod}".encode() in environment
            )
        return False

    (found,) = filter(matches, descendants(cluster.now().processes["node"].pid))
    return found


def node_process(cluster: Cluster) -> int:
    """A process in the node's network, which connects the pods."""
    agent, *started = descendants(cluster.now().processes["node"].pid)
    return next(each for each in started if _network(each) != _network(agent))


def in_its_network(process: int) -> list[str]:
    """The words before a command's, with which it runs in the network of a process."""
    user = [] if os.geteuid() == 0 else ["--user", "--preserve-credentials"]
    return ["nsenter", f"--target={process}", "--net", *user]


def _network(process: int) -> Path:
    return Path(f"/proc/{process}/ns/net").readlink()
