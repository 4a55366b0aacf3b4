"""A bare API server: etcd and kube-apiserver, no controllers, no nodes.

What controllers would write (a Job's conditions, a pod's states) a test writes itself.
"""

from __future__ import annotations

import contextlib
import subprocess
from typing import TYPE_CHECKING

from local.api import Api
from local.certificates import ensure_certificates, kubeconfig
from local.control_plane import control_plane
from local.ports import choose_ports
from tests.local.plugins.meanwhile import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from local.layout import Layout


class ApiServer(Api):
    """A running API server, as its administrator."""

    def has(self, path: str) -> bool:
        """Whether there is an object."""
        return self.find(path) is not None


@contextlib.contextmanager
def api_server(layout: Layout) -> Iterator[ApiServer]:
    """Start one with the local cluster's own flags; stop it in the end."""
    layout.logs.mkdir()
    ensure_certificates(layout)
    etcd, server, *_ = control_plane(layout, choose_ports(layout))
    kubeconfig(layout, "admin", layout.kubeconfig)
    # Nothing makes the default service accounts here, and nothing collects garbage.
    without = ("--disable-admission-plugins=ServiceAccount", "--enable-garbage-collector=false")
    with (
        _running((*etcd.command, "--unsafe-no-fsync"), layout.log("etcd")),
        _running((*server.command, *without), layout.log("kube-apiserver")),
    ):
        wait_until(server.healthy)
        made = ApiServer(layout)
        wait_until(lambda: made.has("/api/v1/namespaces/default"))
        yield made


@contextlib.contextmanager
def _running(command: Sequence[str], log: Path) -> Iterator[None]:
    with (
        log.open("w") as file,
        subprocess.Popen(command, stdout=file, stderr=file) as process,
    ):
        try:
            yield
        finally:
            process.terminate()
            process.wait(20)
