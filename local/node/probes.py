"""Startup, liveness and readiness probes of a container."""

from __future__ import annotations

import http.client
import ssl
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from local.node.services import connect

if TYPE_CHECKING:
    import socket

    from local.api import Object
    from local.node.sandbox.client import Sandbox

__all__ = ["KINDS", "Probe", "attempt", "command", "port_number"]

KINDS = ("startupProbe", "livenessProbe", "readinessProbe")
_UNREADY_PERIOD = 0.5
_GRPC_PROBE = Path(__file__).with_name("grpc_probe.py")


@dataclass
class Probe:
    """One probe of one running container, and its results."""

    kind: str
    spec: Object
    next_at: float
    successes: int = 0
    failures: int = 0
    busy: bool = False

    @property
    def period(self) -> float:
        return float(self.spec.get("periodSeconds") or 10)

    @property
    def unready_period(self) -> float:
        """Seconds between probes of a container that isn't ready yet: fewer, if they are cheap."""
        cheap = "httpGet" in self.spec or "tcpSocket" in self.spec
        return min(_UNREADY_PERIOD, self.period) if cheap else self.period

    @property
    def timeout(self) -> float:
        return float(self.spec.get("timeoutSeconds") or 1)

    def note(self, success: bool) -> bool | None:
        """Count a result. The verdict, if a threshold is reached, else None."""
        if success:
            self.successes, self.failures = self.successes + 1, 0
            return True if self.successes >= (self.spec.get("successThreshold") or 1) else None
        self.successes, self.failures = 0, self.failures + 1
        return False if self.failures >= (self.spec.get("failureThreshold") or 3) else None


def port_number(port: int | str, container: Object) -> int:
    """The number of a port, which may be a port's name in the container. Raises ValueError."""
    for each in container.get("ports", []):
        if each.get("name") == port:
            return int(each["containerPort"])
    return int(port)


def command(spec: Object, container: Object, address: str) -> list[str] | None:
    """The command that a probe runs in the container; None if it connects from the node."""
    if "exec" in spec:
        return [*spec["exec"]["command"]]
    if "grpc" in spec:
        port = port_number(spec["grpc"]["port"], container)
        service = spec["grpc"].get("service") or ""
        return [sys.executable, str(_GRPC_PROBE), f"{address}:{port}", service]
    return None


def attempt(
    sandbox: Sandbox, spec: Object, container: Object, address: str, timeout: float
) -> tuple[bool, str]:
    """Probe once, over the network. Whether it succeeded, and the reason if not."""
    try:
        if "tcpSocket" in spec:
            port = port_number(spec["tcpSocket"]["port"], container)
            connect(sandbox, (address, port), timeout).close()
            return True, ""
        return _http(sandbox, spec["httpGet"], container, address, timeout)
    except (OSError, http.client.HTTPException, ValueError) as error:
        return False, str(error) or type(error).__name__


def _http(
    sandbox: Sandbox, spec: Object, container: Object, address: str, timeout: float
) -> tuple[bool, str]:
    port = port_number(spec["port"], container)
    carrier: socket.socket = connect(sandbox, (address, port), timeout)
    if spec.get("scheme") == "HTTPS":
        # Without verification, as the kubelet: the certificate has no name for a pod's address.
        carrier = ssl._create_unverified_context().wrap_socket(carrier)
    headers = {each["name"]: each["value"] for each in spec.get("httpHeaders") or []}
    headers.setdefault("User-Agent", "kube-probe/1.34")
    headers["Connection"] = "close"
    connection = http.client.HTTPConnection(address, port, timeout=timeout)
    connection.sock = carrier
    try:
        connection.request("GET", spec.get("path") or "/", headers=headers)
        answer = connection.getresponse()
        body = answer.read(200)
    finally:
        connection.close()
    success = 200 <= answer.status < 400
    reason = f"HTTP status {answer.status}: {body.decode(errors='replace')}"
    return success, "" if success else reason
