"""kubectl on the pods of the session's cluster."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from local.building import build_missing
from local.catalogue import Tool
from local.toolchain import cached

if TYPE_CHECKING:
    from tests.local.node.conftest import Pods

__all__ = ["Kubectl", "find_kubectl"]

_KUBECTL = Tool("kubectl", "tests/local/node/client", "./", "k8s.io/kubectl")


@dataclass(frozen=True)
class Kubectl:
    """kubectl on a namespace; it talks to the API server by WebSockets or by SPDY."""

    program: Path
    pods: Pods
    websockets: bool = True

    def command(self, *arguments: str) -> list[str]:
        return [str(self.program), "-n", self.pods.namespace, *arguments]

    @property
    def environment(self) -> dict[str, str]:
        switch = str(self.websockets).lower()
        return os.environ | {
            "KUBECONFIG": str(self.pods.cluster.kubeconfig),
            "KUBECTL_REMOTE_COMMAND_WEBSOCKETS": switch,
            "KUBECTL_PORT_FORWARD_WEBSOCKETS": switch,
        }

    def run(self, *arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            self.command(*arguments),
            env=self.environment,
            input=stdin,
            capture_output=True,
            check=False,
            timeout=60,
        )

    def start(self, *arguments: str, **more: Any) -> subprocess.Popen[bytes]:
        return subprocess.Popen(self.command(*arguments), env=self.environment, **more)


def find_kubectl() -> Path:
    """The machine's own kubectl, or one of the API server's version."""
    if own := shutil.which("kubectl"):
        return Path(own)
    if not cached(_KUBECTL).exists():
        build_missing((_KUBECTL,))
    return cached(_KUBECTL)
