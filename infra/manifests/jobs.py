"""The Jobs that prove an endpoint, as plain dicts, and what they may read."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.config.types import Mode, Placement, Protocol
from infra.manifests.addresses import canary_host, predictor_url, transformer_url
from infra.manifests.common import (
    JOB_VARIABLE,
    RELEASE_MOUNT,
    SCRATCH,
    SECURITY,
    Manifest,
    environment,
    labels,
    mount,
    proof_labels,
    pull_secrets,
    release_volume,
    resources,
    scratch_volume,
)
from infra.manifests.inference_service import CANARY
from infra.releases import RESULTS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from infra.config import Jobs
    from infra.manifests.inference_service import Serving
    from infra.releases import Artefact

# Room for last words after a verification's own deadline, which counts from the Job's start.
VERIFY_MARGIN_SECONDS = 60
# Room for a node to be added and an image to be pulled before a load test.
LOAD_MARGIN_SECONDS = 300
# How long a single request of the load test may take before it counts as failed.
LOAD_TIMEOUT_SECONDS = 10
# Kubernetes puts the Job's uid in its place: each attempt has results of its own.
ATTEMPT_VARIABLE = "KSERVE_TRITON_ATTEMPT"
ATTEMPT = f"$({ATTEMPT_VARIABLE})"


def verifier_name(stack: str) -> str:
    """The Kubernetes account of a stack's verifications; stacks may share a namespace."""
    return re.sub("[^a-z0-9]+", "-", f"verifier-{stack.lower()}").strip("-")


def verifier_rules(models: Iterable[str]) -> list[Manifest]:
    """Read these InferenceServices, and what tells why one of them can't come up."""
    return [
        {
            "apiGroups": ["serving.kserve.io"],
            "resources": ["inferenceservices"],
            "resourceNames": sorted(models),
            "verbs": ["get"],
        },
        {"apiGroups": [""], "resources": ["pods", "pods/log", "events"], "verbs": ["get", "list"]},
    ]


def verify_config(serving: Serving) -> Manifest:
    """What the verification is asked."""
    name, namespace, settings = serving.name, serving.namespace, serving.settings
    return _verify(serving) | {
        "transformer_url": transformer_url(name, namespace, settings),
        "predictor_url": predictor_url(name, namespace, settings),
    }


def canary_config(canary: Serving) -> Manifest:
    """What a canary's verification is asked, at its own address."""
    settings = canary.settings
    host = canary_host(canary.name, canary.namespace, settings.mode)
    collocated = settings.placement is Placement.COLLOCATED
    triton = f"{host}:80" if settings.protocol is Protocol.GRPC else f"http://{host}"
    return _verify(canary) | {
        "transformer_url": f"http://{host}" if collocated else None,
        "predictor_url": None if collocated else triton,
        "canary": CANARY if settings.mode is Mode.STANDARD else None,
    }


def _verify(serving: Serving) -> Manifest:
    settings = serving.settings
    return {
        "model": serving.name,
        "service": serving.name,
        "namespace": serving.namespace,
        "mode": settings.mode.value,
        "predictor_protocol": settings.protocol.value,
        "host_header": None,
        "deadline_seconds": settings.verification.deadline_seconds,
        "release_digest": serving.artefact.digest,
        "storage_uri": serving.storage_uri,
        "tolerance": settings.verification.tolerance,
    }


def load_config(serving: Serving, result: str | None) -> Manifest:
    """What the load test is asked."""
    name, perf = serving.name, serving.settings.perf
    to_transformer = perf.target == "transformer"
    reach = transformer_url if to_transformer else predictor_url
    return {
        "model": name,
        "url": reach(name, serving.namespace, serving.settings),
        "target": perf.target,
        "host_header": None,
        "rate": perf.rate,
        "duration_seconds": perf.duration_seconds,
        "timeout_seconds": LOAD_TIMEOUT_SECONDS,
        "objectives": perf.objectives.model_dump(),
        "result": result,
    }


def result_path(bucket: str, artefact: Artefact, key: str, attempt: str = ATTEMPT) -> str:
    """Where an attempt at a load test puts its result; `attempt` is its Job's uid."""
    return f"gs://{bucket}/{RESULTS}{artefact.name}/{key}/{attempt}/result.json"


def report_path(result: str) -> str:
    """The page that the Job puts beside its result."""
    return f"{result.rpartition('/')[0]}/report.html"


def key(*parts: Manifest | str) -> str:
    """A short digest over what a Job proves: another thing to prove is another Job."""
    text = json.dumps(parts, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:10]


@dataclass(frozen=True)
class Task:
    """What a Job does: a command of `perf` as `config` says, in `seconds` at most, as whom."""

    name: str
    command: str
    config: Manifest
    seconds: int
    service_account: str | None = None


def job(task: Task, serving: Serving, jobs: Jobs) -> Manifest:
    """A Job of one attempt: metadata and spec."""
    pod: Manifest = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": task.service_account is not None,
        "containers": [_container(task, jobs)],
        "volumes": [release_volume(serving.artefact), scratch_volume()],
        **pull_secrets(serving.pull_secrets),
    }
    if task.service_account:
        pod["serviceAccountName"] = task.service_account
    metadata = {"labels": labels(serving.name) | proof_labels(serving.name)}
    return {
        "metadata": {
            "name": task.name,
            "namespace": serving.namespace,
            # A failed one is run again by the next update, though nothing of it changed.
            "annotations": {"pulumi.com/replaceUnready": "true"},
            **metadata,
        },
        "spec": {
            # Another attempt would mix its figures with the first one's.
            "backoffLimit": 0,
            "activeDeadlineSeconds": task.seconds,
            "template": {"metadata": metadata, "spec": pod},
        },
    }


def _container(task: Task, jobs: Jobs) -> Manifest:
    # Kubernetes would take any $(NAME) in a variable for another one, unless it is escaped.
    config = json.dumps(task.config, indent=1).replace("$", "$$").replace(f"${ATTEMPT}", ATTEMPT)
    uid = {"fieldRef": {"fieldPath": "metadata.labels['batch.kubernetes.io/controller-uid']"}}
    attempt = [{"name": ATTEMPT_VARIABLE, "valueFrom": uid}] if ATTEMPT in config else []
    return {
        "name": task.command,
        "image": jobs.image,
        "args": [task.command, f"--release={RELEASE_MOUNT}/release.json"],
        "env": [*attempt, *environment({JOB_VARIABLE: config})],
        "resources": resources(jobs),
        "securityContext": SECURITY,
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [mount("release", RELEASE_MOUNT), SCRATCH],
    }
