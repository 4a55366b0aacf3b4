"""The processes of a container: its first process, and the program that this runs.

The first process is PID 1 of a PID namespace. It reaps processes, forwards signals, and exits with
the program's exit code; the kernel then ends all that the program left.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import resource
import signal
import socket
import sys
import termios
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from local.node.sandbox import linux, root
from local.node.sandbox.messages import TERMINAL

if TYPE_CHECKING:
    from typing import NoReturn

    from local.node.sandbox.network import Pod

__all__ = ["START_ERROR", "Program", "become_first", "become_guest"]

START_ERROR = 128
_FORWARDED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1)
_NOT_FOUND, _NOT_EXECUTABLE = 127, 126


@dataclass(frozen=True)
class Program:
    """The program of a container, its environment and its mounts."""

    argv: list[str]
    env: dict[str, str]
    cwd: str = "/"
    base: str = ""
    mounts: list[root.Mount] = field(default_factory=list)
    cpus: list[int] = field(default_factory=list)

    @classmethod
    def parse(cls, data: dict[str, Any]) -> Program:
        mounts = [root.Mount(**mount) for mount in data.pop("mounts", [])]
        return cls(mounts=mounts, **data)


def _fail(report: int, code: int, message: str) -> NoReturn:
    os.write(report, message.encode()[:4000])
    os._exit(code)


def _keep_only(*descriptors: int) -> None:
    """Close all other descriptors, which are the sandbox's."""
    low = 3
    for descriptor in sorted(descriptors):
        os.closerange(low, descriptor)
        low = descriptor + 1
    os.closerange(low, 1 << 16)


def become_first(program: Program, pod: Pod, streams: list[int], report: int) -> NoReturn:
    """Turn this fork into a container's first process. Error messages go to `report`."""
    try:
        linux.die_with_parent(signal.SIGKILL)
        pod.enter()
        linux.unshare(linux.CLONE_NEWNS)
        _keep_only(*streams, report)
        os.setsid()
        root.enter(program.base, program.mounts)
        if program.cpus:
            with contextlib.suppress(OSError):
                os.sched_setaffinity(0, program.cpus)
        children: list[int] = []
        for number in _FORWARDED:
            signal.signal(number, lambda received, _: _forward(children, received))
        child = _spawn(program, streams, report)
        children.append(child)
    except BaseException as error:
        _fail(report, START_ERROR, f"cannot start the container: {error}")
    os.close(report)
    os._exit(_reap(child))


def become_guest(
    program: Program, first: int, streams: list[int], report: int, terminal: bool
) -> NoReturn:
    """Turn this fork into one that runs a program in the container with that first process."""
    try:
        for name, kind in (("net", linux.CLONE_NEWNET), ("ipc", linux.CLONE_NEWIPC)):
            _join(first, name, kind)
        _join(first, "uts", linux.CLONE_NEWUTS)
        _join(first, "pid", linux.CLONE_NEWPID)
        _join(first, "mnt", linux.CLONE_NEWNS)
        _keep_only(*streams, report)
        os.setsid()
        child = _spawn(program, streams, report, terminal)
    except BaseException as error:
        _fail(report, START_ERROR, f"cannot run in the container: {error}")
    os.close(report)
    os._exit(_reap(child))


def _join(process: int, name: str, kind: int) -> None:
    descriptor = os.open(f"/proc/{process}/ns/{name}", os.O_RDONLY)
    linux.setns(descriptor, kind)
    os.close(descriptor)


def _forward(children: list[int], number: int) -> None:
    for child in children:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, number)


def _spawn(program: Program, streams: list[int], report: int, terminal: bool = False) -> int:
    child = os.fork()
    if child == 0:
        try:
            linux.die_with_parent(signal.SIGKILL)
            os.setsid()
            _connect(_open_terminal(streams[0]) if terminal else streams, terminal)
            _execute(program)
        except FileNotFoundError as error:
            where = os.fsdecode(error.filename)
            _fail(report, _NOT_FOUND, f"exec: {program.argv[0]!r}: {error.strerror} ({where})")
        except BaseException as error:
            _fail(report, _NOT_EXECUTABLE, f"exec: {program.argv[0]!r}: {error}")
    return child


def _open_terminal(answers: int) -> list[int]:
    """Open a terminal in the container, and send its other end to a socket."""
    ours, theirs = os.openpty()
    with socket.socket(fileno=os.dup(answers)) as made:
        socket.send_fds(made, [TERMINAL], [ours])
    return [theirs] * 3


def _connect(streams: list[int], terminal: bool) -> None:
    """Make these the standard input, output and error; one alone is the output."""
    if len(streams) == 1:
        streams = [os.open("/dev/null", os.O_RDONLY), *streams, *streams]
    for number, descriptor in enumerate(streams):
        os.dup2(descriptor, number)
    if terminal:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def _execute(program: Program) -> NoReturn:
    # The program must not inherit ignored signals.
    for number in (signal.SIGPIPE, signal.SIGXFSZ, *_FORWARDED):
        signal.signal(number, signal.SIG_DFL)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if not Path(program.cwd).is_dir():
        raise FileNotFoundError(2, "no such working directory", program.cwd)
    os.chdir(program.cwd)
    linux.drop_capabilities()
    os.execvpe(program.argv[0], program.argv, program.env)


def _reap(child: int) -> int:
    """Wait for the program, and reap others that end before. The program's exit code."""
    while True:
        try:
            ended, status = os.wait()
        except ChildProcessError:
            return START_ERROR
        if ended == child:
            code = os.waitstatus_to_exitcode(status)
            sys.stdout.flush()
            return code if code >= 0 else 128 - code
