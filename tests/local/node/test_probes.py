"""Startup, liveness and readiness probes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.local.cluster import eventually
from tests.local.node.conftest import python

if TYPE_CHECKING:
    from tests.local.node.conftest import Pods

_SERVER = """
import http.server, pathlib
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        well = pathlib.Path('/state/well').exists()
        self.send_response(200 if well else 503)
        self.end_headers()
    def do_PUT(self):
        pathlib.Path('/state/well').touch()
        self.send_response(200)
        self.end_headers()
http.server.ThreadingHTTPServer(('', 8000), Handler).serve_forever()
"""
_STATE = {
    "volumes": [{"name": "state", "emptyDir": {}}],
    "restartPolicy": "Always",
}
_MOUNT = {"volumeMounts": [{"name": "state", "mountPath": "/state"}]}
_PUT = "import urllib.request as u; u.urlopen(u.Request('http://%s:8000/', method='PUT'))"


def _http(**more: int) -> dict[str, object]:
    return {"httpGet": {"path": "/", "port": 8000}, "periodSeconds": 1, **more}


def test_ready_when_the_readiness_probe_succeeds(pods: Pods) -> None:
    name = pods.run(python(_SERVER, readinessProbe=_http(), **_MOUNT), **_STATE)
    pods.phase(name, "Running")
    eventually(lambda: pods.get(name)["status"].get("podIP"))
    assert not pods.is_ready(name)
    pods.phase(pods.run(python(_PUT % pods.get(name)["status"]["podIP"])), "Succeeded")
    eventually(lambda: pods.is_ready(name))
    assert pods.status(name)["restartCount"] == 0
    pods.delete(name)


def test_a_failing_liveness_probe_restarts_the_container(pods: Pods) -> None:
    name = pods.run(python(_SERVER, livenessProbe=_http(failureThreshold=2), **_MOUNT), **_STATE)
    eventually(lambda: pods.status(name)["restartCount"] >= 1)
    pods.delete(name)


def test_other_probes_wait_for_the_startup_probe(pods: Pods) -> None:
    probes = {
        "startupProbe": {"exec": {"command": ["test", "-e", "/state/well"]}, "periodSeconds": 1},
        "livenessProbe": _http(failureThreshold=1),
    }
    name = pods.run(python(_SERVER, **probes, **_MOUNT), **_STATE)
    eventually(lambda: pods.get(name)["status"].get("podIP"))
    assert pods.status(name)["started"] is False
    pods.phase(pods.run(python(_PUT % pods.get(name)["status"]["podIP"])), "Succeeded")
    eventually(lambda: pods.status(name)["started"] and pods.is_ready(name))
    assert pods.status(name)["restartCount"] == 0
    pods.delete(name)


def test_tcp_and_grpc_probes(pods: Pods) -> None:
    code = """
import concurrent.futures, grpc
from grpc_health.v1 import health, health_pb2_grpc
server = grpc.server(concurrent.futures.ThreadPoolExecutor(2))
health_pb2_grpc.add_HealthServicer_to_server(health.HealthServicer(), server)
server.add_insecure_port('0.0.0.0:9000')
server.start()
server.wait_for_termination()
"""
    grpc = {"grpc": {"port": 9000}, "periodSeconds": 1, "timeoutSeconds": 2}
    tcp = {"tcpSocket": {"port": "named"}, "periodSeconds": 1}
    ports = [{"name": "named", "containerPort": 9000}]
    name = pods.run(python(code, readinessProbe=grpc, startupProbe=tcp, ports=ports))
    eventually(lambda: pods.is_ready(name))
    pods.delete(name)
