"""KServe on this node: a real InferenceService on the real Triton."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest
import urllib3

from local.layout import ROOT
from local.storage.identity import account_member
from tests.local.cluster import eventually

if TYPE_CHECKING:
    from local.api import Object
    from tests.local.cluster import Cluster
    from tests.local.node.conftest import Pods

_RENDER = """
import json
from pathlib import Path
from infra.releases import load
from infra.config import ModelSettings, Promotion
artefact = load({"digits": ModelSettings()}, Path("."), Promotion()).stable["digits"]
files = {name: str(path) for name, path in artefact.files.items()}
print(json.dumps({"files": files, "texts": artefact.texts}))
"""
_FILES = """
import functools, http.server
handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory="/mnt")
http.server.ThreadingHTTPServer(("", 8080), handler).serve_forever()
"""
_BUCKET, _VERSION = "node-test", "models/digits/1"
_NAME = "digits"


@pytest.fixture(scope="module")
def storage_uri(cluster: Cluster) -> str:
    """The release in the emulator's bucket, as the program uploads it."""
    done = subprocess.run(
        [ROOT / ".venv" / "bin" / "python", "-c", _RENDER],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    artefact = json.loads(done.stdout)
    content = {name: (ROOT / path).read_bytes() for name, path in artefact["files"].items()}
    content |= {name: text.encode() for name, text in artefact["texts"].items()}
    storage, owner = cluster.layout.storage(), cluster.layout.owner()
    made = urllib3.request(
        "POST", f"{storage}/storage/v1/b?project=local", json={"name": _BUCKET}, headers=owner
    )
    assert made.status in (200, 409), made.data
    everyone = [account_member("pods", "default")]
    policy = {"bindings": [{"role": "roles/storage.objectViewer", "members": everyone}]}
    granted = urllib3.request(
        "PUT", f"{storage}/storage/v1/b/{_BUCKET}/iam", json=policy, headers=owner
    )
    assert granted.status == 200, granted.data
    for name, data in content.items():
        query = f"uploadType=media&name={_VERSION}/{name}"
        answer = urllib3.request(
            "POST", f"{storage}/upload/storage/v1/b/{_BUCKET}/o?{query}", body=data, headers=owner
        )
        assert answer.status == 200, answer.data
    return f"gs://{_BUCKET}/{_VERSION}"


def _service(namespace: str, storage_uri: str) -> Object:
    """Triton, and a transformer that shows the folders which it gets from the bucket."""
    bounds = {"cpu": "500m", "memory": "2Gi"}
    model = {
        "modelFormat": {"name": "triton"},
        "runtime": "kserve-tritonserver",
        "runtimeVersion": "26.05-py3",
        "protocolVersion": "v2",
        "storageUri": storage_uri,
        "env": [{"name": "OMP_NUM_THREADS", "value": "1"}],
        "resources": {"requests": bounds, "limits": bounds},
    }
    annotations = {
        "serving.kserve.io/deploymentMode": "Standard",
        "serving.kserve.io/autoscalerClass": "none",
    }
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": _NAME, "namespace": namespace, "annotations": annotations},
        "spec": {
            "predictor": {"minReplicas": 1, "maxReplicas": 1, "model": model},
            "transformer": {
                "minReplicas": 1,
                "maxReplicas": 1,
                "containers": [
                    {
                        "name": "kserve-container",
                        "image": "test/python:1",
                        # KServe adds arguments of a transformer, which this one ignores.
                        "args": ["-uc", _FILES],
                        "env": [{"name": "STORAGE_URI", "value": f"{storage_uri}/{_NAME}/warmup"}],
                        "ports": [{"containerPort": 8080}],
                        "readinessProbe": {"httpGet": {"path": "/", "port": 8080}},
                    }
                ],
            },
        },
    }


def _ask(address: str) -> dict[str, Any]:
    tensor = {
        "name": "INPUT__0",
        "shape": [1, 3, 32, 32],
        "datatype": "FP32",
        "data": [0.0] * 3072,
    }
    body = json.dumps({"inputs": [tensor]}).encode()
    url = f"http://{address}/v2/models/{_NAME}/infer"
    with urllib.request.urlopen(urllib.request.Request(url, body), timeout=5) as answer:
        found: dict[str, Any] = json.load(answer)
        return found


def _is_ready(service: Object) -> bool:
    conditions = service.get("status", {}).get("conditions", [])
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def _address(pods: Pods, part: str) -> str:
    return pods.cluster.layout.services()[f"{pods.namespace}/{_NAME}-{part}"]["80"]


def _listing(address: str) -> str:
    """The files that the transformer has from the bucket."""
    with urllib.request.urlopen(f"http://{address}/models/", timeout=5) as answer:
        text: str = answer.read().decode()
        return text


def test_an_inference_service_becomes_ready_and_answers(pods: Pods, storage_uri: str) -> None:
    api = pods.cluster.api
    base = f"/apis/serving.kserve.io/v1beta1/namespaces/{pods.namespace}/inferenceservices"
    begun = time.monotonic()
    api.request("POST", base, _service(pods.namespace, storage_uri))
    eventually(lambda: _is_ready(api.get(f"{base}/{_NAME}")), patience=90)
    print(f"Ready after {time.monotonic() - begun:.1f} s")
    outputs = eventually(lambda: _ask(_address(pods, "predictor")))["outputs"]
    assert outputs[0]["name"] == "OUTPUT__0" and outputs[0]["shape"] == [1, 10]
    assert "INPUT__0" in eventually(lambda: _listing(_address(pods, "transformer")))
    api.request("DELETE", f"{base}/{_NAME}")
    selector = f"labelSelector=serving.kserve.io%2Finferenceservice%3D{_NAME}"
    path = f"/api/v1/namespaces/{pods.namespace}/pods?{selector}"
    eventually(lambda: not api.get(path)["items"], patience=60)
