"""The supervisor restarts processes that end, and `down` stops all of them."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from local.processes import is_running, start_mark, stop
from tests.local.cluster import Cluster, eventually, running_cluster

if TYPE_CHECKING:
    from pathlib import Path

_PROCESSES = (
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kserve-manager",
    "knative-webhook",
    "knative-controller",
    "fake-gcs-server",
    "storage",
    "node",
)
_NOTES = "/api/v1/namespaces/default/configmaps"


def _write_note(cluster: Cluster, name: str) -> None:
    note = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}
    cluster.api.request("POST", _NOTES, note | {"data": {"kept": "yes"}})


@pytest.mark.parametrize("name", _PROCESSES)
def test_a_killed_process_is_restarted_within_30_seconds_without_loss(
    cluster: Cluster, name: str
) -> None:
    _write_note(cluster, f"before-{name}")
    killed = cluster.now().processes[name]
    os.kill(killed.pid, signal.SIGKILL)

    def healed() -> bool:
        now = cluster.now()
        return now.processes[name].pid not in (0, killed.pid) and now.is_healthy()

    assert eventually(healed, patience=30.0)
    assert cluster.api.get(f"{_NOTES}/before-{name}")["data"] == {"kept": "yes"}
    _write_note(cluster, f"after-{name}")


def test_a_killed_supervisor_leaves_no_process_and_up_starts_it_again(cluster: Cluster) -> None:
    _write_note(cluster, "before-supervisor")
    before = cluster.now()
    os.kill(before.pid, signal.SIGKILL)
    eventually(lambda: not any(r.runs() for r in before.processes.values()), patience=60.0)
    cluster.up()
    after = cluster.now()
    assert after.is_healthy()
    assert {n: r.port for n, r in after.processes.items()} == {
        n: r.port for n, r in before.processes.items()
    }
    assert cluster.api.get(f"{_NOTES}/before-supervisor")["data"] == {"kept": "yes"}


def test_up_again_changes_nothing(cluster: Cluster) -> None:
    before = {name: record.pid for name, record in cluster.now().processes.items()}
    begun = time.monotonic()
    cluster.up()
    assert time.monotonic() - begun < 5
    assert {name: record.pid for name, record in cluster.now().processes.items()} == before


def test_a_second_clone_has_its_own_cluster_and_down_leaves_nothing(
    cluster: Cluster, tmp_path: Path
) -> None:
    with running_cluster(tmp_path / "other") as other:
        ports = other.layout.ports()
        assert not set(ports.values()) & set(cluster.layout.ports().values())
        assert other.pids()
        other.command("down")
        assert not other.pids()
        assert not _listening() & set(ports.values())
        left = {path.name for path in other.layout.base.iterdir() if path.name != "logs"}
        assert left <= {"up.lock", "supervisor.lock"}
    assert cluster.now().is_healthy()


def test_listens_on_loopback_only(cluster: Cluster) -> None:
    ports = set(cluster.layout.ports().values())
    assert ports & _listening() and not ports & _listening(loopback=False)


def test_status_and_env_describe_the_cluster(cluster: Cluster) -> None:
    status = cluster.command("status")
    assert all(name in status for name in _PROCESSES)
    assert f"export KUBECONFIG={cluster.kubeconfig}" in cluster.command("env")


def test_logs_show_a_process(cluster: Cluster) -> None:
    assert "etcd: started" in cluster.command("logs", "supervisor")


def test_stop_does_not_signal_the_next_owner_of_a_pid() -> None:
    with subprocess.Popen(["sleep", "60"]) as bystander:
        mark = start_mark(bystander.pid)
        assert mark and is_running(bystander.pid, mark)
        boot, tick = mark.split(":")
        stop(bystander.pid, f"{boot}:{int(tick) - 1}")
        assert bystander.poll() is None
        stop(bystander.pid, mark)
        assert bystander.wait(5) == -signal.SIGTERM


def _listening(*, loopback: bool = True) -> set[int]:
    """TCP ports with a listener, on 127.0.0.1 or on all other addresses."""
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with open(table) as lines:  # noqa: PTH123  # Not a file one would name by a path.
            for line in list(lines)[1:]:
                _, local, _, status, *_ = line.split()
                address, port = local.split(":")
                if status == "0A" and (address == "0100007F") == loopback:
                    found.add(int(port, 16))
    return found
