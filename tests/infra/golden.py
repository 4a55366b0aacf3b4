"""What the cluster is asked for, for each combination of switches, as files that people can read.

Written anew by `.venv/bin/python -m tests.infra.golden`.
"""

from __future__ import annotations

import itertools
import os
from pathlib import Path
from typing import Any

import yaml

from tests.infra.program import TEST_ROOT, run

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
_KINDS = {
    "kubernetes:serving.kserve.io/v1beta1:InferenceService": "serving.kserve.io/v1beta1",
    "kubernetes:batch/v1:Job": "batch/v1",
    "kubernetes:networking.k8s.io/v1:NetworkPolicy": "networking.k8s.io/v1",
}


def path(switches: dict[str, str]) -> Path:
    """Of a combination's file."""
    return GOLDEN / f"{'-'.join(switches.values()).lower()}.yaml"


def manifests(switches: dict[str, str]) -> str:
    """The InferenceService, its Jobs and its network policies, as YAML documents."""
    documents: list[dict[str, Any]] = [
        {
            "apiVersion": _KINDS[each.typ],
            "kind": each.typ.rpartition(":")[2],
            "metadata": each.inputs["metadata"],
            "spec": each.inputs["spec"],
        }
        for each in run("local", switches).resources
        if each.typ in _KINDS
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
    for switches in COMBINATIONS:
        path(switches).write_text(manifests(switches))


if __name__ == "__main__":
    main()
