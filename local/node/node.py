"""The Node object: this machine's capacity, and the heartbeat of its agent."""

from __future__ import annotations

import datetime
import os
import platform
import shutil
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from local.api import ApiError, condition_status
from local.node.addresses import POD_RANGE
from local.node.pod_status import condition, now
from local.node.reporting import log
from local.toolchain import version

if TYPE_CHECKING:
    from local.api import Api, Object

__all__ = ["NodeObject", "capacity"]

_LEASE_SECONDS, _RENEW = 20, 4.0
_STATUS_EVERY = 8
"""Renewals of the lease for each of the status."""
_PODS = 110
_MANAGER = "node-agent"


def capacity(root: Path) -> Object:
    """The machine's capacity."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    gpus = len(list(Path("/dev").glob("nvidia[0-9]*")))
    return {
        "cpu": str(len(os.sched_getaffinity(0))),
        "memory": f"{memory // 1024}Ki",
        "ephemeral-storage": f"{shutil.disk_usage(root).total // 1024}Ki",
        "pods": str(_PODS),
        **({"nvidia.com/gpu": str(gpus)} if gpus else {}),
    }


class NodeObject:
    """Keeps the Node and its Lease current. The lease of a dead agent expires."""

    def __init__(self, api: Api, name: str, has: Object, port: int) -> None:
        self._api, self._name, self._capacity, self._port = api, name, has, port
        self._path = f"/api/v1/nodes/{name}"
        self._stopped = threading.Event()

    def register(self) -> None:
        """Create the Node. Raises ApiError."""
        labels = {
            "kubernetes.io/hostname": self._name,
            "kubernetes.io/os": "linux",
            "kubernetes.io/arch": {"x86_64": "amd64", "aarch64": "arm64"}.get(
                platform.machine(), platform.machine()
            ),
        }
        node = {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": self._name, "labels": labels},
            "spec": {"podCIDR": POD_RANGE, "podCIDRs": [POD_RANGE]},
        }
        self._api.apply(node, _MANAGER)
        self._renew_lease()
        self._write_status()
        threading.Thread(target=self._run, name="node", daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()

    def _run(self) -> None:
        turn = 0
        while not self._stopped.wait(_RENEW):
            turn += 1
            try:
                self._renew_lease()
                node = self._api.get(self._path)
                if turn % _STATUS_EVERY == 0 or condition_status(node, "Ready") != "True":
                    self._write_status()
            except ApiError as error:
                log(f"node: {error}")

    def _renew_lease(self) -> None:
        lease = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": self._name, "namespace": "kube-node-lease"},
            "spec": {
                "holderIdentity": self._name,
                "leaseDurationSeconds": _LEASE_SECONDS,
                "renewTime": datetime.datetime.now(datetime.UTC).isoformat().replace("+00:00", "Z"),
            },
        }
        self._api.apply(lease, _MANAGER)

    def _write_status(self) -> None:
        conditions = self._api.get(self._path)["status"].get("conditions", [])
        before = {each["type"]: each for each in conditions}
        status = {
            "capacity": self._capacity,
            "allocatable": self._capacity,
            "conditions": [
                condition(kind, holds, before, reason=reason, message=message)
                | {"lastHeartbeatTime": now()}
                for kind, holds, reason, message in _CONDITIONS
            ],
            "addresses": [
                {"type": "InternalIP", "address": "127.0.0.1"},
                {"type": "Hostname", "address": self._name},
            ],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": self._port}},
            "nodeInfo": _info(),
        }
        self._api.patch(f"{self._path}/status", {"status": status})


_CONDITIONS = (
    ("Ready", "True", "AgentReady", "the node agent runs pods"),
    ("MemoryPressure", "False", "AgentHasSufficientMemory", ""),
    ("DiskPressure", "False", "AgentHasNoDiskPressure", ""),
    ("PIDPressure", "False", "AgentHasSufficientPID", ""),
)


def _info() -> Object:
    release = platform.freedesktop_os_release() if Path("/etc/os-release").exists() else {}
    machine = Path("/etc/machine-id")
    return {
        "machineID": machine.read_text().strip() if machine.exists() else "",
        "systemUUID": "",
        "bootID": Path("/proc/sys/kernel/random/boot_id").read_text().strip(),
        "kernelVersion": platform.release(),
        "osImage": release.get("PRETTY_NAME", "Linux"),
        "containerRuntimeVersion": "process://0.1.0",
        "kubeletVersion": version("k8s.io/kubernetes", "local/tools/kubernetes"),
        "kubeProxyVersion": "",
        "operatingSystem": "linux",
        "architecture": platform.machine().replace("x86_64", "amd64").replace("aarch64", "arm64"),
    }
