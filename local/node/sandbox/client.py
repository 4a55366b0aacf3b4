"""The agent's side of the sandbox: requests to the process that holds the node's namespaces."""

from __future__ import annotations

import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from concurrent.futures import Future
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from local.node.sandbox.messages import LARGEST

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from local.node.sandbox.messages import Service
    from local.node.sandbox.program import Program

__all__ = ["Exit", "Sandbox", "SandboxError"]

_PROJECT = Path(__file__).resolve().parents[3]
_PATIENCE = 30.0
Exit = tuple[int, str]
"""A container's exit code, and why it could not be started ("" if it was)."""


class SandboxError(Exception):
    """A request failed; the message has the reason."""


class Sandbox:
    """The node's namespaces. They and all processes in them end with this process, or by `stop`."""

    def __init__(self, gateway: str) -> None:
        """Raises SandboxError where this machine doesn't allow it."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        for end in (ours, theirs):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 * LARGEST)
        self._control = ours
        # The kernel ends it when the thread that started it ends; see local/leash.py.
        self._process = subprocess.Popen(
            [sys.executable, "-m", "local.node.sandbox", str(theirs.fileno()), gateway],
            pass_fds=[theirs.fileno()],
            cwd=_PROJECT,
            start_new_session=True,
            stdin=subprocess.DEVNULL,
        )
        theirs.close()
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._answers: dict[int, Future[tuple[dict[str, Any], list[int]]]] = {}
        self._exits: dict[str, Callable[[Exit], None]] = {}
        self.ended = threading.Event()
        self._wait_until_up()
        threading.Thread(target=self._read, name="sandbox", daemon=True).start()

    def add(
        self,
        uid: str,
        hostname: str,
        address: str,
        listen: Iterable[tuple[str, int]] = (),
        memory: Iterable[str] = (),
    ) -> list[socket.socket]:
        """Make a pod's namespaces, with sockets that listen in it and folders in memory."""
        _, descriptors = self._ask(
            "add",
            uid=uid,
            hostname=hostname,
            address=address,
            listen=list(listen),
            memory=list(memory),
        )
        return [socket.socket(fileno=descriptor) for descriptor in descriptors]

    def remove(self, uid: str) -> None:
        """Release a pod's namespaces."""
        self._ask("remove", uid=uid)

    def start(
        self, key: str, uid: str, program: Program, output: int, ended: Callable[[Exit], None]
    ) -> None:
        """Start a container; `ended` is called, once, from another thread."""
        self._begin("start", key, ended, [output], uid=uid, program=asdict(program))

    def guest(
        self,
        key: str,
        target: str,
        program: Program,
        streams: Sequence[int],
        ended: Callable[[Exit], None],
        terminal: bool = False,
    ) -> None:
        """Run a program in a running container.

        `streams` are its standard input, output and error, or only its output. With `terminal`
        they are a socket: the program gets a terminal, whose other end is sent there.
        """
        more = {"target": target, "program": asdict(program), "terminal": terminal}
        self._begin("guest", key, ended, streams, **more)

    def _begin(
        self,
        action: str,
        key: str,
        ended: Callable[[Exit], None],
        streams: Sequence[int],
        **more: Any,
    ) -> None:
        self._exits[key] = ended
        try:
            self._ask(action, descriptors=streams, key=key, **more)
        except SandboxError:
            self._exits.pop(key, None)
            raise

    def signal(self, key: str, number: int) -> bool:
        """Signal a container's program; SIGKILL ends the whole container. False: it has ended."""
        try:
            self._ask("signal", key=key, number=number)
        except SandboxError:
            return False
        return True

    def usage(self) -> dict[str, int]:
        """Bytes of anonymous memory by container."""
        result, _ = self._ask("usage")
        return dict(result)

    def connector(self, uid: str | None = None) -> socket.socket:
        """A TCP socket of a pod's network, or of the node's, from which pods can be reached."""
        _, descriptors = self._ask("socket", uid=uid)
        return socket.socket(fileno=descriptors[0])

    def listen(self, address: str, port: int) -> socket.socket:
        """A socket that listens on the node, for its pods."""
        _, descriptors = self._ask("listen", address=address, port=port)
        return socket.socket(fileno=descriptors[0])

    def set_services(self, services: Sequence[Service]) -> None:
        """Replace the targets of all connections to Services."""
        self._ask("services", services=[asdict(service) for service in services])

    def stop(self) -> None:
        """End everything in the node."""
        self._control.shutdown(socket.SHUT_RDWR)
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def _wait_until_up(self) -> None:
        self._control.settimeout(_PATIENCE)
        try:
            data = self._control.recv(LARGEST)
        except TimeoutError:
            raise SandboxError("the node's namespaces did not come up") from None
        self._control.settimeout(None)
        report: dict[str, Any] = json.loads(data or b"{}")
        if report.get("event") != "up":
            self._process.wait()
            raise SandboxError(report.get("message", "the node's first process ended at once"))

    def _ask(
        self, action: str, descriptors: Sequence[int] = (), **more: Any
    ) -> tuple[Any, list[int]]:
        """One request: its result, and the descriptors that came with it. Raises SandboxError."""
        number = next(self._numbers)
        answer = self._answers[number] = Future()
        data = json.dumps({"id": number, "do": action, **more}).encode()
        try:
            with self._lock:
                socket.send_fds(self._control, [data], list(descriptors))
            message, received = answer.result(0 if self.ended.is_set() else _PATIENCE)
        except OSError as error:
            raise SandboxError(f"{action}: no answer from the sandbox: {error}") from error
        finally:
            self._answers.pop(number, None)
        if "error" in message:
            raise SandboxError(f"{action}: {message['error']}")
        return message.get("result"), received

    def _read(self) -> None:
        """Hand answers and exits over until the sandbox closes its end."""
        while True:
            try:
                data, descriptors, *_ = socket.recv_fds(
                    self._control, LARGEST, 8, socket.MSG_CMSG_CLOEXEC
                )
            except OSError:
                break
            if not data:
                break
            message = json.loads(data)
            if "id" in message:
                if (answer := self._answers.get(message["id"])) is not None:
                    answer.set_result((message, descriptors))
            elif (ended := self._exits.pop(message["key"], None)) is not None:
                ended((message["code"], message["message"]))
        self.ended.set()
