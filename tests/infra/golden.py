"""What the cluster is asked for, for each combination of switches, as files that people can read.

Written anew by `.venv/bin/python -m tests.infra.golden`.
"""

from __future__ import annotations

import itertools
import json
import os
from pathlib import Path
from typing import Any

import yaml

from infra.config import merged
from release.schema import short
from tests.infra.program import run
from tests.infra.projects import TEST_ROOT

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
SWITCHES = {
    "device": ("cpu", "gpu"),
    "protocol": ("http", "grpc"),
    "placement": ("separate", "collocated"),
    "mode": ("Standard", "Knative"),
}
COMBINATIONS = [
    dict(zip(SWITCHES, values, strict=True)) for values in itertools.product(*SWITCHES.values())
]
_LOCK = json.loads((TEST_ROOT / "models.lock.json").read_text())["models"]["digits"]
_CANARY = {
    "release": short(_LOCK[1]["digest"]),
    "canary": {"release": short(_LOCK[0]["digest"]), "trafficPercent": 25},
}
# What the switches don't show, on top of them: every option that KServe, Knative and GKE have.
_EVERYTHING = {
    "pullSecrets": ["ngc"],
    "triton": {"image": f"nvcr.io/nvidia/tritonserver@sha256:{'a' * 64}"},
    "predictor": {
        "accelerator": "nvidia-l4",
        "gpuSharing": "time-sharing",
        "spot": True,
        "cacheNodeGroup": "gpu-nodes",
        "spread": ["zone", "node"],
        "minReplicas": 2,
        "maxReplicas": 8,
    },
    "network": {"clientNamespaces": ["shop"]},
    "monitoring": {"scrape": "podmonitoring"},
}
_SCALING = {
    "predictor": {"scaleMetric": "concurrency", "scaleTarget": 8, "containerConcurrency": 16},
    "transformer": {"minReplicas": 0, "maxReplicas": 4, "idleSeconds": 300, "timeoutSeconds": 30},
}
_IMAGE = f"oci://europe-docker.pkg.dev/p/models/digits@sha256:{'b' * 64}"
SPECIAL: dict[str, dict[str, Any]] = {
    "canary-standard": {"mode": "Standard", "models": {"digits": _CANARY}},
    "canary-knative": {"mode": "Knative", "models": {"digits": _CANARY}},
    "everything-standard": _EVERYTHING | {"device": "gpu", "mode": "Standard"},
    "everything-knative": merged(_EVERYTHING | {"device": "gpu", "mode": "Knative"}, _SCALING),
    "operator-knative": {"mode": "Knative", "device": "gpu", "knative": {"managedBy": "operator"}},
    "rollout-standard": {
        "domain": "models.example.com",
        "urlScheme": "https",
        "network": {"clientCidrs": ["35.191.0.0/16", "130.211.0.0/22"]},
        "predictor": {
            "maxReplicas": 4,
            "deploymentStrategy": {"maxSurge": 0},
            "behavior": {"scaleDown": {"stabilizationWindowSeconds": 900}},
        },
        "transformer": {"deploymentStrategy": {"type": "Recreate"}},
    },
    "oci-standard": {"models": {"digits": {"storageUri": _IMAGE}}},
    "tensors-grpc-standard": {
        "protocol": "grpc",
        "transformer": {"enabled": False},
        "models": {"ratings": {}},
    },
    "handler-standard": {"models": {"topics": {"handler": {"parameters": {"lower": False}}}}},
    "handler-in-bucket-standard": {
        "predictor": {"serviceAccount": "models"},
        "models": {"large": {}},
    },
    "handler-in-bucket-collocated": {"placement": "collocated", "models": {"large": {}}},
    "aoti-knative": {
        "mode": "Knative",
        "device": "gpu",
        "triton": {"container": "26.06-py3"},
        "predictor": {"accelerator": "nvidia-l4"},
        "compiler": {"serviceAccount": "compiler"},
        "models": {"compiled": {}},
    },
    "own-transformer-standard": {
        "transformer": {"image": "registry.example/mine:1", "args": ["--size=32"]},
        "models": {"topics": {}},
    },
}
CASES = {"-".join(each.values()).lower(): each for each in COMBINATIONS}
CASES |= {f"options/{name}": changes for name, changes in SPECIAL.items()}
# The cloud stacks' own files.
STACKS = ("dev", "prod")
# Nothing has been proven here, and the default images change with the version.
_CLOUD = {
    "promotion": {"override": "for golden manifests"},
    "transformer": {"image": f"registry.example/transformer@sha256:{'c' * 64}"},
    "jobs": {"image": f"registry.example/jobs@sha256:{'d' * 64}"},
}
# What people want to see of a stack, and the API to accept. ConfigMaps hold releases.
_KINDS = (
    "HorizontalPodAutoscaler",
    "InferenceService",
    "Job",
    "KnativeServingPatch",
    "LocalModelCache",
    "NetworkPolicy",
    "PodDisruptionBudget",
    "PodMonitoring",
    "Service",
)


def path(name: str) -> Path:
    """Of a case's file."""
    return GOLDEN / f"{name}.yaml"


def stack_manifests(stack: str) -> str:
    """Of a cloud stack."""
    return manifests(_CLOUD, stack)


def manifests(changes: dict[str, Any], stack: str = "local") -> str:
    """What a stack asks the cluster for, as YAML documents."""
    documents = [
        {
            "apiVersion": each.typ.split(":")[1].removeprefix("core/"),
            "kind": each.typ.rpartition(":")[2].removesuffix("Patch"),
            "metadata": each.inputs["metadata"],
            "spec": each.inputs["spec"],
        }
        for each in run(stack, changes).resources
        if each.typ.startswith("kubernetes:")
        and each.typ.rpartition(":")[2] in _KINDS
        and not each.resource_id
    ]
    documents = [_plain(each) for each in documents]
    documents.sort(key=lambda each: (each["kind"], each["metadata"]["name"]))
    return yaml.safe_dump_all(documents, sort_keys=False)


def _plain(value: Any) -> Any:
    """As the engine's own format has it, every number is a fraction and no key has a place."""
    if isinstance(value, dict):
        return {key: _plain(value[key]) for key in sorted(value)}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def main() -> None:
    os.chdir(TEST_ROOT)
    GOLDEN.mkdir(exist_ok=True)
    for folder in ("options", "stacks"):
        (GOLDEN / folder).mkdir(exist_ok=True)
    for name, changes in CASES.items():
        path(name).write_text(manifests(changes))
    for stack in STACKS:
        path(f"stacks/{stack}").write_text(stack_manifests(stack))


if __name__ == "__main__":
    main()
