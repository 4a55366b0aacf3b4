"""Does what the agent requests inside the node's namespaces, and reports containers that ended.

One datagram is one request, with its descriptors. Everything happens in one thread: moving between
namespaces and forking need that.
"""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import socket
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyroute2.netlink.exceptions import NetlinkError

from local.node.sandbox import linux
from local.node.sandbox.messages import LARGEST, Service
from local.node.sandbox.program import Program, become_first, become_guest

if TYPE_CHECKING:
    from collections.abc import Callable

    from local.node.sandbox.network import Network

__all__ = ["Server", "fail"]

_DESCRIPTORS = 8


@dataclass
class _Running:
    key: str
    namespace: str
    report: int


class Server:
    """The node's first process, with its bridge, pods and containers."""

    def __init__(self, control: socket.socket, network: Network) -> None:
        self._control = control
        self._network = network
        self._running: dict[int, _Running] = {}
        self._memory: dict[str, list[str]] = {}
        self._own_pids = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
        self._wake, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        self._actions: dict[str, Callable[..., Any]] = {
            "add": self._add,
            "remove": self._remove,
            "start": self._start,
            "guest": self._guest,
            "signal": self._signal,
            "usage": self._usage,
            "socket": self._socket,
            "listen": self._listen,
            "services": self._services,
        }

    def serve(self) -> None:
        """Serve until the agent's end of the socket is closed."""
        gc.freeze()  # A collection in a fork would copy all of the memory.
        poll = select.poll()
        poll.register(self._control, select.POLLIN)
        poll.register(self._wake, select.POLLIN)
        self._send({"event": "up"})
        while True:
            for descriptor, _ in poll.poll():
                if descriptor == self._wake:
                    os.read(self._wake, 4096)
                    self._reap()
                elif not self._answer():
                    return

    def _answer(self) -> bool:
        data, descriptors, *_ = socket.recv_fds(
            self._control, LARGEST, _DESCRIPTORS, socket.MSG_CMSG_CLOEXEC
        )
        if not data:
            return False
        request = json.loads(data)
        number, action = request.pop("id"), self._actions[request.pop("do")]
        if descriptors:
            request["streams"] = descriptors
        try:
            result = action(**request)
        except (OSError, NetlinkError, KeyError, ValueError) as error:
            self._send({"id": number, "error": f"{type(error).__name__}: {error}"})
        else:
            sockets = result if isinstance(result, list) else []
            answer = None if sockets else result
            self._send({"id": number, "result": answer}, sockets)
        for descriptor in descriptors:
            os.close(descriptor)
        return True

    def _send(self, message: dict[str, Any], sockets: list[socket.socket] | None = None) -> None:
        descriptors = [each.fileno() for each in sockets or []]
        socket.send_fds(self._control, [json.dumps(message).encode()], descriptors)
        for each in sockets or []:
            each.close()

    def _add(
        self,
        uid: str,
        hostname: str,
        address: str,
        listen: list[tuple[str, int]],
        memory: list[str],
    ) -> list[socket.socket] | None:
        self._network.add(uid, hostname, address)
        self._memory[uid] = memory
        for path in memory:
            linux.mount("memory", path, "tmpfs", linux.MS_NOSUID | linux.MS_NODEV, "mode=1777")
        return [self._network.listen(host, port, uid) for host, port in listen] or None

    def _remove(self, uid: str) -> None:
        self._network.remove(uid)
        for path in self._memory.pop(uid, []):
            linux.unmount(path)

    def _start(self, key: str, uid: str, program: dict[str, Any], streams: list[int]) -> None:
        made, pod = Program.parse(program), self._network.pod(uid)
        linux.unshare(linux.CLONE_NEWPID)
        try:
            self._fork(key, lambda report: become_first(made, pod, streams, report))
        finally:
            linux.setns(self._own_pids, linux.CLONE_NEWPID)

    def _guest(
        self, key: str, target: str, program: dict[str, Any], streams: list[int], terminal: bool
    ) -> None:
        first = self._pid(target)
        made = Program.parse(program)
        self._fork(key, lambda report: become_guest(made, first, streams, report, terminal))

    def _fork(self, key: str, child: Callable[[int], Any]) -> None:
        reading, report = os.pipe2(os.O_CLOEXEC)
        pid = os.fork()
        if pid == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            child(report)
        os.close(report)
        namespace = str(Path(f"/proc/{pid}/ns/pid").readlink())
        self._running[pid] = _Running(key, namespace, reading)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            ended = self._running.pop(pid, None)
            if ended is not None:
                message = os.read(ended.report, 4096).decode(errors="replace")
                os.close(ended.report)
                code = os.waitstatus_to_exitcode(status)
                code = code if code >= 0 else 128 - code
                self._send({"event": "exit", "key": ended.key, "code": code, "message": message})

    def _pid(self, key: str) -> int:
        found = [pid for pid, running in self._running.items() if running.key == key]
        if not found:
            raise KeyError(f"{key} is not running")
        return found[0]

    def _signal(self, key: str, number: int) -> None:
        os.kill(self._pid(key), number)

    def _usage(self) -> dict[str, int]:
        """Anonymous memory of each container's processes, in bytes."""
        own = str(Path("/proc/self/ns/pid").readlink())
        keys = {r.namespace: r.key for r in self._running.values() if r.namespace != own}
        used = dict.fromkeys(keys.values(), 0)
        for process in Path("/proc").glob("[0-9]*"):
            try:
                key = keys.get(str((process / "ns" / "pid").readlink()))
                if key is not None:
                    used[key] += _anonymous(process / "status")
            except OSError:  # It has just ended.
                continue
        return used

    def _socket(self, uid: str | None) -> list[socket.socket]:
        return [self._network.connector(uid)]

    def _listen(self, address: str, port: int) -> list[socket.socket]:
        return [self._network.listen(address, port)]

    def _services(self, services: list[dict[str, Any]]) -> None:
        for each in services:
            each["targets"] = tuple((address, port) for address, port in each["targets"])
        self._network.set_services(tuple(Service(**each) for each in services))


def _anonymous(status: Path) -> int:
    for line in status.read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    return 0


def fail(control: socket.socket, message: str) -> None:
    """Tell the agent why there is no node, and exit."""
    socket.send_fds(control, [json.dumps({"event": "down", "message": message}).encode()], [])
    sys.exit(1)
