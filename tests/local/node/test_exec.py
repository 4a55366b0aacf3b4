"""`kubectl exec`, by WebSockets and by SPDY."""

from __future__ import annotations

import fcntl
import hashlib
import os
import pty
import signal
import struct
import subprocess
import termios
import threading
import uuid
from typing import TYPE_CHECKING

import pytest

from tests.local.cluster import eventually
from tests.local.node.conftest import python

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.local.node.conftest import Pods
    from tests.local.node.kubectl import Kubectl

_NAMESPACES = (
    "import os; print({n: os.readlink(f'/proc/self/ns/{n}') for n in os.listdir('/proc/self/ns')})"
)
# Prints the size of its terminal, and again when it changes.
_SIZES = """
import os, signal
def show(*_): print("size", *os.get_terminal_size(0), flush=True)
signal.signal(signal.SIGWINCH, show)
print(os.isatty(0) and os.isatty(1) and os.isatty(2), os.environ["TERM"])
show()
while input() != "end": pass
"""


@pytest.fixture(scope="module")
def pod(pods: Pods) -> Iterator[str]:
    """A pod with a volume, a variable and a working directory, and an ended container."""
    main = python(
        f"import time; {_NAMESPACES}; time.sleep(999)",
        env=[{"name": "COLOR", "value": "blue"}],
        workingDir="/data",
        volumeMounts=[{"name": "data", "mountPath": "/data"}],
    )
    volumes = [{"name": "data", "emptyDir": {}}]
    name = pods.run(main, python("pass"), volumes=volumes)
    eventually(lambda: pods.log(name) and "terminated" in pods.status(name, 1)["state"])
    yield name
    pods.delete(name)


def test_exec_carries_input_outputs_and_the_exit_code(kubectl: Kubectl, pod: str) -> None:
    script = "cat; echo problem >&2; exit 7"
    done = kubectl.run("exec", "-i", pod, "-c", "c0", "--", "sh", "-c", script, stdin=b"hello\n")
    assert done.stdout == b"hello\n"
    assert b"problem" in done.stderr and b"exit code 7" in done.stderr
    assert done.returncode == 7


def test_exec_carries_all_of_a_large_input_back(kubectl: Kubectl, pod: str) -> None:
    data = os.urandom(5_000_000)
    done = kubectl.run("exec", "-i", pod, "-c", "c0", "--", "cat", stdin=data)
    assert done.returncode == 0, done.stderr
    assert hashlib.sha256(done.stdout).digest() == hashlib.sha256(data).digest()


def test_exec_without_input_reads_its_end(kubectl: Kubectl, pod: str) -> None:
    done = kubectl.run("exec", pod, "-c", "c0", "--", "sh", "-c", "cat; echo end", stdin=b"no")
    assert done.stdout == b"end\n"


def test_exec_runs_in_the_container(kubectl: Kubectl, pods: Pods, pod: str) -> None:
    """In its namespaces and root, with its environment and its working directory."""
    code = f"{_NAMESPACES}; print(os.environ['COLOR'], os.getcwd()); open('/data/made', 'w')"
    done = kubectl.run("exec", pod, "-c", "c0", "--", "python", "-c", code)
    assert done.returncode == 0, done.stderr
    namespaces, place = done.stdout.decode().splitlines()
    assert namespaces == pods.log(pod).splitlines()[0]
    assert place == "blue /data"
    again = kubectl.run("exec", pod, "-c", "c0", "--", "ls", "/data", "/proc/1/fd")
    assert again.returncode == 0 and b"made" in again.stdout


def test_exec_ends_with_its_command_and_not_with_one_in_the_background(
    kubectl: Kubectl, pod: str
) -> None:
    script = "sleep 600 & seq 1 20000"
    done = kubectl.run("exec", pod, "-c", "c0", "--", "sh", "-c", script)
    assert done.stdout.split()[-1] == b"20000"
    ended = kubectl.run("exec", pod, "-c", "c0", "--", "pkill", "sleep")
    assert ended.returncode == 0, ended.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("-c", "nope", "--", "true"), "container nope is not valid for pod"),
        (("-c", "c1", "--", "true"), "is not running"),
        (("-c", "c0", "--", "no-such-command"), "no-such-command"),
    ],
)
def test_exec_says_what_is_missing(
    kubectl: Kubectl, pod: str, arguments: tuple[str, ...], message: str
) -> None:
    done = kubectl.run("exec", pod, *arguments)
    assert done.returncode != 0
    assert message in done.stderr.decode()


def test_a_command_ends_when_its_client_has_gone(kubectl: Kubectl, pod: str) -> None:
    mark = uuid.uuid4().hex
    code = f"import time; print('up', flush=True); time.sleep(999) # {mark}"
    client = kubectl.start(
        "exec", pod, "-c", "c0", "--", "python", "-c", code, stdout=subprocess.PIPE
    )
    assert client.stdout is not None and client.stdout.readline() == b"up\n"
    running = ("exec", pod, "-c", "c0", "--", "pgrep", "-f", f"[t]ime.sleep.999. # {mark}")
    assert kubectl.run(*running).returncode == 0
    client.kill()
    client.wait()
    eventually(lambda: kubectl.run(*running).returncode == 1)


def test_exec_with_a_terminal_follows_its_size(kubectl: Kubectl, pod: str) -> None:
    ours, theirs = pty.openpty()
    fcntl.ioctl(ours, termios.TIOCSWINSZ, struct.pack("HHHH", 31, 101, 0, 0))
    arguments = ("exec", "-it", pod, "-c", "c0", "--", "python", "-uc", _SIZES)
    client = kubectl.start(*arguments, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    said = bytearray()
    threading.Thread(target=_collect, args=(ours, said), daemon=True).start()
    try:
        eventually(lambda: b"True xterm" in said and b"size 101 31" in said)
        fcntl.ioctl(ours, termios.TIOCSWINSZ, struct.pack("HHHH", 25, 81, 0, 0))
        client.send_signal(signal.SIGWINCH)
        eventually(lambda: b"size 81 25" in said)
        os.write(ours, b"end\r")
        assert client.wait(20) == 0, bytes(said)
    finally:
        client.kill()
        client.wait()


def _collect(descriptor: int, into: bytearray) -> None:
    try:
        while data := os.read(descriptor, 4096):
            into.extend(data)
    except OSError:  # The other end is closed.
        return
    finally:
        os.close(descriptor)


def test_cp_copies_a_file_out_of_a_container(kubectl: Kubectl, pod: str, tmp_path: Path) -> None:
    made = kubectl.run("exec", pod, "-c", "c0", "--", "sh", "-c", "echo text > /data/copied")
    assert made.returncode == 0, made.stderr
    done = kubectl.run("cp", "-c", "c0", f"{pod}:/data/copied", str(tmp_path / "copy"))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "copy").read_text() == "text\n"
