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
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from local.node.sandbox.server import LARGEST

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from local.node.sandbox.container import Program
    from local.node.sandbox.nftables import Service

__all__ = ["Exit", "Sandbox", "SandboxError"]

_PROJECT = Path(__file__).resolve().parents[3]
_PATIENCE = 30.0
Exit = tuple[int, str]
"""A container's exit code, and why it could not be started ("" if it was)."""


class SandboxError(Exception):
    """What was asked for can't be done; the message says why."""


class Sandbox:
    """The node's namespaces. When this process goes, or `stop` is called, all in them goes."""

    def __init__(self, gateway: str) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        for end in (ours, theirs):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 * LARGEST)
        self._control = ours
        command = [sys.executable, "-m", "local.node.sandbox", str(theirs.fileno()), gateway]
        # The kernel ties its life to this thread's; see local/leash.py.
        self._process = subprocess.Popen(
            command,
            pass_fds=[theirs.fileno()],
            cwd=_PROJECT,
            start_new_session=True,
            stdin=subprocess.DEVNULL,
        )
        theirs.close()
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._answers: dict[int, Callable[[dict[str, Any], list[int]], None]] = {}
        self._exits: dict[str, Callable[[Exit], None]] = {}
        self._up = self._first_word()
        self.gone = threading.Event()
        threading.Thread(target=self._read, name="sandbox", daemon=True).start()

    @property
    def pid(self) -> int:
        """The process outside; its only child is the node's first process."""
        return self._process.pid

    @property
    def first(self) -> int:
        """The node's first process, as the machine counts."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text()
        return int(children.split()[0])

    @property
    def has_rules(self) -> bool:
        """Whether the kernel leads connections to Services; else they must be forwarded."""
        return bool(self._up["rules"])

    def add(
        self,
        uid: str,
        hostname: str,
        address: str,
        listen: Iterable[tuple[str, int]] = (),
        memory: Iterable[str] = (),
    ) -> list[socket.socket]:
        """A pod's namespaces; gives sockets that listen in it."""
        places = list(listen)
        _, descriptors = self._ask(
            "add", uid=uid, hostname=hostname, address=address, listen=places, memory=list(memory)
        )
        return [socket.socket(fileno=descriptor) for descriptor in descriptors]

    def remove(self, uid: str) -> None:
        """Let a pod's namespaces go."""
        self._ask("remove", uid=uid)

    def start(
        self, key: str, uid: str, program: Program, output: int, ended: Callable[[Exit], None]
    ) -> None:
        """Start a container; `ended` is called, once, from another thread."""
        self._begin("start", key, ended, output, uid=uid, program=asdict(program))

    def guest(
        self, key: str, target: str, program: Program, output: int, ended: Callable[[Exit], None]
    ) -> None:
        """Run a program in a running container."""
        self._begin("guest", key, ended, output, target=target, program=asdict(program))

    def _begin(
        self, action: str, key: str, ended: Callable[[Exit], None], output: int, **more: Any
    ) -> None:
        self._exits[key] = ended
        try:
            self._ask(action, descriptors=[output], key=key, **more)
        except SandboxError:
            self._exits.pop(key, None)
            raise

    def signal(self, key: str, number: int) -> bool:
        """Send a container's program a signal; SIGKILL ends all of the container. False: gone."""
        try:
            self._ask("signal", key=key, number=number)
        except SandboxError:
            return False
        return True

    def usage(self) -> dict[str, int]:
        """Bytes of anonymous memory by container."""
        result, _ = self._ask("usage")
        return dict(result)

    def connector(self) -> socket.socket:
        """A TCP socket of the node's network, from which pods can be reached."""
        _, descriptors = self._ask("socket")
        return socket.socket(fileno=descriptors[0])

    def listen(self, address: str, port: int) -> socket.socket:
        """A socket that listens on the node, for its pods."""
        _, descriptors = self._ask("listen", address=address, port=port)
        return socket.socket(fileno=descriptors[0])

    def set_services(self, services: Sequence[Service]) -> None:
        """Where connections to Services go from now on."""
        self._ask("services", services=[asdict(service) for service in services])

    def drain(self, uid: str) -> int:
        """End a pod's idle connections; how many others are left."""
        result, _ = self._ask("drain", uid=uid)
        return int(result)

    def stop(self) -> None:
        """End everything in the node."""
        self._control.shutdown(socket.SHUT_RDWR)
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def _first_word(self) -> dict[str, Any]:
        self._control.settimeout(_PATIENCE)
        try:
            data = self._control.recv(LARGEST)
        except TimeoutError:
            raise SandboxError("the node's namespaces did not come up") from None
        self._control.settimeout(None)
        word: dict[str, Any] = json.loads(data or b"{}")
        if word.get("event") != "up":
            self._process.wait()
            raise SandboxError(word.get("message", "the node's first process ended at once"))
        return word

    def _ask(
        self, action: str, descriptors: Sequence[int] = (), **more: Any
    ) -> tuple[Any, list[int]]:
        number = next(self._numbers)
        done = threading.Event()
        answer: dict[str, Any] = {}
        received: list[int] = []

        def arrived(message: dict[str, Any], passed: list[int]) -> None:
            answer.update(message)
            received.extend(passed)
            done.set()

        self._answers[number] = arrived
        data = json.dumps({"id": number, "do": action, **more}).encode()
        try:
            with self._lock:
                socket.send_fds(self._control, [data], list(descriptors))
        except OSError as error:
            raise SandboxError(f"the sandbox is gone: {error}") from error
        if self.gone.is_set() or not done.wait(_PATIENCE):
            self._answers.pop(number, None)
            raise SandboxError(f"the sandbox doesn't answer ({action})")
        if "error" in answer:
            raise SandboxError(f"{action}: {answer['error']}")
        return answer.get("result"), received

    def _read(self) -> None:
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
                arrived = self._answers.pop(message["id"], None)
                if arrived is not None:
                    arrived(message, descriptors)
            elif (ended := self._exits.pop(message["key"], None)) is not None:
                ended((message["code"], message["message"]))
        self.gone.set()
