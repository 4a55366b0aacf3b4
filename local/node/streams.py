"""The node's port: kubectl's `logs`, `exec`, `attach` and `port-forward`.

A program on the kubelet's library (local/tools/kubernetes/streaming) serves HTTP and the streams.
It sends each request here, with a socket for the answer: descriptors with their names, and at the
end an exit code. When it closes that socket, nobody waits for the rest.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import signal
import socket
import subprocess
import threading
import time
from concurrent.futures import Future
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from local.node.logs import Log, tail
from local.node.reporting import log
from local.node.sandbox.client import SandboxError
from local.node.sandbox.messages import LARGEST
from local.toolchain import tool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from local.node.container import Container
    from local.node.pod import Pod
    from local.node.sandbox.client import Exit, Sandbox

__all__ = ["StreamServer"]

_AGAIN = 0.5
_PATIENCE = 5.0
Request = dict[str, Any]


class _RefusedError(Exception):
    """A request for what is not there."""


class StreamServer:
    """Starts the program, again if it ends, and opens what the API server asks for."""

    def __init__(
        self, sandbox: Sandbox, find: Callable[[str], Pod | None], certificates: Path
    ) -> None:
        """`find` returns the pod NAMESPACE/NAME. Raises LocalError if the program is missing."""
        self._sandbox, self._find, self._certificates = sandbox, find, certificates
        self._program = tool("streaming")
        # It stays when the program is started again, and so does its port.
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._actions = {
            "logs": self._logs,
            "exec": self._exec,
            "attach": self._attach,
            "forward": self._forward,
        }
        threading.Thread(target=self._run, name="streams", daemon=True).start()

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def _run(self) -> None:
        while True:
            control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            descriptors = (self._listener.fileno(), theirs.fileno())
            with theirs:
                # It ends when `control` is closed, at the latest with this process.
                process = subprocess.Popen(
                    [self._program, *map(str, descriptors), self._certificates],
                    pass_fds=descriptors,
                    stdin=subprocess.DEVNULL,
                )
            with control:
                self._take_requests(control)
            log(f"streaming: ended with {process.wait()}; it is started again")
            time.sleep(_AGAIN)

    def _take_requests(self, control: socket.socket) -> None:
        while True:
            data, descriptors, *_ = socket.recv_fds(control, LARGEST, 1, socket.MSG_CMSG_CLOEXEC)
            if not data:
                return
            answers = socket.socket(fileno=descriptors[0])
            threading.Thread(
                target=self._answer, args=(json.loads(data), answers), daemon=True
            ).start()

    def _answer(self, request: Request, answers: socket.socket) -> None:
        with answers:
            try:
                self._actions[request["action"]](request, answers)
            except (_RefusedError, SandboxError, OSError) as error:
                _send(answers, {"error": str(error)})

    def _logs(self, request: Request, answers: socket.socket) -> None:
        found, options = _log(self._container(request)), request.get("options", {})
        lines = int(options["tailLines"]) if "tailLines" in options else None
        limit = int(options["limitBytes"]) if "limitBytes" in options else None
        if options.get("follow") == "true":
            pieces = found.follow(lines, lambda seconds: not _is_closed(answers, seconds))
            _send_output(answers, pieces)
        else:
            path = found.previous if options.get("previous") == "true" else found.path
            _send_output(answers, [tail(path, lines, limit)])

    def _attach(self, request: Request, answers: socket.socket) -> None:
        """Send a container's output from now on. Its standard output and error are one."""
        found = _log(self._running(request))
        _send_output(answers, found.follow(0, lambda seconds: not _is_closed(answers, seconds)))
        _send(answers, {"code": 0})

    def _exec(self, request: Request, answers: socket.socket) -> None:
        """Run a command in a container until it ends, or until the client has gone."""
        container = self._running(request)
        assert container.program is not None
        program = replace(container.program, argv=request["command"], mounts=[], base="")
        key = f"{container.key}/exec/{time.monotonic_ns()}"
        ended: Future[Exit] = Future()
        start = functools.partial(self._sandbox.guest, key, container.key)
        if request.get("terminal"):
            program = replace(program, env={"TERM": "xterm", **program.env})
            start(program, [answers.fileno()], ended.set_result, terminal=True)
        else:
            with _pipes() as (ours, theirs):
                start(program, theirs, ended.set_result)
                _send(answers, {"files": ["stdin", "stdout", "stderr"]}, ours)
        ended.add_done_callback(lambda done: _send(answers, _end(done.result())))
        _is_closed(answers, None)
        self._sandbox.signal(key, signal.SIGKILL)

    def _forward(self, request: Request, answers: socket.socket) -> None:
        """Connect to a port on a pod's loopback, as container runtimes do."""
        pod, port = self._pod(request), request["port"]
        with self._sandbox.connector(pod.uid) as target:
            target.settimeout(_PATIENCE)
            try:
                target.connect(("127.0.0.1", port))
            except OSError as error:
                where = f"port {port} on 127.0.0.1 in pod {request['pod']}"
                raise _RefusedError(f"no connection to {where}: {error.strerror}") from error
            _send(answers, {"files": ["socket"]}, [target.fileno()])

    def _pod(self, request: Request) -> Pod:
        pod = self._find(request["pod"])
        if pod is None:
            raise _RefusedError(f"pod {request['pod']} does not run on this node")
        return pod

    def _container(self, request: Request) -> Container:
        name = request["container"]
        found = [each for each in self._pod(request).containers if each.name == name]
        if not found:
            raise _RefusedError(f"pod {request['pod']} has no container {name}")
        return found[0]

    def _running(self, request: Request) -> Container:
        container = self._container(request)
        if not container.key:
            raise _RefusedError(f"container {container.name} of {request['pod']} is not running")
        return container


def _log(container: Container) -> Log:
    """The log of the container's run at this moment."""
    key = container.key
    return Log(container.log, lambda: bool(key) and container.key == key)


@contextlib.contextmanager
def _pipes() -> Iterator[tuple[list[int], list[int]]]:
    """Standard input, output and error: our ends and the program's, which are closed afterwards."""
    (source, sink), *outputs = (os.pipe() for _ in range(3))
    ours, theirs = [sink, *(pipe[0] for pipe in outputs)], [source, *(pipe[1] for pipe in outputs)]
    try:
        yield ours, theirs
    finally:
        for descriptor in [*ours, *theirs]:
            os.close(descriptor)


def _end(result: Exit) -> dict[str, Any]:
    code, message = result
    return {"error": message} if message else {"code": code}


def _send(answers: socket.socket, message: dict[str, Any], descriptors: Sequence[int] = ()) -> None:
    """Send an answer, unless nobody waits for it any more."""
    with contextlib.suppress(OSError):
        socket.send_fds(answers, [json.dumps(message).encode()], descriptors)


def _send_output(answers: socket.socket, pieces: Iterable[bytes]) -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "wb") as output:
        _send(answers, {"files": ["stdout"]}, [reading])
        os.close(reading)
        for piece in pieces:
            output.write(piece)
            output.flush()


def _is_closed(answers: socket.socket, seconds: float | None) -> bool:
    """Whether the program closes its end of a socket within this time; None is any time."""
    answers.settimeout(seconds)
    try:
        return not answers.recv(1)
    except TimeoutError:
        return False
    except OSError:
        return True
