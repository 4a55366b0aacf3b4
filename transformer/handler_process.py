"""A process that runs the release's handler: `python -m transformer.handler_process SOCKET`.

The first message is a `Start`, answered by `Ready`, or by `Failure` and its end. Each later one is
a `Call`, answered by `Done` or `Failure`. The process ends when its standard input does, with the
server.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import resource
import signal
import socket
import sys
import threading
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from release import handler
from release.handler import HandlerError, InstanceError
from transformer import requests
from transformer.errors import MAX_ANSWER_BYTES, RequestError
from transformer.handler_messages import SIZE, Call, Done, Failure, Ready, Start, pack

if TYPE_CHECKING:
    from collections.abc import Iterator

    from release.handler import Handler

MIB = 2**20


def main() -> None:
    """Serve the server's calls."""
    # Ctrl-C reaches all processes of a terminal; the server ends this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_server, daemon=True).start()
    # Where memory runs out, the kernel ends this process rather than the server.
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
    connection = socket.socket(fileno=int(sys.argv[1]))
    start: Start = _receive(connection)
    try:
        with _bounded(start.memory):
            loaded = handler.load(start.folder, start.release, start.parameters)
    except Exception as error:
        _send(connection, pack(_failure(error, start.memory)))
        return
    _send(connection, pack(Ready()))
    while _serve_call(connection, loaded, start.memory):
        pass


def _serve_call(connection: socket.socket, loaded: Handler, memory: int | None) -> bool:
    """Whether the process goes on."""
    try:
        call: Call = _receive(connection)
        answer = pack(Done(_run(loaded, call, memory)))
    except Exception as error:
        failure = _failure(error, memory)
        _send(connection, pack(failure))
        return not failure.ends
    size = len(answer[1])
    if size > MAX_ANSWER_BYTES:
        message = (
            f"handler: {call.function}: it answers {size >> 20} MiB; allowed: "
            f"{MAX_ANSWER_BYTES >> 20} MiB; send fewer instances"
        )
        answer = pack(Failure(413, message))
    _send(connection, answer)
    return True


def _run(loaded: Handler, call: Call, memory: int | None) -> Any:
    instances = requests.parse(call.body)
    if call.outputs is None:
        with _bounded(memory):
            return loaded.preprocess(instances)
    # Copies can be written to, as the arrays that the build gives.
    outputs = {name: array.copy() for name, array in call.outputs.items()}
    with _bounded(memory):
        predictions = loaded.postprocess(outputs, instances)
    return orjson.dumps({"predictions": predictions})


@contextlib.contextmanager
def _bounded(memory: int | None) -> Iterator[None]:
    """Limit this process's memory to so many MiB meanwhile. orjson maps more than it uses."""
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (memory * MIB if memory else most, most))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def _failure(error: Exception, memory: int | None) -> Failure:
    if isinstance(error, RequestError):
        return Failure(error.status, error.message)
    cause: BaseException = error.__cause__ or error
    known = isinstance(error, InstanceError | HandlerError)
    trace = "".join(traceback.format_exception(cause)) if error.__cause__ or not known else None
    message = str(error) if known else f"handler: {type(error).__name__}: {error}"
    if isinstance(cause, MemoryError):
        # What is left of the failed call may fill the memory.
        allowed = f"; HANDLER_MEMORY allows {memory} MiB" if memory else ""
        return Failure(500, f"{message}{allowed}", trace, ends=True)
    return Failure(400 if isinstance(error, InstanceError) else 500, message, trace)


def _end_with_server() -> None:
    os.read(0, 1)
    os._exit(0)


def _receive(connection: socket.socket) -> Any:
    (size,) = SIZE.unpack(_read(connection, SIZE.size))
    return pickle.loads(_read(connection, size))


def _send(connection: socket.socket, message: tuple[bytes, bytes]) -> None:
    for part in message:
        connection.sendall(part)


def _read(connection: socket.socket, size: int) -> bytearray:
    data, at = bytearray(size), 0
    view = memoryview(data)
    while at < size:
        count = connection.recv_into(view[at:])
        if not count:
            sys.exit(0)
        at += count
    return data


if __name__ == "__main__":
    main()
