"""`kubectl attach`, `logs` and `port-forward`, and who may use the node's port."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import ssl
import subprocess
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.local.cluster import eventually
from tests.local.node.conftest import python

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.local.node.conftest import Pods
    from tests.local.node.kubectl import Kubectl

# Two servers, one on all addresses and one on loopback, that answer with their ports.
_SERVERS = """
import http.server, threading
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = str(self.server.server_address[1]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
for place in (("", 8001), ("127.0.0.1", 8002)):
    server = http.server.ThreadingHTTPServer(place, Handler)
    threading.Thread(target=server.serve_forever).start()
print("up")
"""
_COUNT = """
import os, time
number = 0
while not os.path.exists("/tmp/end"):
    print(number)
    number += 1
    time.sleep(.05)
"""


@pytest.fixture(scope="module")
def pod(pods: Pods) -> Iterator[str]:
    name = pods.run(python(_SERVERS))
    eventually(lambda: "up" in pods.log(name))
    yield name
    pods.delete(name)


def test_attach_shows_output_until_the_container_ends(kubectl: Kubectl, pods: Pods) -> None:
    name = pods.run(python(_COUNT))
    eventually(lambda: "3" in pods.log(name))
    client = kubectl.start("attach", name, stdout=subprocess.PIPE)
    assert client.stdout is not None
    first = int(client.stdout.readline())
    assert first > 0
    assert kubectl.run("exec", name, "--", "touch", "/tmp/end").returncode == 0
    numbers = [int(line) for line in client.stdout]
    assert client.wait(30) == 0
    last = int(pods.log(name).split()[-1])
    assert numbers == list(range(first + 1, last + 1))
    pods.delete(name)


def test_logs_follow_until_the_container_ends(kubectl: Kubectl, pods: Pods) -> None:
    code = "import time\nfor n in range(20):\n  print(n); time.sleep(.05)"
    name = pods.run(python(code))
    eventually(lambda: "0" in pods.log(name))
    done = kubectl.run("logs", "-f", name)
    assert done.stdout.split() == [str(n).encode() for n in range(20)], done.stderr
    tail = kubectl.run("logs", "--tail=2", name)
    assert tail.stdout.split() == [b"18", b"19"]
    pods.delete(name)


def test_port_forward_forwards_two_ports(kubectl: Kubectl, pod: str) -> None:
    with _forwarding(kubectl, pod, ":8001", ":8002") as ports:
        assert _get(ports[8001]) == "8001"
        assert _get(ports[8002]) == "8002"
        assert _get(ports[8001]) == "8001"


def test_port_forward_says_that_nothing_listens(kubectl: Kubectl, pod: str) -> None:
    client = kubectl.start(
        "port-forward", pod, ":8009", stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert client.stdout is not None and client.stderr is not None
    port = int(re.findall(rb":(\d+) ->", client.stdout.readline())[0])
    try:
        with pytest.raises(OSError, match=r"reset|refused|closed"):
            _get(port)
        assert b"no connection to port 8009" in client.stderr.readline()
    finally:
        client.kill()
        client.communicate()


@contextlib.contextmanager
def _forwarding(kubectl: Kubectl, *arguments: str) -> Iterator[dict[int, int]]:
    """The machine's ports by those of the pod."""
    client = kubectl.start("port-forward", *arguments, stdout=subprocess.PIPE)
    ports: dict[int, int] = {}
    try:
        assert client.stdout is not None
        while len(ports) < len(arguments) - 1:
            line = client.stdout.readline().decode()
            assert line, "kubectl port-forward has ended"
            if found := re.search(r"127\.0\.0\.1:(\d+) -> (\d+)", line):
                ports[int(found[2])] = int(found[1])
        yield ports
    finally:
        client.kill()
        client.communicate()


def _get(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as answer:
        return str(answer.read().decode())


def _ask_node(pods: Pods, certificate: str | None) -> int:
    """The status with which the node's port answers the holder of a certificate."""
    node = pods.cluster.api.get("/api/v1/nodes/local")["status"]
    port = node["daemonEndpoints"]["kubeletEndpoint"]["Port"]
    folder = pods.cluster.layout.certificates
    trust = ssl.create_default_context(cafile=folder / "ca.crt")
    if certificate:
        trust.load_cert_chain(folder / f"{certificate}.crt", folder / f"{certificate}.key")
    url = f"https://127.0.0.1:{port}/containerLogs/pods/none/none"
    try:
        with urllib.request.urlopen(url, timeout=10, context=trust) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_only_the_api_server_is_let_in(pods: Pods) -> None:
    assert _ask_node(pods, "kube-apiserver") == 404
    assert _ask_node(pods, "admin") == 403
    assert _ask_node(pods, "node") == 403
    with pytest.raises(OSError, match="certificate required"):
        _ask_node(pods, None)


def test_the_node_serves_again_after_its_program_was_killed(kubectl: Kubectl, pod: str) -> None:
    agent = kubectl.pods.cluster.now().processes["node"].pid
    program = next(
        int(child)
        for task in Path(f"/proc/{agent}/task").iterdir()
        for child in (task / "children").read_text().split()
        if Path(f"/proc/{child}/comm").read_text() == "streaming\n"
    )
    os.kill(program, signal.SIGKILL)
    done = kubectl.run("exec", pod, "-c", "c0", "--", "echo", "again")
    assert done.stdout == b"again\n", done.stderr
