"""Runs the probes of a pod when they are due."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from local.node import probes
from local.node.sandbox.client import SandboxError

if TYPE_CHECKING:
    from collections.abc import Callable

    from local.node.container import Container
    from local.node.host import Host
    from local.node.probes import Probe

__all__ = ["Probing"]

_NEVER = float("inf")


class Probing:
    """The probes of one pod. `send` gets messages ("probe", key, kind, success, reason)."""

    def __init__(self, host: Host, send: Callable[[tuple[Any, ...]], None]) -> None:
        self._host, self._send = host, send
        self._stopped = False

    def stop(self) -> None:
        self._stopped = True

    def next_moment(self, container: Container, address: str) -> float:
        """Begin the probes that are due. The time of the next one."""
        moment, now = _NEVER, time.monotonic()
        for probe in container.probes:
            if probe.busy or not self._applies(container, probe):
                continue
            if now >= probe.next_at:
                self._begin(container, probe, address)
            else:
                moment = min(moment, probe.next_at)
        return moment

    def _applies(self, container: Container, probe: Probe) -> bool:
        """Until the container has started only its startup probe applies, then the others."""
        return container.status.started is not (probe.kind == "startupProbe")

    def note(self, container: Container, kind: str, success: bool) -> bool | None:
        """Count a result. The verdict, if a threshold is reached, else None."""
        for probe in container.probes:
            if probe.kind == kind:
                waits = kind == "readinessProbe" and not container.status.ready
                pause = probe.unready_period if waits else probe.period
                probe.busy, probe.next_at = False, time.monotonic() + pause
                return probe.note(success)
        return None

    def _begin(self, container: Container, probe: Probe, address: str) -> None:
        if self._stopped:
            return
        probe.busy = True
        key, spec = container.key, container.spec

        def ask() -> None:
            argv = probes.command(probe.spec, spec, address)
            if argv is None:
                result = probes.attempt(
                    self._host.sandbox, probe.spec, spec, address, probe.timeout
                )
            else:
                # The start of the interpreter doesn't count.
                extra = 2.0 if "grpc" in probe.spec else 0.0
                result = self.run(container, argv, probe.timeout + extra)
            self._send(("probe", key, probe.kind, *result))

        self._host.probes.submit(ask)

    def run(self, container: Container, argv: list[str], seconds: float) -> tuple[bool, str]:
        """Run a program in a running container. Whether it succeeded in time, and its output."""
        if container.program is None:
            return False, "not running"
        done, found = threading.Event(), [-1]
        reading, writing = os.pipe2(os.O_CLOEXEC)
        key = f"{container.key}/guest/{time.monotonic_ns()}"

        def ended(result: tuple[int, str]) -> None:
            found[0] = result[0]
            done.set()

        try:
            program = replace(container.program, argv=argv, mounts=[], cpus=[], base="")
            self._host.sandbox.guest(key, container.key, program, [writing], ended)
        except SandboxError as error:
            os.close(reading)
            return False, str(error)
        finally:
            os.close(writing)
        in_time = done.wait(seconds)
        if not in_time:
            self._kill(key)
            done.wait(1)
        os.set_blocking(reading, False)
        try:
            output = os.read(reading, 2000).decode(errors="replace").strip()
        except BlockingIOError:
            output = ""
        os.close(reading)
        if not in_time:
            return False, f"timed out after {seconds:g} s"
        return found[0] == 0, output or f"exit code {found[0]}"

    def _kill(self, key: str) -> None:
        try:
            self._host.sandbox.signal(key, 9)
        except SandboxError:  # It has just ended.
            return
