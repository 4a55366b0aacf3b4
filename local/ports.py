"""Ports of 127.0.0.1: those of the cluster's processes, and free ones for short-lived servers."""

from __future__ import annotations

import json
import random
import socket
from typing import TYPE_CHECKING

from local.errors import LocalError
from local.layout import write_atomically

if TYPE_CHECKING:
    from local.layout import Layout

__all__ = ["CLUSTER_PORTS", "choose_ports", "free_port"]

CLUSTER_PORTS = (
    "etcd",
    "etcd-peer",
    "etcd-health",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kserve-webhook",
    "kserve-manager",
    "knative-webhook",
    "knative-webhook-profiling",
    "knative-controller",
    "fake-gcs-server",
    "storage",
)
# Both are below the range from which the kernel takes ports for outgoing connections: a load test
# uses thousands of those, and none of ours is taken while its server is down.
_CLUSTER_RANGE = range(20_000, 32_000)
_OTHER_RANGE = range(12_000, 20_000)
_given: set[int] = set()


def choose_ports(layout: Layout) -> dict[str, int]:
    """Keep the ports of the last start where they are still free; choose others for the rest."""
    try:
        kept = layout.ports()
    except LocalError:
        kept = {}
    chosen: dict[str, int] = {}
    candidates = random.sample(_CLUSTER_RANGE, 400)
    for name in CLUSTER_PORTS:
        before = [kept[name]] if name in kept else []
        free = (p for p in before + candidates if p not in chosen.values() and _is_free(p, True))
        port = next(free, None)
        if port is None:
            raise LocalError(f"no free port on 127.0.0.1 in the {_CLUSTER_RANGE}")
        chosen[name] = port
    write_atomically(layout.base / "ports.json", json.dumps(chosen, indent=2) + "\n")
    return chosen


def free_port() -> int:
    """A free TCP port, another one at each call."""
    while True:
        port = random.choice(_OTHER_RANGE)
        if port not in _given and _is_free(port):
            _given.add(port)
            return port


def _is_free(port: int, reuse: bool = False) -> bool:
    """Whether a server can listen; with `reuse`, one that sets SO_REUSEADDR."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, reuse)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
