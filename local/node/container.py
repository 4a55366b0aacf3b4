"""One container of a pod: started, watched, ended, started again."""

from __future__ import annotations

import math
import os
import signal
import time
from typing import TYPE_CHECKING

from local.layout import SERVICE_ADDRESS
from local.node import metadata, private
from local.node.images import find
from local.node.logs import tail
from local.node.pod_status import ContainerStatus, now, restarts
from local.node.probes import KINDS, Probe
from local.node.quantity import quantity
from local.node.sandbox.client import SandboxError
from local.node.sandbox.program import START_ERROR, Program
from local.node.sandbox.root import Mount
from local.node.variables import ConfigError, environment, expand

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from local.api import Object
    from local.node.host import Host
    from local.node.sandbox.client import Exit
    from local.node.volumes import Volumes

__all__ = ["BACK_OFF_LIMIT", "Container", "ImageError"]

BACK_OFF, BACK_OFF_LIMIT, _FORGIVEN = 10.0, 300.0, 600.0
# The kubelet's limits, for messages that a program writes and for those from its log.
_WRITTEN_LIMIT, _LOGGED_LIMIT = 4096, 2048
# Names are in the hosts file. The machine's name servers can't be reached from a pod.
_NO_RESOLVER = "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n"


class ImageError(Exception):
    """An image that is not in the node's table."""


class Container:
    """A container's status, and what it takes to run it."""

    def __init__(self, host: Host, pod: Object, spec: Object, folder: Path, policy: str) -> None:
        self._host, self._pod, self.spec, self._folder = host, pod, spec, folder
        self.name: str = spec["name"]
        self.status = ContainerStatus(self.name, spec["image"], policy)
        self.probes: list[Probe] = []
        self.start_at = 0.0
        self.key = ""
        self.program: Program | None = None
        self._back_off = 0.0
        self._cause = ""
        self._begun = 0.0
        self._cores: list[int] = []

    @property
    def sidecar(self) -> bool:
        """An init container that runs as long as the others do."""
        return "restartPolicy" in self.spec

    @property
    def is_due(self) -> bool:
        """Whether it must be started now."""
        return not self.key and not self.status.ended and time.monotonic() >= self.start_at

    @property
    def log(self) -> Path:
        return self._folder.parent / f"{self.name}.log"

    @property
    def memory(self) -> int | None:
        """The memory limit of its processes, in bytes."""
        limit = self.spec.get("resources", {}).get("limits", {}).get("memory")
        return int(quantity(limit)) if limit else None

    def resume(self, before: Object, reason: str, message: str) -> None:
        """Continue from its last status; the processes ended, for this reason."""
        self.status.restart_count = before.get("restartCount", 0)
        self.status.last = before.get("lastState", {})
        state = before.get("state", {})
        if "terminated" in state:
            self.status.state = state
        elif "running" in state:
            self._set_ended(137, reason, message, state["running"])
        ended = self.status.state.get("terminated")
        if ended and restarts(self.status.policy, ended["exitCode"]):
            self._schedule_restart(self.status.state, 0.0)

    def start(
        self, uid: str, volumes: Volumes, hosts: Path, ended: Callable[[str, Exit], None]
    ) -> None:
        """Start it. Raises ImageError, ConfigError, ApiError, SandboxError."""
        self._folder.mkdir(parents=True, exist_ok=True)
        program = self._program(volumes, hosts)
        self.key = f"{uid}/{self.name}/{self.status.restart_count}/{time.monotonic_ns()}"
        key = self.key
        try:
            if self.log.exists():
                self.log.replace(self._folder.parent / f"{self.name}.previous.log")
            output = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            try:
                self._host.sandbox.start(key, uid, program, output, lambda code: ended(key, code))
            finally:
                os.close(output)
        except (OSError, SandboxError):
            self._release()
            raise
        self.program = program
        self._cause, self._begun = "", time.monotonic()
        self.status.identity = key.replace("/", "-")
        self.status.state = {"running": {"startedAt": now()}}
        self.probes = [
            Probe(kind, spec, time.monotonic() + (spec.get("initialDelaySeconds") or 0))
            for kind in KINDS
            if (spec := self.spec.get(kind))
        ]
        self.status.started = not any(each.kind == "startupProbe" for each in self.probes)
        self.update_ready()

    def update_ready(self) -> None:
        """Set it ready if it has started and has no readiness probe."""
        if self.status.started and not any(each.kind == "readinessProbe" for each in self.probes):
            self.status.ready = True

    def _program(self, volumes: Volumes, hosts: Path) -> Program:
        image = find(self.status.image, self._host.images)
        if image is None:
            names = ", ".join(sorted(self._host.images))
            raise ImageError(
                f'image "{self.status.image}" can\'t be pulled: this node has no registry, only '
                f"programs in place of {names}"
            )
        base = {"HOSTNAME": self._pod["metadata"]["name"], "HOME": "/tmp", **image.env}
        base |= {"KUBERNETES_SERVICE_HOST": SERVICE_ADDRESS, "KUBERNETES_SERVICE_PORT": "443"}
        if image.storage:
            base |= _storage_variables(self._host.storage)
        namespace = self._pod["metadata"]["namespace"]
        values = environment(
            self.spec,
            self._pod,
            base,
            lambda kind, name: self._host.look_up(namespace, kind, name),
            self._host.capacity,
        )
        command, args = (
            [expand(argument, values) for argument in self.spec.get(kind) or []]
            for kind in ("command", "args")
        )
        argv = image.command(command, args)
        if not argv:
            raise ConfigError(f"image {self.status.image!r} has no entry point: give a command")
        mounts = [*volumes.mounts(self.spec, values), *self._own_mounts(hosts)]
        mounts += [Mount(str(path), str(path)) for path in image.writable if path.exists()]
        base_folder = self._folder / "root"
        base_folder.mkdir(exist_ok=True)
        self._cores = self._host.cores.take(self._core_count())
        workdir = self.spec.get("workingDir") or image.workdir
        # The node's folder is in the cluster's.
        ordered = private.add(mounts, self._host.root.parent)
        return Program(argv, values, workdir, str(base_folder), ordered, self._cores)

    def _own_mounts(self, hosts: Path) -> list[Mount]:
        message = self._folder / "termination-log"
        message.write_bytes(b"")
        resolver = self._folder / "resolv.conf"
        resolver.write_text(_NO_RESOLVER)
        path = self.spec.get("terminationMessagePath") or "/dev/termination-log"
        return [
            Mount(path, str(message)),
            Mount("/etc/hosts", str(hosts), True),
            Mount("/etc/resolv.conf", str(resolver), True),
            Mount("/dev/shm", ""),
        ]

    def _core_count(self) -> int:
        """Cores of its CPU limit; 0 if it has none.

        Nor for less than a core: its threads would wait for each other, and for the containers on
        the same core, while others are idle.
        """
        limit = quantity(self.spec.get("resources", {}).get("limits", {}).get("cpu") or 0)
        return math.ceil(limit) if limit >= 1 else 0

    def ended(self, code: int, message: str) -> None:
        """Record its end, and schedule its restart."""
        begun = self.status.state.get("running", {})
        self._release()
        reason = self._cause or ("Completed" if code == 0 else "Error")
        if message:
            reason, code = "StartError", code or START_ERROR
        self._set_ended(
            137 if self._cause else code, reason, message or self._termination_message(code), begun
        )
        if restarts(self.status.policy, code):
            lived = time.monotonic() - self._begun
            self._back_off = 0.0 if lived > _FORGIVEN else self._back_off
            self._schedule_restart(self.status.state, self._back_off)
            self._back_off = min(max(2 * self._back_off, BACK_OFF), BACK_OFF_LIMIT)

    def abandon(self) -> None:
        """End it at once, without a status."""
        self.signal(signal.SIGKILL)
        self._release()

    def _release(self) -> None:
        self._host.cores.release(self._cores)
        self._cores, self.key, self.probes = [], "", []

    def _set_ended(self, code: int, reason: str, message: str, begun: Object) -> None:
        self.status.ready = self.status.started = False
        self.status.state = {
            "terminated": {
                "exitCode": code,
                "reason": reason,
                "startedAt": begun.get("startedAt") or now(),
                "finishedAt": now(),
                "containerID": f"process://{self.status.identity}",
                **({"message": message} if message else {}),
            }
        }

    def _schedule_restart(self, state: Object, seconds: float) -> None:
        self.status.last = state
        self.status.restart_count += 1
        self.start_at = time.monotonic() + seconds
        if seconds:
            message = f"back-off {seconds:.0f}s restarting failed container={self.name}"
            self.wait("CrashLoopBackOff", message)

    def wait(self, reason: str, message: str = "", seconds: float | None = None) -> None:
        """Set the state to waiting, with a reason; `seconds` until the next attempt."""
        self.status.state = {
            "waiting": {"reason": reason, **({"message": message} if message else {})}
        }
        if seconds is not None:
            self.start_at = time.monotonic() + seconds

    def _termination_message(self, code: int) -> str:
        written = (self._folder / "termination-log").read_bytes()[-_WRITTEN_LIMIT:]
        falls_back = self.spec.get("terminationMessagePolicy") == "FallbackToLogsOnError"
        if not written and falls_back and code != 0:
            written = tail(self.log, 80)[-_LOGGED_LIMIT:]
        return written.decode(errors="replace")

    def kill(self, cause: str) -> None:
        """End it at once; `cause` is the reason in its status."""
        self._cause = cause
        self.signal(signal.SIGKILL)

    def signal(self, number: int) -> None:
        if self.key:
            try:
                self._host.sandbox.signal(self.key, number)
            except SandboxError:  # It has just ended.
                return


def _storage_variables(address: str) -> dict[str, str]:
    """Variables of Google's libraries: the storage here, with the token of the pod's account."""
    host = "{}:{}".format(*metadata.ADDRESS)
    return {
        "API_ENDPOINT_OVERRIDE": address,
        "GCE_METADATA_HOST": host,
        "GCE_METADATA_IP": host,
    }
