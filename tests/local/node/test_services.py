"""Services: balanced over ready pods, by name, and from the machine."""

from __future__ import annotations

import json
import threading
import time
import urllib.request
from typing import TYPE_CHECKING, Any

from tests.local.cluster import eventually
from tests.local.node.conftest import python

if TYPE_CHECKING:
    from tests.local.node.conftest import Pods

_SERVER = """
import http.server, os, signal, threading
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    def do_GET(self):
        self.send_response(200)
        self.send_header('Content-Length', str(len(os.environ['HOSTNAME'])))
        self.end_headers()
        self.wfile.write(os.environ['HOSTNAME'].encode())
    def log_message(self, *_): pass
server = http.server.ThreadingHTTPServer(('', 8000), Handler)
server.daemon_threads = False
signal.signal(15, lambda *_: threading.Thread(target=server.shutdown).start())
server.serve_forever()
server.server_close()
"""
_READY = {"httpGet": {"path": "/", "port": 8000}, "periodSeconds": 1}


def _service(pods: Pods, name: str) -> None:
    ports = [{"port": 80, "targetPort": 8000}]
    body = {"metadata": {"name": name}, "spec": {"selector": {"app": name}, "ports": ports}}
    pods.make("services", body)


def _host_address(pods: Pods, name: str) -> str:
    book = pods.cluster.layout.node / "services.json"
    found: str = eventually(lambda: json.loads(book.read_text())[f"pods/{name}"]["80"])
    return f"http://{found}/"


def _get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=5) as answer:
        return str(answer.read().decode())


def test_connections_are_balanced_over_ready_pods(pods: Pods) -> None:
    _service(pods, "pair")
    server = python(_SERVER, readinessProbe=_READY)
    never = python(_SERVER, readinessProbe={"exec": {"command": ["false"]}})
    ready = [pods.run(server, labels={"app": "pair"}) for _ in range(2)]
    unready = pods.run(never, labels={"app": "pair"})
    eventually(lambda: all(map(pods.is_ready, ready)))
    eventually(lambda: pods.get(unready)["status"]["phase"] == "Running")
    ask = """
import collections, json, time, urllib.request
time.sleep(0.5)
names = ('pair', 'pair.pods', 'pair.pods.svc.cluster.local')
print(json.dumps(collections.Counter(
    urllib.request.urlopen(f'http://{names[n % 3]}/').read().decode() for n in range(30))))
"""
    found = pods.output(pods.run(python(ask)))
    assert set(found) == set(ready)
    assert min(found.values()) >= 10
    url = _host_address(pods, "pair")
    assert {_get(url) for _ in range(10)} == set(ready)
    for each in (*ready, unready):
        pods.delete(each)


def test_connections_without_a_ready_pod_are_refused_at_once(pods: Pods) -> None:
    _service(pods, "nobody")
    ask = """
import json, time, urllib.request, urllib.error
begun = time.monotonic()
try:
    urllib.request.urlopen('http://nobody/', timeout=9)
except urllib.error.URLError as error:
    print(json.dumps([str(error.reason), time.monotonic() - begun < 1]))
"""
    assert pods.output(pods.run(python(ask))) == ["[Errno 111] Connection refused", True]


def test_a_rollout_loses_no_request(pods: Pods) -> None:
    _service(pods, "rolling")
    template = {
        "metadata": {"labels": {"app": "rolling"}},
        "spec": {"containers": [{"name": "c0", **python(_SERVER, readinessProbe=_READY)}]},
    }
    spec: dict[str, Any] = {"replicas": 1, "selector": {"matchLabels": {"app": "rolling"}}}
    body = {"metadata": {"name": "rolling"}, "spec": {**spec, "template": template}}
    pods.make("deployments", body, "/apis/apps/v1")
    path = "/apis/apps/v1/namespaces/pods/deployments/rolling"
    api = pods.cluster.api
    eventually(lambda: api.get(path)["status"].get("readyReplicas") == 1)
    url = _host_address(pods, "rolling")
    eventually(lambda: _get(url))
    failures: list[str] = []
    answers: list[str] = []
    done = threading.Event()

    def load() -> None:
        while not done.is_set():
            try:
                answers.append(_get(url))
            except OSError as error:
                failures.append(str(error))
            time.sleep(0.02)

    thread = threading.Thread(target=load)
    thread.start()
    patch = {"spec": {"template": {"metadata": {"annotations": {"turn": "2"}}}}}
    api.request("PATCH", path, patch, "application/merge-patch+json")
    first = answers[0] if answers else _get(url)
    eventually(lambda: answers[-1] != first)
    time.sleep(1)
    done.set()
    thread.join()
    assert not failures, f"{len(failures)} of {len(answers)}: {failures[:3]}"
    api.request("DELETE", path)


def test_an_unknown_name_fails_at_once(pods: Pods) -> None:
    look = "import socket, time; begun = time.time(); socket.getfqdn('10.9.9.9')"
    name = pods.run(python(f"{look}; print(time.time() - begun)"))
    assert pods.output(name) < 0.5
