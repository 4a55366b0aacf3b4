"""InferenceService and what belongs to it, as plain dicts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from infra.types import Device, Mode, Placement, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable

    from infra.releases import Artefact
    from infra.sections import Component, Jobs, ModelSettings, Predictor

Manifest = dict[str, Any]

RELEASE_MOUNT = "/etc/kserve-triton/release"
JOB_MOUNT = "/etc/kserve-triton/job"
TRANSFORMER_PORT = 8080
# Beside a transformer Triton moves out of its way; KServe takes no other port for the front.
COLLOCATED_HTTP_PORT = 8085
GRPC_PORT = 9000
# Long enough for an answer to fail inside the transformer before the caller gives up.
TRANSFORMER_MARGIN_SECONDS = 1
# What is under way is answered before a pod ends, with time to drain.
DRAIN_SECONDS = 5
# Fields of a pod that Knative refuses unless `config-features` allows them.
KNATIVE_FEATURES = {
    "nodeSelector": "kubernetes.podspec-nodeselector",
    "tolerations": "kubernetes.podspec-tolerations",
}
SCRATCH = {"name": "scratch", "mountPath": "/tmp"}
SECURITY = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}


def labels(name: str) -> dict[str, str]:
    """Kubernetes' recommended labels."""
    return {
        "app.kubernetes.io/name": name,
        "app.kubernetes.io/part-of": "kserve-triton",
        "app.kubernetes.io/managed-by": "pulumi",
    }


def release_map_name(artefact: Artefact) -> str:
    """ConfigMap with release.json, named by its content."""
    return f"release-{artefact.name}-{artefact.digest[:12]}"


def release_volume(artefact: Artefact) -> Manifest:
    """The release, as a volume of the containers that follow it."""
    return {"name": "release", "configMap": {"name": release_map_name(artefact)}}


def scratch_volume() -> Manifest:
    """A /tmp of the pod's own: the root file system is read-only."""
    return {"name": "scratch", "emptyDir": {"sizeLimit": "256Mi"}}


def mount(name: str, path: str) -> Manifest:
    """A volume, read-only."""
    return {"name": name, "mountPath": path, "readOnly": True}


def inference_service(
    artefact: Artefact, settings: ModelSettings, namespace: str, storage_uri: str
) -> Manifest:
    """The whole InferenceService: metadata and spec, without apiVersion and kind."""
    spec = {"predictor": predictor(artefact, settings, storage_uri)}
    if settings.transformer.enabled and settings.placement is Placement.SEPARATE:
        spec["transformer"] = transformer(artefact, settings)
    return {
        "metadata": {
            "name": artefact.name,
            "namespace": namespace,
            "labels": labels(artefact.name),
            "annotations": kserve_annotations(settings),
        },
        "spec": spec,
    }


def kserve_annotations(settings: ModelSettings) -> dict[str, str]:
    """What KServe is told beside the spec."""
    made = {"serving.kserve.io/deploymentMode": settings.mode.value}
    parts = [settings.predictor, *([settings.transformer] if settings.transformer.enabled else [])]
    fixed = all(
        part.scale_metric is None and part.min_replicas == part.max_replicas for part in parts
    )
    if settings.mode is Mode.STANDARD and fixed:
        # Else KServe makes a HorizontalPodAutoscaler with nothing to scale.
        made["serving.kserve.io/autoscalerClass"] = "none"
    return made


def predictor(artefact: Artefact, settings: ModelSettings, storage_uri: str) -> Manifest:
    """Triton, with the transformer beside it where the placement says so."""
    made = {
        **scaling(settings.predictor, settings.mode),
        **scheduling(settings.predictor, settings.device),
        "model": triton(settings, storage_uri),
    }
    if settings.placement is Placement.COLLOCATED:
        made["containers"] = [transformer_container(artefact, settings, "transformer-container")]
        made["volumes"] = [release_volume(artefact), scratch_volume()]
        made["terminationGracePeriodSeconds"] = grace(settings)
    return made


def grace(settings: ModelSettings) -> int:
    """Seconds that a pod with a transformer has to end in: its longest request and the drain."""
    return settings.transformer.timeout_seconds + DRAIN_SECONDS


def triton(settings: ModelSettings, storage_uri: str) -> Manifest:
    """KServe's `model`: which runtime serves what."""
    grpc = settings.protocol is Protocol.GRPC
    made: Manifest = {
        "modelFormat": {"name": "triton"},
        "runtime": settings.triton.runtime,
        "runtimeVersion": settings.triton.container,
        "protocolVersion": "grpc-v2" if grpc else "v2",
        "storageUri": storage_uri,
        # One thread a worker: many would fight over the cores that the instances share.
        "env": environment({"OMP_NUM_THREADS": "1"} | settings.predictor.env),
        "resources": resources(settings.predictor, gpus(settings)),
    }
    if settings.placement is Placement.COLLOCATED:
        made["args"] = [f"--http-port={COLLOCATED_HTTP_PORT}"]
        if settings.mode is Mode.STANDARD:
            made["readinessProbe"] = probe("/v2/health/ready", COLLOCATED_HTTP_PORT)
    elif grpc:
        made["ports"] = [{"name": "h2c", "protocol": "TCP", "containerPort": GRPC_PORT}]
    return made


def transformer(artefact: Artefact, settings: ModelSettings) -> Manifest:
    """The transformer in pods of its own."""
    return {
        **scaling(settings.transformer, settings.mode),
        "containers": [transformer_container(artefact, settings, "kserve-container")],
        "terminationGracePeriodSeconds": grace(settings),
        "volumes": [release_volume(artefact), scratch_volume()],
    }


def transformer_container(artefact: Artefact, settings: ModelSettings, name: str) -> Manifest:
    """The same container in both placements; only its way to Triton differs."""
    grpc = settings.protocol is Protocol.GRPC
    deadline = max(settings.transformer.timeout_seconds - TRANSFORMER_MARGIN_SECONDS, 1)
    args = {
        "model_name": artefact.name,
        "predictor_protocol": "grpc-v2" if grpc else "v2",
        "http_port": TRANSFORMER_PORT,
        "workers": settings.transformer.workers,
        "release": f"{RELEASE_MOUNT}/release.json",
        "deadline_seconds": deadline,
        "max_batch_size": max(settings.triton.max_batch_size, 1),
    }
    if settings.placement is Placement.COLLOCATED:
        port = GRPC_PORT if grpc else COLLOCATED_HTTP_PORT
        args["predictor_host"] = f"localhost:{port}"
    return {
        "name": name,
        "image": settings.transformer.image,
        "args": [f"--{key}={value}" for key, value in args.items()],
        "env": environment(settings.transformer.env),
        "ports": [{"containerPort": TRANSFORMER_PORT, "protocol": "TCP"}],
        "resources": resources(settings.transformer),
        "readinessProbe": probe("/v2/health/ready", TRANSFORMER_PORT),
        "securityContext": SECURITY,
        "volumeMounts": [mount("release", RELEASE_MOUNT), SCRATCH],
    }


def gpus(settings: ModelSettings) -> int:
    """GPUs a predictor's pod asks for."""
    return settings.predictor.gpus if settings.device is Device.GPU else 0


def resources(component: Component | Jobs, gpu_count: int = 0) -> Manifest:
    """Requests equal limits: nothing is throttled by a neighbour, nothing is evicted first."""
    gpu = {"nvidia.com/gpu": str(gpu_count)} if gpu_count else {}
    bounds = {"cpu": component.cpu, "memory": component.memory} | gpu
    return {"requests": bounds, "limits": dict(bounds)}


def scaling(component: Component, mode: Mode) -> Manifest:
    """Replicas and timeouts, named as KServe names them."""
    made: Manifest = {
        "minReplicas": component.min_replicas,
        "maxReplicas": component.max_replicas,
        "timeout": component.timeout_seconds,
    }
    if component.scale_metric:
        made |= {"scaleMetric": component.scale_metric.value, "scaleTarget": component.scale_target}
    if mode is Mode.KNATIVE and component.container_concurrency:
        made["containerConcurrency"] = component.container_concurrency
    return made


def scheduling(component: Predictor, device: Device) -> Manifest:
    """Where the predictor's pods may run, and as whom."""
    on_gpu = device is Device.GPU
    selector = component.node_selector | (component.gpu_node_selector if on_gpu else {})
    taints = component.tolerations + (component.gpu_tolerations if on_gpu else ())
    made: Manifest = {}
    if component.service_account:
        made["serviceAccountName"] = component.service_account
    if selector:
        made["nodeSelector"] = selector
    if taints:
        made["tolerations"] = [taint.model_dump(exclude_none=True) for taint in taints]
    return made


def knative_features(models: Iterable[ModelSettings]) -> dict[str, str]:
    """What Knative must be told to allow for these models, as keys of its `config-features`."""
    used = {
        field
        for model in models
        if model.mode is Mode.KNATIVE
        for field in scheduling(model.predictor, model.device)
    }
    return {key: "enabled" for field, key in KNATIVE_FEATURES.items() if field in used}


def environment(values: dict[str, str]) -> list[Manifest]:
    """Environment variables, in a stable order."""
    return [{"name": name, "value": value} for name, value in sorted(values.items())]


def probe(path: str, port: int) -> Manifest:
    """Ready when it answers; asked often, so that a rollout is short."""
    return {
        "httpGet": {"path": path, "port": port},
        "periodSeconds": 2,
        "timeoutSeconds": 2,
        "failureThreshold": 3,
    }
