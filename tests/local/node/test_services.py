"""Services: balanced over ready pods, by name, and from the machine."""

from __future__ import annotations

import threading
import time
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest

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
    found: str = eventually(lambda: pods.cluster.layout.services()[f"pods/{name}"]["80"])
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


def test_a_service_that_is_made_anew_has_its_address_on_the_machine_again(pods: Pods) -> None:
    """.local/endpoints.json and a user's shell have it."""
    _service(pods, "anew")
    before = _host_address(pods, "anew")
    path = f"/api/v1/namespaces/{pods.namespace}/services/anew"
    pods.cluster.api.delete(path)
    eventually(lambda: "pods/anew" not in pods.cluster.layout.services())
    _service(pods, "anew")
    assert _host_address(pods, "anew") == before


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


def test_an_external_name_leads_to_the_service_it_names(pods: Pods) -> None:
    """Through another one, and from the time when the named Service is there."""
    domain = "svc.cluster.local"
    for name, target in (("outer", f"inner.pods.{domain}"), ("inner", f"named.pods.{domain}")):
        spec = {"type": "ExternalName", "externalName": target}
        pods.make("services", {"metadata": {"name": name}, "spec": spec})
    ask = """
import json, time, urllib.request
for name in ('outer', 'outer.pods', 'inner.pods.svc.cluster.local'):
    for _ in range(200):
        try:
            print(json.dumps(urllib.request.urlopen(f'http://{name}/').read().decode()))
            break
        except OSError:
            time.sleep(0.1)
"""
    client = pods.run(python(ask))
    pods.phase(client, "Running", "Succeeded")
    server = pods.run(python(_SERVER, readinessProbe=_READY), labels={"app": "named"})
    _service(pods, "named")
    pods.phase(client, "Succeeded", patience=40)
    assert pods.log(client).splitlines() == [f'"{server}"'] * 3
    pods.delete(server)


def test_a_service_without_selector_leads_to_its_endpoints_object(pods: Pods) -> None:
    """As those of Knative's revisions. The controller manager copies it to EndpointSlices."""
    servers = [pods.run(python(_SERVER, readinessProbe=_READY)) for _ in range(2)]
    eventually(lambda: all(map(pods.is_ready, servers)))
    ports = [{"name": "http", "port": 80, "targetPort": 9}]
    pods.make("services", {"metadata": {"name": "bare"}, "spec": {"ports": ports}})

    def subsets(server: str) -> list[dict[str, Any]]:
        ip = pods.get(server)["status"]["podIP"]
        return [{"addresses": [{"ip": ip}], "ports": [{"name": "http", "port": 8000}]}]

    pods.make("endpoints", {"metadata": {"name": "bare"}, "subsets": subsets(servers[0])})
    url = _host_address(pods, "bare")
    eventually(lambda: _get(url) == servers[0])
    path = "/api/v1/namespaces/pods/endpoints/bare"
    pods.cluster.api.merge(path, {"subsets": subsets(servers[1])})
    eventually(lambda: _get(url) == servers[1], patience=5)
    for each in servers:
        pods.delete(each)


def test_each_port_of_a_load_balancer_leads_to_its_named_port(pods: Pods) -> None:
    container = [{"name": "web", "containerPort": 8000}, {"name": "none", "containerPort": 8001}]
    server = python(_SERVER, readinessProbe=_READY, ports=container)
    name = pods.run(server, labels={"app": "ports"})
    ports = [
        {"name": "first", "port": 80, "targetPort": "web"},
        {"name": "second", "port": 81, "targetPort": "web"},
        {"name": "third", "port": 82, "targetPort": "none"},
    ]
    spec = {"type": "LoadBalancer", "selector": {"app": "ports"}, "ports": ports}
    pods.make("services", {"metadata": {"name": "ports"}, "spec": spec})
    found = eventually(lambda: pods.cluster.layout.services().get("pods/ports"))
    assert sorted(found) == ["80", "81", "82"]
    eventually(lambda: pods.is_ready(name))
    eventually(lambda: {_get(f"http://{found[port]}/") for port in ("80", "81")} == {name})
    with pytest.raises(OSError, match=r"reset|closed|refused"):
        _get(f"http://{found['82']}/")
    pods.delete(name)


def test_an_unknown_name_fails_at_once(pods: Pods) -> None:
    look = "import socket, time; begun = time.time(); socket.getfqdn('10.9.9.9')"
    name = pods.run(python(f"{look}; print(time.time() - begun)"))
    assert pods.output(name) < 0.5
