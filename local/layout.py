"""The local cluster's files and addresses.

All files are in `.local/` of this clone, so that two clones don't share any. Tests set another
folder with KSERVE_TRITON_LOCAL.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from local.errors import LocalError
from release import files

__all__ = ["ROOT", "SERVICE_ADDRESS", "SERVICE_RANGE", "Layout", "write_atomically"]

ROOT = Path(__file__).resolve().parent.parent
SERVICE_RANGE = "10.96.0.0/16"
SERVICE_ADDRESS = "10.96.0.1"
"""Of the Service `kubernetes`: the first address of the range."""


class Layout:
    """Paths and ports of one local cluster."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.kubeconfig = base / "kubeconfig"
        self.endpoints = base / "endpoints.json"  # The addresses of the stack's models.
        self.state = base / "state.json"
        self.certificates = base / "certificates"
        self.owner_token = self.certificates / "storage-owner.token"
        self.etcd = base / "etcd"
        self.gcs = base / "gcs"
        self.iam = base / "iam"  # The policies of buckets.
        self.node = base / "node"
        self.pulumi = base / "pulumi"
        self.scratch = base / "tmp"  # The temporary folder of the cluster's processes.
        self.logs = base / "logs"

    @classmethod
    def current(cls) -> Layout:
        return cls(Path(os.environ.get("KSERVE_TRITON_LOCAL") or ROOT / ".local").absolute())

    def log(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    def ports(self) -> dict[str, int]:
        """The ports of the last `up`. Raises LocalError if there was none."""
        try:
            found: dict[str, int] = json.loads((self.base / "ports.json").read_text())
        except FileNotFoundError:
            raise LocalError("the local cluster was never started. Run: make up") from None
        return found

    def services(self) -> dict[str, dict[str, str]]:
        """HOST:PORT on this machine by NAMESPACE/SERVICE and port, as the node writes them."""
        found: dict[str, dict[str, str]] = json.loads((self.node / "services.json").read_text())
        return found

    def server(self) -> str:
        return f"https://127.0.0.1:{self.ports()['kube-apiserver']}"

    def storage(self) -> str:
        """The address of the storage, which asks everybody for a token."""
        return f"http://127.0.0.1:{self.ports()['storage']}"

    def owner(self) -> dict[str, str]:
        """The header with which the owner of the project uses the storage."""
        return {"Authorization": f"Bearer {self.owner_token.read_text()}"}


def write_atomically(path: Path, text: str | bytes, mode: int = 0o600) -> None:
    """Write a file, by default its owner's alone, so that it is read whole or not at all."""
    files.write(path, text.encode() if isinstance(text, str) else text, mode)
