"""The Jobs that prove an endpoint, as plain dicts, and what they may read."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from infra.addresses import predictor_url, transformer_url
from infra.manifests import (
    JOB_MOUNT,
    RELEASE_MOUNT,
    SCRATCH,
    SECURITY,
    labels,
    mount,
    release_volume,
    resources,
    scratch_volume,
)
from infra.releases import RESULTS

if TYPE_CHECKING:
    from infra.releases import Artefact
    from infra.sections import Jobs, ModelSettings

Manifest = dict[str, Any]

# Room for a container to be pulled and to say its last words after its own deadline.
JOB_MARGIN_SECONDS = 300
# How long a single request of the load test may take before it counts as failed.
LOAD_TIMEOUT_SECONDS = 10
# What the verification reads of its namespace to tell why a service can't come up.
RULES: list[Manifest] = [
    {"apiGroups": [""], "resources": ["pods", "pods/log", "events"], "verbs": ["get", "list"]},
]


def rules(name: str) -> list[Manifest]:
    """Read this one InferenceService, and the pods, logs and events of the namespace."""
    own = {
        "apiGroups": ["serving.kserve.io"],
        "resources": ["inferenceservices"],
        "resourceNames": [name],
        "verbs": ["get"],
    }
    return [own, *RULES]


def verify_config(
    artefact: Artefact, settings: ModelSettings, namespace: str, storage_uri: str
) -> Manifest:
    """job.json of the verification."""
    name = artefact.name
    return {
        "model": name,
        "service": name,
        "namespace": namespace,
        "mode": settings.mode.value,
        "transformer_url": transformer_url(name, namespace, settings),
        "predictor_url": predictor_url(name, namespace, settings),
        "predictor_protocol": settings.protocol.value,
        "host_header": None,
        "deadline_seconds": settings.verification.deadline_seconds,
        "release_digest": artefact.digest,
        "storage_uri": storage_uri,
        "tolerance": settings.verification.tolerance,
    }


def load_config(
    artefact: Artefact, settings: ModelSettings, namespace: str, result: str | None
) -> Manifest:
    """job.json of the load test."""
    name, perf = artefact.name, settings.perf
    to_transformer = perf.target == "transformer"
    reach = transformer_url if to_transformer else predictor_url
    return {
        "model": name,
        "url": reach(name, namespace, settings),
        "target": perf.target,
        "host_header": None,
        "rate": perf.rate,
        "duration_seconds": perf.duration_seconds,
        "timeout_seconds": LOAD_TIMEOUT_SECONDS,
        "objectives": perf.objectives.model_dump(),
        "result": result,
    }


def result_path(bucket: str, artefact: Artefact, key: str) -> str:
    """Where a load test's result is put."""
    return f"gs://{bucket}/{RESULTS}{artefact.name}/{key}/result.json"


def key(*parts: Manifest | str) -> str:
    """A short digest over what a Job proves: another thing to prove is another Job."""
    text = json.dumps(parts, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def job(
    name: str,
    command: str,
    artefact: Artefact,
    jobs: Jobs,
    namespace: str,
    seconds: int,
    service_account: str | None,
) -> Manifest:
    """A Job of one attempt: metadata and spec. Its job.json is the ConfigMap of the same name."""
    pod: Manifest = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": service_account is not None,
        "containers": [_container(command, jobs)],
        "volumes": [
            release_volume(artefact),
            {"name": "job", "configMap": {"name": name}},
            scratch_volume(),
        ],
    }
    if service_account:
        pod["serviceAccountName"] = service_account
    metadata = {"labels": labels(artefact.name)}
    return {
        "metadata": {
            "name": name,
            "namespace": namespace,
            # A failed one is run again by the next update, though nothing of it changed.
            "annotations": {"pulumi.com/replaceUnready": "true"},
            **metadata,
        },
        "spec": {
            # Another attempt would mix its figures with the first one's.
            "backoffLimit": 0,
            "activeDeadlineSeconds": seconds + JOB_MARGIN_SECONDS,
            "template": {"metadata": metadata, "spec": pod},
        },
    }


def _container(command: str, jobs: Jobs) -> Manifest:
    return {
        "name": command,
        "image": jobs.image,
        "args": [
            command,
            f"--config={JOB_MOUNT}/job.json",
            f"--release={RELEASE_MOUNT}/release.json",
        ],
        "resources": resources(jobs),
        "securityContext": SECURITY,
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [
            mount("release", RELEASE_MOUNT),
            mount("job", JOB_MOUNT),
            SCRATCH,
        ],
    }
