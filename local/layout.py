"""Where the local cluster keeps things, and the ports it answers at.

Everything lies in `.local/` of this clone, so that two clones never meet. Tests move it elsewhere
with KSERVE_TRITON_LOCAL.
"""

from __future__ import annotations

import json
import os
import random
import socket
from dataclasses import dataclass
from pathlib import Path

from local.errors import LocalError

__all__ = ["ROOT", "Layout", "choose_ports", "write_private"]

ROOT = Path(__file__).resolve().parent.parent

# Below the range from which the kernel takes ports for outgoing connections: nobody gets one of
# these by chance while the cluster is down.
_LOWEST, _HIGHEST = 20_000, 32_000

PORTS = (
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
)


@dataclass(frozen=True)
class Layout:
    """Paths of one local cluster."""

    base: Path

    @classmethod
    def current(cls) -> Layout:
        return cls(Path(os.environ.get("KSERVE_TRITON_LOCAL") or ROOT / ".local").absolute())

    @property
    def kubeconfig(self) -> Path:
        return self.base / "kubeconfig"

    @property
    def endpoints(self) -> Path:
        """The served models' addresses; the stack's own."""
        return self.base / "endpoints.json"

    @property
    def certificates(self) -> Path:
        return self.base / "certificates"

    @property
    def etcd(self) -> Path:
        return self.base / "etcd"

    @property
    def gcs(self) -> Path:
        return self.base / "gcs"

    @property
    def node(self) -> Path:
        return self.base / "node"

    @property
    def pulumi(self) -> Path:
        return self.base / "pulumi"

    @property
    def scratch(self) -> Path:
        """Temporary folder of the cluster's processes."""
        return self.base / "tmp"

    @property
    def logs(self) -> Path:
        return self.base / "logs"

    @property
    def state(self) -> Path:
        return self.base / "state.json"

    def log(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    def ports(self) -> dict[str, int]:
        """As chosen by the last `up`. Raises LocalError when there was none."""
        try:
            found: dict[str, int] = json.loads((self.base / "ports.json").read_text())
        except FileNotFoundError:
            raise LocalError("the local cluster was never started. Run: make up") from None
        return found

    def server(self) -> str:
        return f"https://127.0.0.1:{self.ports()['kube-apiserver']}"

    def storage(self) -> str:
        return f"http://127.0.0.1:{self.ports()['fake-gcs-server']}"


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def choose_ports(layout: Layout) -> dict[str, int]:
    """Keep the ports of the last start where they are still free; choose others for the rest."""
    try:
        kept = layout.ports()
    except LocalError:
        kept = {}
    chosen: dict[str, int] = {}
    candidates = random.sample(range(_LOWEST, _HIGHEST), 400)
    for name in PORTS:
        before = [kept[name]] if name in kept else []
        free = (p for p in before + candidates if p not in chosen.values() and _is_free(p))
        port = next(free, None)
        if port is None:
            raise LocalError(f"no free port between {_LOWEST} and {_HIGHEST} on 127.0.0.1")
        chosen[name] = port
    write_private(layout.base / "ports.json", json.dumps(chosen, indent=2) + "\n")
    return chosen


def write_private(path: Path, text: str | bytes) -> None:
    """Write a file whole or not at all, for its owner only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    data = text.encode() if isinstance(text, str) else text
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
    beside.replace(path)
