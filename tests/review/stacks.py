"""Stacks as the engine records them, and the preview of getting from one to another.

Shapes follow the program's own resources and the CLI's `preview --json`; what a test does not need
of a manifest is left out.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

from release.schema import SHORT_DIGEST
from review.preview import BUCKET, BUCKET_OBJECT, CONFIG_MAP, INFERENCE_SERVICE
from review.properties import ASSET, SIGNATURE

State = dict[str, Any]
Stack = dict[str, State]

PROJECT = "urn:pulumi:prod::kserve-triton::"
JOB = "kubernetes:batch/v1:Job"
MODE = "serving.kserve.io/deploymentMode"


@dataclass(frozen=True)
class Pods:
    """How many of a component, and how large."""

    cpu: str = "1"
    memory: str = "2Gi"
    low: int = 1
    high: int = 1


@dataclass(frozen=True)
class Setting:
    """A model of a stack: its release, and how it is served."""

    name: str = "digits"
    digest: str = ""
    tensors: str = "3, 32, 32"
    gpu: str | None = None
    grpc: bool = False
    mode: str = "Knative"
    container: str = "26.05-py3"
    collocated: bool = False
    predictor: Pods = field(default_factory=Pods)
    transformer: Pods = field(default_factory=lambda: Pods(memory="1Gi"))

    @property
    def version(self) -> str:
        return short(f"{self.digest}{config_pbtxt(self)}", SHORT_DIGEST)


def short(text: str, digits: int = 64) -> str:
    """A digest of a name, so that no test has to make one up."""
    return hashlib.sha256(text.encode()).hexdigest()[:digits]


def config_pbtxt(model: Setting) -> str:
    """Enough of one to have a diff."""
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
        _add(made, "ModelRepository$" + BUCKET, "models-bucket", inputs, protect=False)
    for model in models:
        _objects(made, model, retain)
        _serving(made, model)
    return made


def _add(made: Stack, kind: str, name: str, inputs: dict[str, Any], **more: Any) -> None:
    urn = f"{PROJECT}kserve-triton:index:{kind}::{name}"
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
        kind = "ModelRepository$" + BUCKET_OBJECT
        _add(made, kind, name, inputs, retainOnDelete=retain)


def _serving(made: Stack, model: Setting) -> None:
    release = f"release-{model.name}-{model.digest[:SHORT_DIGEST]}"
    manifest = inference_service(model, release)
    _add(made, "Inference$" + CONFIG_MAP, release, _object(release, {"data": {}}))
    _add(made, "Inference$" + INFERENCE_SERVICE, model.name, manifest)
    # A Job is named by all that it proves.
    for verb, component in (("verify", "Verification"), ("perf", "PerfTest")):
        name = f"{verb}-{model.name}-{short(json.dumps(manifest, sort_keys=True), 10)}"
        _add(made, f"{component}${JOB}", name, _object(name, {"spec": {"backoffLimit": 0}}))


def _object(name: str, rest: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "models"}} | rest


def inference_service(model: Setting, release: str) -> dict[str, Any]:
    """Its inputs, as the program asks for them."""
    container = {
        "image": "kserve-triton/transformer:0.1.0",
        "resources": _resources(model.transformer),
    }
    volumes = [{"name": "release", "configMap": {"name": release}}]
    predictor: dict[str, Any] = {
        "minReplicas": model.predictor.low,
        "maxReplicas": model.predictor.high,
        "model": {
            "modelFormat": {"name": "triton"},
            "protocolVersion": "grpc-v2" if model.grpc else "v2",
            "runtimeVersion": model.container,
            "storageUri": f"gs://kserve-triton-prod-models/models/{model.name}/{model.version}",
            "resources": _resources(model.predictor, gpu=bool(model.gpu)),
        },
    }
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
    """What the CLI would print for going from one to the other."""
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
