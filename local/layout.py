"""The local cluster's files and addresses.

All files are in `.local/` of this clone, so that two clones don't share any. Tests set another
folder with KSERVE_TRITON_LOCAL.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from local.errors import LocalError

__all__ = ["ROOT", "SERVICE_ADDRESS", "SERVICE_RANGE", "Layout", "write_private"]

ROOT = Path(__file__).resolve().parent.parent
SERVICE_RANGE = "10.96.0.0/16"
SERVICE_ADDRESS = "10.96.0.1"
"""Of the Service `kubernetes`: the first address of the range."""


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
        """The addresses of the stack's models."""
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
        """The temporary folder of the cluster's processes."""
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
        """The ports of the last `up`. Raises LocalError if there was none."""
        try:
            found: dict[str, int] = json.loads((self.base / "ports.json").read_text())
        except FileNotFoundError:
            raise LocalError("the local cluster was never started. Run: make up") from None
        return found

    def server(self) -> str:
        return f"https://127.0.0.1:{self.ports()['kube-apiserver']}"

    def storage(self) -> str:
        return f"http://127.0.0.1:{self.ports()['fake-gcs-server']}"


def write_private(path: Path, text: str | bytes) -> None:
    """Write a file atomically, readable by its owner only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    data = text.encode() if isinstance(text, str) else text
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
    beside.replace(path)
