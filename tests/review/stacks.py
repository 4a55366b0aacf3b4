"""Stacks as the engine records them, and the preview of an update from one to another.

Shapes follow the program's own resources and the CLI's `preview --json`. Manifests have only the
fields that the tests need.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass, field, replace
from typing import Any

from release.schema import SHORT_DIGEST
from release.stacks import SERVED_MODEL
from review.preview import (
    BUCKET,
    BUCKET_OBJECT,
    CONFIG_MAP,
    INFERENCE_SERVICE,
    JOB,
)
from review.properties import ASSET, SIGNATURE

State = dict[str, Any]
Stack = dict[str, State]

PROJECT = "urn:pulumi:prod::kserve-triton::"
REPOSITORY = "kserve-triton:index:ModelRepository"
MODE = "serving.kserve.io/deploymentMode"
IMAGE = "registry.example/transformer@sha256:" + hashlib.sha256(b"transformer").hexdigest()


@dataclass(frozen=True)
class Pods:
    """The number and size of a component's pods."""

    cpu: str = "1"
    memory: str = "2Gi"
    low: int = 1
    high: int = 1


@dataclass(frozen=True)
class Setting:
    """A model of a stack: its release and settings."""

    name: str = "digits"
    digest: str = ""
    tensors: str = "3, 32, 32"
    gpu: str | None = None
    grpc: bool = False
    mode: str = "Knative"
    container: str = "26.05-py3"
    collocated: bool = False
    canary: tuple[str, int] | None = None
    requires: str | None = "dev"
    env: tuple[tuple[str, str], ...] = ()
    predictor: Pods = field(default_factory=Pods)
    transformer: Pods = field(default_factory=lambda: Pods(memory="1Gi"))

    @property
    def version(self) -> str:
        return short(f"{self.digest}{config_pbtxt(self)}", SHORT_DIGEST)

    @property
    def storage_uri(self) -> str:
        return f"gs://kserve-triton-prod-models/models/{self.name}/{self.version}"

    @property
    def releases(self) -> list[Setting]:
        """The model, and the same settings with the release of its canary."""
        return [self, *([replace(self, digest=self.canary[0], canary=None)] if self.canary else [])]

    @property
    def release_map(self) -> str:
        return f"release-{self.name}-{self.digest[:SHORT_DIGEST]}"


def short(text: str, digits: int = 64) -> str:
    """The digest of a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:digits]


def config_pbtxt(model: Setting) -> str:
    """Enough of a config.pbtxt to have a diff."""
    kind = "KIND_GPU" if model.gpu else "KIND_CPU"
    return (
        f'name: "{model.name}"\nplatform: "pytorch_libtorch"\nmax_batch_size: 32\n'
        f'input {{\n  name: "INPUT__0"\n  data_type: TYPE_FP32\n  dims: [{model.tensors}]\n}}\n'
        f'output {{\n  name: "OUTPUT__0"\n  data_type: TYPE_FP32\n  dims: [10]\n}}\n'
        f"instance_group {{\n  count: 1\n  kind: {kind}\n}}\n"
    )


def stack(
    *models: Setting, bucket: bool = True, retain: bool = True, location: str = "EUROPE-WEST4"
) -> Stack:
    """Every resource of a stack, by URN."""
    made: Stack = {}
    if bucket:
        inputs = {"name": "kserve-triton-prod-models", "location": location}
        _add(made, f"{REPOSITORY}${BUCKET}", "models-bucket", inputs, protect=False)
    for model in models:
        for release in model.releases:
            _objects(made, release, retain)
            config_map = _object(release.release_map, {"data": {}})
            _add(made, f"{SERVED_MODEL}${CONFIG_MAP}", release.release_map, config_map)
        _serving(made, model)
    return made


def _add(made: Stack, kind: str, name: str, inputs: dict[str, Any], **more: Any) -> None:
    urn = f"{PROJECT}{kind}::{name}"
    made[urn] = {
        "urn": urn,
        "custom": True,
        "type": kind.rpartition("$")[2],
        "inputs": inputs,
        "outputs": inputs,
    } | more


def _objects(made: Stack, model: Setting, retain: bool) -> None:
    pt = {SIGNATURE: ASSET, "hash": model.digest, "path": f"build/{model.name}/model.pt"}
    config = {SIGNATURE: ASSET, "hash": model.version, "text": config_pbtxt(model)}
    for path, source in (("1/model.pt", pt), ("config.pbtxt", config)):
        inputs = {
            "bucket": "kserve-triton-prod-models",
            "name": f"models/{model.name}/{model.version}/{model.name}/{path}",
            "source": source,
        }
        name = f"{model.name}-{model.version}/{model.name}/{path}"
        _add(made, f"{REPOSITORY}${BUCKET_OBJECT}", name, inputs, retainOnDelete=retain)


def _serving(made: Stack, model: Setting) -> None:
    _add(made, SERVED_MODEL, model.name, served_model(model), custom=False)
    manifest = inference_service(model)
    _add(made, f"{SERVED_MODEL}${INFERENCE_SERVICE}", model.name, manifest)
    # A Job's name has a digest of all that it verifies.
    for verb in ("verify", "perf"):
        name = f"{verb}-{model.name}-{short(json.dumps(manifest, sort_keys=True), 10)}"
        _add(made, f"{SERVED_MODEL}${JOB}", name, _object(name, {"spec": {"backoffLimit": 0}}))


def _object(name: str, rest: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "models"}} | rest


def served_model(model: Setting) -> dict[str, Any]:
    """The component's inputs, as infra/manifests/summary.py registers them."""
    gpu = {"gpus": int(bool(model.gpu)), "accelerator": model.gpu, "spot": False}
    return (
        {
            "model": model.name,
            "release": model.digest,
            "storageUri": model.storage_uri,
            "device": "gpu" if model.gpu else "cpu",
            "protocol": "grpc" if model.grpc else "http",
            "placement": "collocated" if model.collocated else "separate",
            "mode": model.mode,
            "container": model.container,
            "predictor": _pods(model.predictor) | gpu,
            "transformer": _pods(model.transformer) | {"image": IMAGE},
        }
        | _canary(model)
        | ({"requires": model.requires} if model.requires else {})
    )


def _canary(model: Setting) -> dict[str, Any]:
    if not model.canary:
        return {}
    uri = model.releases[1].storage_uri
    release, percent = model.canary
    low, high = model.predictor.low, model.predictor.high
    if model.mode == "Standard":
        low = high = max(math.ceil(low * percent / 100), 1)
    pods = {"minReplicas": low, "maxReplicas": high}
    return {"canary": {"release": release, "storageUri": uri, "trafficPercent": percent} | pods}


def _pods(pods: Pods) -> dict[str, Any]:
    replicas = {"minReplicas": pods.low, "maxReplicas": pods.high}
    return {"cpu": pods.cpu, "memory": pods.memory} | replicas


def inference_service(model: Setting) -> dict[str, Any]:
    """The inputs of the InferenceService."""
    container = {"image": IMAGE, "resources": _resources(model.transformer)}
    volumes = [{"name": "release", "configMap": {"name": model.release_map}}]
    predictor: dict[str, Any] = {
        "minReplicas": model.predictor.low,
        "maxReplicas": model.predictor.high,
        "model": {
            "modelFormat": {"name": "triton"},
            "protocolVersion": "grpc-v2" if model.grpc else "v2",
            "runtimeVersion": model.container,
            # Under Knative the newest revision is the canary.
            "storageUri": model.releases[-1].storage_uri,
            "env": [{"name": name, "value": value} for name, value in model.env],
            "resources": _resources(model.predictor, gpu=bool(model.gpu)),
        },
    }
    if model.canary:
        predictor["canaryTrafficPercent"] = model.canary[1]
    if model.gpu:
        predictor["nodeSelector"] = {"cloud.google.com/gke-accelerator": model.gpu}
    spec = {"predictor": predictor}
    if model.collocated:
        predictor |= {"containers": [container], "volumes": volumes}
    else:
        low, high = model.transformer.low, model.transformer.high
        replicas = {"minReplicas": low, "maxReplicas": high}
        spec["transformer"] = replicas | {"containers": [container], "volumes": volumes}
    metadata = {"name": model.name, "namespace": "models", "annotations": {MODE: model.mode}}
    return {"metadata": metadata, "spec": spec}


def _resources(pods: Pods, gpu: bool = False) -> dict[str, Any]:
    bounds = {"cpu": pods.cpu, "memory": pods.memory} | ({"nvidia.com/gpu": "1"} if gpu else {})
    return {"requests": bounds, "limits": dict(bounds)}


def preview(old: Stack, new: Stack, *diagnostics: dict[str, str]) -> dict[str, Any]:
    """The CLI's output for an update from `old` to `new`."""
    root = f"{PROJECT}pulumi:pulumi:Stack::kserve-triton-prod"
    steps: list[dict[str, Any]] = [{"op": "same", "urn": root}]
    steps += [_step(urn, old.get(urn), new.get(urn)) for urn in old | new]
    steps = [each for each in steps if each["op"] != "same" or each["urn"] == root]
    summary: dict[str, int] = {}
    for each in steps:
        summary[each["op"]] = summary.get(each["op"], 0) + 1
    return {"steps": steps, "diagnostics": list(diagnostics), "changeSummary": summary}


def _step(urn: str, old: State | None, new: State | None) -> dict[str, Any]:
    step: dict[str, Any] = {"op": "same", "urn": urn}
    if old is not None:
        step["oldState"] = old
    if new is not None:
        step["newState"] = new
    if old is None or new is None:
        return step | {"op": "create" if old is None else "delete"}
    if old == new:
        return step
    if not old["custom"]:
        return step | {"op": "update", "detailedDiff": None}
    paths = _differences(old["inputs"], new["inputs"], "")
    replacing = [path for path in paths if path == "location" or MODE in path]
    kind = "update-replace" if replacing else "update"
    detailed = {path: {"kind": kind, "inputDiff": True} for path in paths}
    keys = {"replaceReasons": [path.split(".")[0] for path in replacing]} if replacing else {}
    op = "replace" if replacing else "update"
    return step | {"op": op, "detailedDiff": detailed} | keys


def _differences(old: Any, new: Any, path: str) -> list[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        return [
            found
            for key in old | new
            for found in _differences(old.get(key), new.get(key), _below(path, key))
        ]
    return [] if old == new else [path]


def _below(path: str, key: str) -> str:
    if "." in key or "/" in key:
        return f'{path}["{key}"]'
    return f"{path}.{key}" if path else key
