"""A local cluster for tests."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from local import state
from local.api import Api
from local.cluster import bring_down
from local.layout import ROOT, Layout

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["DEAD_PROXIES", "Cluster", "eventually", "running_cluster"]

# Nothing listens there, so whatever goes through a proxy fails.
DEAD_PROXIES = dict.fromkeys(
    ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), "http://127.0.0.1:9"
)


@dataclass(frozen=True)
class Cluster:
    """Its API as the administrator, and the processes behind it."""

    layout: Layout

    @property
    def api(self) -> Api:
        return Api(self.layout)

    @property
    def kubeconfig(self) -> Path:
        return self.layout.kubeconfig

    def now(self) -> state.State:
        found = state.read(self.layout)
        assert found is not None, "the cluster is not running"
        return found

    def up(self) -> str:
        """Start it by the command. Returns the output."""
        return self.command("up", "--cluster-only")

    def command(self, *arguments: str) -> str:
        environment = os.environ | {
            "KSERVE_TRITON_LOCAL": str(self.layout.base),
            "KSERVE_TRITON_NODE_OPTIONS": "--test-images",
            **DEAD_PROXIES,
        }
        done = subprocess.run(
            [sys.executable, "-m", "local", *arguments],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def pids(self) -> set[int]:
        """The processes of this cluster, and all with its folder on their command line."""
        mark = str(self.layout.base).encode()
        found = set()
        for entry in os.scandir("/proc"):
            if entry.name.isdigit() and int(entry.name) != os.getpid():
                with contextlib.suppress(OSError), open(f"{entry.path}/cmdline", "rb") as file:  # noqa: PTH123  # scandir's own entries
                    if mark in file.read():
                        found.add(int(entry.name))
        return found | {r.pid for r in self._records() if r.runs()}

    def _records(self) -> list[state.Record]:
        found = state.read(self.layout)
        return list(found.processes.values()) if found else []


@contextlib.contextmanager
def running_cluster(base: Path) -> Iterator[Cluster]:
    cluster = Cluster(Layout(base))
    try:
        cluster.up()
        yield cluster
    finally:
        bring_down(cluster.layout)


def eventually(ask: Callable[[], Any], patience: float = 30.0) -> Any:
    """Repeat until the answer is true, and return it. Fails after `patience` seconds."""
    deadline = time.monotonic() + patience
    while True:
        try:
            answer = ask()
        except Exception as error:  # Whatever is still on its way up.
            answer, last = None, repr(error)
        else:
            last = repr(answer)
        if answer:
            return answer
        assert time.monotonic() < deadline, f"not within {patience:.0f} s; at last: {last[-2000:]}"
        time.sleep(0.2)
