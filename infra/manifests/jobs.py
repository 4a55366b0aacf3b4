"""The Jobs that verify and load an endpoint, as plain dicts, and what they may read."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from infra.config.types import Mode, Placement, Protocol
from infra.manifests.inference_service import inference_service
from infra.manifests.job_template import JobSpec, job_manifest
from infra.manifests.names import (
    ATTEMPT,
    ATTEMPT_VARIABLE,
    CANARY,
    JOB_VARIABLE,
    RESULTS,
    TRANSFORMER_PORT,
    Manifest,
    job_labels,
    verifier_name,
)
from infra.manifests.pods import (
    RELEASE_MOUNT,
    SCRATCH,
    SECURITY,
    environment,
    mount,
    release_volume,
    resources,
    scratch_volume,
)
from infra.manifests.urls import (
    canary_host,
    outer_url,
    predictor_port,
    predictor_url,
    transformer_url,
)
from release.load_test import RELEASE_ANNOTATION

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from infra.config import Jobs, ModelSettings
    from infra.manifests.served_release import ServedRelease

# A verification's own deadline and Kubernetes' count from the Job's start; this is between them.
VERIFY_MARGIN_SECONDS = 60
# Time for a node to be added and an image to be pulled before a load test.
LOAD_MARGIN_SECONDS = 300
# Exit codes of a verification other than these are no result: the endpoint failed, or its own
# configuration is wrong. It changes nothing, so one that ends otherwise (out of memory) runs again.
UNFINISHED = {"onExitCodes": {"containerName": "verify", "operator": "NotIn", "values": [1, 2]}}
# A request of the load test that takes longer has failed.
LOAD_TIMEOUT_SECONDS = 10


def verifier_rules(models: Iterable[str]) -> list[Manifest]:
    """RBAC rules: read these InferenceServices, and what tells why one does not become ready.

    The Job itself is read for the time when it was started, from which its deadline counts.
    """
    return [
        {
            "apiGroups": ["serving.kserve.io"],
            "resources": ["inferenceservices"],
            "resourceNames": sorted(models),
            "verbs": ["get"],
        },
        {"apiGroups": [""], "resources": ["pods", "pods/log", "events"], "verbs": ["get", "list"]},
        {"apiGroups": ["apps"], "resources": ["replicasets"], "verbs": ["list"]},
        {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["get"]},
        {"apiGroups": ["serving.knative.dev"], "resources": ["revisions"], "verbs": ["list"]},
    ]


def verification(
    served: ServedRelease, jobs: Jobs, stack: str, *, stable: ServedRelease | None = None
) -> JobSpec:
    """The Job that compares the endpoint's answers with the release's: a canary's with `stable`."""
    config = _verify(served) | (_canary(served, stable) if stable else _urls(served))
    # Without the stable release's canary, of which its Job proves nothing.
    key = _key(
        inference_service(served), config, served.artefact.digest, jobs.model_dump(mode="json")
    )
    if not stable and _shared(served.settings):
        config |= dict.fromkeys(("transformer_url", "transformer_port", "outer_url"))
    name = f"verify-{served.name}{'-canary' if stable else ''}-{key}"
    seconds = served.settings.verification.deadline_seconds + VERIFY_MARGIN_SECONDS
    account = verifier_name(stack)
    manifest = _job(name, "verify", config, seconds, served, jobs, account, [UNFINISHED])
    return JobSpec(name, key, seconds, manifest)


def load_test(
    served: ServedRelease, jobs: Jobs, bucket: str, verified: Sequence[JobSpec]
) -> JobSpec:
    """The Job that loads an endpoint which these Jobs have verified, and judges the figures."""
    settings = served.settings.perf
    key = _key(*(job.key for job in verified), settings.model_dump(mode="json"))
    result = result_path(bucket, served.name, key) if settings.upload else None
    name = f"perf-{served.name}-{key}"
    # Twice, since a node may be taken away at the end of a load test, which then begins again.
    seconds = 2 * settings.duration_seconds + LOAD_MARGIN_SECONDS
    config = _load(served, result)
    # Without an upload it needs no rights, and the stack makes no account for it.
    account = jobs.service_account if settings.upload else None
    manifest = _job(name, "load", config, seconds, served, jobs, account)
    if not _shared(served.settings):
        # A failure is recorded by it; the stack's outputs are then those of the update before.
        manifest["metadata"]["annotations"][RELEASE_ANNOTATION] = served.artefact.digest
    return JobSpec(name, key, seconds, manifest)


def _shared(settings: ModelSettings) -> bool:
    """Whether a canary gives some of the answers: in mode Standard those of the transformer."""
    return bool(settings.canary and settings.canary.traffic_percent)


def result_path(bucket: str, model: str, key: str, attempt: str = ATTEMPT) -> str:
    """Where an attempt at a load test puts its result; `attempt` is its Job's uid."""
    return f"gs://{bucket}/{RESULTS}{model}/{key}/{attempt}/result.json"


def report_path(result: str) -> str:
    """The page that the Job puts beside its result."""
    return f"{result.rpartition('/')[0]}/report.html"


def _urls(served: ServedRelease) -> Manifest:
    name, namespace, settings = served.name, served.namespace, served.settings
    return {
        "transformer_url": transformer_url(name, namespace, settings),
        "predictor_url": predictor_url(name, namespace, settings),
        "outer_url": _outer(served),
    }


def _outer(served: ServedRelease) -> str | None:
    """The URL that clients outside the cluster use, where it is to be asked.

    Not Triton's own gRPC, which a gateway may need settings of its own for.
    """
    settings = served.settings
    http = settings.transformer.enabled or settings.protocol is Protocol.HTTP
    return outer_url(served) if http and settings.verification.outside else None


def _canary(served: ServedRelease, stable: ServedRelease) -> Manifest:
    """A canary has an address of its own. Under Knative the stable release gets the rest."""
    settings = served.settings
    host = canary_host(served.name, served.namespace, settings.mode)
    collocated = settings.placement is Placement.COLLOCATED
    triton = f"{host}:80" if settings.protocol is Protocol.GRPC else f"http://{host}"
    return {
        "transformer_url": f"http://{host}" if collocated else None,
        "predictor_url": None if collocated else triton,
        "canary": CANARY if settings.mode is Mode.STANDARD else None,
        "stable_uri": stable.storage_uri if settings.mode is Mode.KNATIVE else None,
    }


def _verify(served: ServedRelease) -> Manifest:
    settings = served.settings
    return {
        "model": served.name,
        "service": served.name,
        "namespace": served.namespace,
        "mode": settings.mode.value,
        "predictor_protocol": settings.protocol.value,
        **_ports(settings),
        "predictions": _predictions(served),
        "deadline_seconds": settings.verification.deadline_seconds,
        "release_digest": served.artefact.digest,
        "storage_uri": served.storage_uri,
        "tolerance": settings.verification.tolerance,
    }


def _ports(settings: ModelSettings) -> Manifest:
    """Ports at which each pod is asked. Under Knative pods are reached through its proxies only."""
    if settings.mode is Mode.KNATIVE or not settings.verification.each_pod:
        return {}
    collocated = settings.placement is Placement.COLLOCATED
    return {
        "predictor_port": None if collocated else predictor_port(settings),
        "transformer_port": TRANSFORMER_PORT if settings.transformer.enabled else None,
    }


def _predictions(served: ServedRelease) -> str:
    """Whether V1 predictions are `equal` to the release's, may be `any`, or `none` are asked for.

    Other parameters of the handler may change them. The requests of a server of the user's own are
    not known.
    """
    settings, handler = served.settings, served.artefact.release.handler
    if settings.transformer.own:
        return "none"
    changed = settings.handler.parameters
    known = handler.parameters if handler else {}
    return "equal" if {**known, **changed} == known else "any"


def _load(served: ServedRelease, result: str | None) -> Manifest:
    settings, perf = served.settings, served.settings.perf
    url = transformer_url if settings.load_target == "transformer" else predictor_url
    return {
        "model": served.name,
        "url": url(served.name, served.namespace, settings),
        "target": settings.load_target,
        "predictor_protocol": settings.protocol.value,
        "rate": perf.rate,
        "duration_seconds": perf.duration_seconds,
        "timeout_seconds": LOAD_TIMEOUT_SECONDS,
        "objectives": perf.objectives.model_dump(),
        "result": result,
    }


def _key(*parts: Manifest | str) -> str:
    text = json.dumps(parts, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def _job(
    name: str,
    command: str,
    config: Manifest,
    seconds: int,
    served: ServedRelease,
    jobs: Jobs,
    account: str | None,
    ignored: Sequence[Manifest] = (),
) -> Manifest:
    pod = {
        "containers": [_container(command, config, jobs)],
        "volumes": [release_volume(served.artefact), scratch_volume()],
    }
    return job_manifest(
        name,
        served,
        jobs,
        pod,
        seconds=seconds,
        own_labels=job_labels(served.name),
        account=account,
        ignored=ignored,
    )


def _container(command: str, config: Manifest, jobs: Jobs) -> Manifest:
    # Kubernetes would take any $(NAME) in a variable for another one, unless it is escaped.
    text = json.dumps(config, indent=1).replace("$", "$$").replace(f"${ATTEMPT}", ATTEMPT)
    uid = {"fieldRef": {"fieldPath": "metadata.labels['batch.kubernetes.io/controller-uid']"}}
    attempt = [{"name": ATTEMPT_VARIABLE, "valueFrom": uid}] if ATTEMPT in text else []
    return {
        "name": command,
        "image": jobs.image,
        "args": [command, f"--release={RELEASE_MOUNT}/release.json"],
        "env": [*attempt, *environment({JOB_VARIABLE: text})],
        "resources": resources(jobs),
        "securityContext": SECURITY,
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [mount("release", RELEASE_MOUNT), SCRATCH],
    }
