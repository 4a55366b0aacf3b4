"""Names, ports and labels that manifests, components and containers agree on."""

from __future__ import annotations

import re
from typing import Any

from release.load_test import MODEL_LABEL
from release.schema import short

Manifest = dict[str, Any]

# Folder of the bucket: results of load tests.
RESULTS = "perf/"
# Folder of the bucket: exported programs, which Jobs compile.
PROGRAMS = "programs/"
# A Job's configuration as JSON: it changes only with the Job, and needs no object of its own.
JOB_VARIABLE = "KSERVE_TRITON_JOB"
# Kubernetes replaces it by the Job's uid, so that each attempt has results of its own.
ATTEMPT_VARIABLE = "KSERVE_TRITON_ATTEMPT"
ATTEMPT = f"$({ATTEMPT_VARIABLE})"

TRANSFORMER_PORT = 8080
GRPC_PORT = 9000
# Triton's HTTP port beside a transformer, which needs 8080: KServe routes to that port only.
COLLOCATED_HTTP_PORT = 8085
# Triton's default, which KServe's runtime does not change.
TRITON_METRICS_PORT = 8002
# Ports of Knative's queue-proxy: HTTP/1, HTTP/2, probes and draining; then metrics.
QUEUE_PORTS = (8012, 8013, 8022, 8112)
QUEUE_METRICS_PORTS = (9090, 9091)

KNATIVE_NAMESPACE = "knative-serving"
# In Standard mode KServe names the canary's Deployment and Service by it.
CANARY = "canary"
# Labels that KServe gives pods.
SERVICE_LABEL, COMPONENT_LABEL = "serving.kserve.io/inferenceservice", "component"


def labels(name: str) -> dict[str, str]:
    """Kubernetes' recommended labels."""
    return {
        MODEL_LABEL: name,
        "app.kubernetes.io/part-of": "kserve-triton",
        "app.kubernetes.io/managed-by": "pulumi",
    }


def job_labels(name: str) -> dict[str, str]:
    """Labels of the pods of a model's Jobs; its network policies let them in."""
    return {MODEL_LABEL: name, "app.kubernetes.io/component": "proof"}


def pod_labels(name: str, component: str) -> dict[str, str]:
    """Labels that KServe gives a component's pods, of every revision and canary."""
    return {SERVICE_LABEL: name, COMPONENT_LABEL: component}


def release_map_name(model: str, digest: str) -> str:
    """The ConfigMap with release.json, named by its content."""
    return f"release-{model}-{short(digest)}"


def pods_name(name: str) -> str:
    """The Service over the predictor's pods, of stable and canary, in Standard mode."""
    return f"{name}-pods"


def verifier_name(stack: str) -> str:
    """The Kubernetes account of a stack's verifications; stacks may share a namespace."""
    return re.sub("[^a-z0-9]+", "-", f"verifier-{stack.lower()}").strip("-")
