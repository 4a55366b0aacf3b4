"""The InferenceService: Triton, the transformer, and a canary of another release."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from infra.config.types import Device, Mode, Placement, Protocol
from infra.manifests.handler import fetches_handler, handler_environment
from infra.manifests.monitoring.scrape import one_scraped_port, scrape_annotations
from infra.manifests.names import (
    CANARY,
    COLLOCATED_HTTP_PORT,
    GRPC_PORT,
    TRANSFORMER_PORT,
    TRITON_METRICS_PORT,
    Manifest,
    labels,
)
from infra.manifests.pods import (
    RELEASE_MOUNT,
    SCRATCH,
    SECURITY,
    environment,
    mount,
    pre_stop,
    probe,
    pull_secrets,
    release_volume,
    resources,
    scratch_volume,
    triton_drain,
)
from infra.manifests.scaling import retention, scaled_outside, scaling, scheduling, spreading
from infra.manifests.urls import pods_address
from release.files import RELEASE_JSON

if TYPE_CHECKING:
    from infra.config import Component, ModelSettings, Predictor
    from infra.manifests.served_release import ServedRelease

# The rendered config is whole. ONNX Runtime's backend would add batches and a scheduler to one that
# has none on purpose.
TRITON_ARGUMENTS = ("--disable-auto-complete-config",)
# The transformer's deadline ends this much before the caller's.
TRANSFORMER_MARGIN_SECONDS = 1
OTLP_ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
# Who scales the pods; without it KServe makes HorizontalPodAutoscalers.
AUTOSCALER_CLASS = "serving.kserve.io/autoscalerClass"
# Fields that KServe refuses in a canary, whose pods are counted by its share of the traffic.
_FIXED = ("minReplicas", "maxReplicas", "scaleMetric", "scaleTarget")


def inference_service(stable: ServedRelease, canary: ServedRelease | None = None) -> Manifest:
    """The whole InferenceService: metadata and spec, without apiVersion and kind."""
    settings = stable.settings
    spec = {"predictor": predictor(stable)}
    if canary:
        spec |= _canary(stable, canary)
    if settings.separate_transformer:
        spec["transformer"] = transformer(stable, canary is not None)
    return {
        "metadata": {
            "name": stable.name,
            "namespace": stable.namespace,
            "labels": labels(stable.name),
            "annotations": kserve_annotations(settings),
        },
        "spec": spec,
    }


def _canary(stable: ServedRelease, canary: ServedRelease) -> Manifest:
    """A canary is the newest revision under Knative, an entry of its own in Standard mode."""
    assert stable.settings.canary is not None
    percent = stable.settings.canary.traffic_percent
    if stable.settings.mode is Mode.KNATIVE:
        return {"predictor": predictor(canary) | {"canaryTrafficPercent": percent}}
    own = {key: value for key, value in predictor(canary).items() if key not in _FIXED}
    own |= {"name": CANARY, "minReplicas": canary_replicas(stable.settings.predictor, percent)}
    return {"canary": [{"predictor": own, "trafficPercent": percent}]}


def canary_replicas(component: Predictor, percent: int) -> int:
    """The number of a canary's pods in Standard mode: its share, at least one."""
    return max(math.ceil(component.min_replicas * percent / 100), 1)


def kserve_annotations(settings: ModelSettings) -> dict[str, str]:
    """Annotations of KServe."""
    made = {"serving.kserve.io/deploymentMode": settings.mode.value}
    parts = [settings.predictor, *([settings.transformer] if settings.transformer.enabled else [])]
    fixed = all(
        part.scale_metric is None and part.min_replicas == part.max_replicas for part in parts
    )
    if scaled_outside(settings):
        made[AUTOSCALER_CLASS] = "external"
    elif settings.mode is Mode.STANDARD and fixed:
        # Otherwise KServe creates a HorizontalPodAutoscaler that has nothing to scale.
        made[AUTOSCALER_CLASS] = "none"
    if not settings.predictor.cache_node_group:
        # Otherwise a model that is served from a cache stays there, and KServe keeps the cache.
        made["serving.kserve.io/disable-localmodel"] = "true"
    if settings.mode is Mode.KNATIVE:
        # Gives a canary an address, at which it is verified. Always, since a change of it would
        # begin new revisions of what serves.
        made["serving.kserve.io/enable-tag-routing"] = "true"
    return made


def predictor(served: ServedRelease) -> Manifest:
    """Triton, with the transformer in the same pod where placement is collocated."""
    settings = served.settings
    made = {
        **_annotated(served, "predictor", settings.predictor),
        **scaling(settings.predictor, settings.mode),
        **scheduling(settings.predictor, settings.device),
        **spreading(served.name, "predictor", settings.predictor),
        **pull_secrets(served.pull_secrets),
        "model": triton(settings, served.storage_uri),
    }
    collocated = settings.placement is Placement.COLLOCATED
    if collocated:
        made["containers"] = [transformer_container(served, "transformer-container")]
        made["volumes"] = [release_volume(served.artefact), scratch_volume()]
    if collocated or settings.mode is Mode.STANDARD:
        timeout = (settings.transformer if collocated else settings.predictor).timeout_seconds
        made["terminationGracePeriodSeconds"] = timeout + triton_drain(settings)
    return made


def _annotated(served: ServedRelease, role: str, component: Component) -> Manifest:
    """Annotations for Knative's autoscaler and for Prometheus."""
    settings = served.settings
    said = retention(component, settings.mode)
    said |= scrape_annotations(served.monitoring, settings, role)
    return {"annotations": said} if said else {}


def triton(settings: ModelSettings, storage_uri: str) -> Manifest:
    """KServe's `model`: runtime, storage URI, protocol, resources."""
    grpc = settings.protocol is Protocol.GRPC
    made: Manifest = {
        "modelFormat": {"name": "triton"},
        "runtime": settings.triton.runtime,
        "runtimeVersion": settings.triton.container,
        "protocolVersion": "grpc-v2" if grpc else "v2",
        "storageUri": storage_uri,
        "args": list(TRITON_ARGUMENTS),
        # One thread a worker: the instances share the cores.
        "env": environment({"OMP_NUM_THREADS": "1"} | settings.predictor.env),
        "resources": resources(settings.predictor, gpus(settings)),
    }
    if settings.mode is Mode.STANDARD:
        # Knative refuses hooks, and brings one of its own.
        made |= pre_stop(triton_drain(settings))
    if settings.triton.image:
        made["image"] = settings.triton.image
    if settings.placement is Placement.COLLOCATED:
        made["args"].append(f"--http-port={COLLOCATED_HTTP_PORT}")
        if settings.mode is Mode.STANDARD:
            made["readinessProbe"] = probe("/v2/health/ready", COLLOCATED_HTTP_PORT)
    elif grpc:
        made["ports"] = [{"name": "h2c", "protocol": "TCP", "containerPort": GRPC_PORT}]
    return made


def transformer(served: ServedRelease, split: bool) -> Manifest:
    """The transformer in pods of its own; with `split` it calls stable and canary."""
    settings = served.settings
    component = settings.transformer
    made = {
        **_annotated(served, "transformer", component),
        **scaling(component, settings.mode),
        **spreading(served.name, "transformer", component),
        **pull_secrets(served.pull_secrets),
        "containers": [transformer_container(served, "kserve-container", split)],
        "terminationGracePeriodSeconds": component.timeout_seconds + component.drain_seconds,
        "volumes": [release_volume(served.artefact), scratch_volume()],
    }
    if fetches_handler(served) and settings.predictor.service_account:
        made["serviceAccountName"] = settings.predictor.service_account
    return made


def transformer_container(served: ServedRelease, name: str, split: bool = False) -> Manifest:
    """The transformer's container: ours, or a server of the user's own on KServe's SDK."""
    settings = served.settings
    transformer = settings.transformer
    args = _sdk_arguments(served, split)
    env = {OTLP_ENDPOINT: transformer.traces} if transformer.traces else {}
    env |= transformer.env
    if not transformer.own:
        args |= _own_arguments(served)
        env = env | handler_environment(served)
    # Ours drains by itself, after its SIGTERM.
    drain = transformer.drain_seconds if transformer.own and settings.mode is Mode.STANDARD else 0
    return pre_stop(drain) | {
        "name": name,
        "image": transformer.image,
        "args": [*(f"--{key}={value}" for key, value in args.items()), *(transformer.args or ())],
        "env": environment(env),
        "ports": [{"containerPort": TRANSFORMER_PORT, "protocol": "TCP"}],
        "resources": resources(transformer),
        "readinessProbe": probe(_readiness(served), TRANSFORMER_PORT),
        "securityContext": SECURITY,
        "volumeMounts": [mount("release", RELEASE_MOUNT), SCRATCH],
    }


def _readiness(served: ServedRelease) -> str:
    """The path of the readiness probe: whether Triton's model is ready, or the server alone.

    Under Knative a probe of Triton in other pods would be a request to them, and they would never
    scale to zero; the activator holds requests until they are ready.
    """
    settings = served.settings
    behind_gateway = settings.mode is Mode.KNATIVE and settings.separate_transformer
    if behind_gateway or settings.transformer.own:
        return "/v2/health/ready"
    return f"/v2/models/{served.name}/ready"


def _sdk_arguments(served: ServedRelease, split: bool) -> dict[str, object]:
    """Arguments that KServe's SDK has too. Without Triton's address, KServe adds its Service."""
    settings = served.settings
    grpc = settings.protocol is Protocol.GRPC
    args: dict[str, object] = {
        "model_name": served.name,
        "predictor_protocol": "grpc-v2" if grpc else "v2",
        "http_port": TRANSFORMER_PORT,
        # KServe would pass containerConcurrency.
        "workers": 1,
    }
    if settings.placement is Placement.COLLOCATED:
        port = GRPC_PORT if grpc else COLLOCATED_HTTP_PORT
        args["predictor_host"] = f"localhost:{port}"
    elif split and settings.transformer.own and settings.mode is Mode.STANDARD:
        args["predictor_host"] = pods_address(served.name, served.namespace, settings)
    return args


def _own_arguments(served: ServedRelease) -> dict[str, object]:
    """Arguments of this project's transformer alone."""
    settings = served.settings
    release = served.artefact.release
    args: dict[str, object] = {
        "release": f"{RELEASE_MOUNT}/{RELEASE_JSON}",
        "deadline_seconds": max(
            settings.transformer.timeout_seconds - TRANSFORMER_MARGIN_SECONDS, 1
        ),
        "max_batch_size": max(settings.triton.max_batch_size, 1) if release.batching else 1,
    }
    if release.image and not release.handler:
        # A handler's processes need the memory that more threads would take.
        args["max_threads"] = settings.decoding_threads
    if one_scraped_port(served.monitoring, settings):
        args["triton_metrics_port"] = TRITON_METRICS_PORT
    if settings.mode is Mode.STANDARD:
        args["drain_seconds"] = settings.transformer.drain_seconds
        if settings.separate_transformer:
            args["predictor_pods"] = pods_address(served.name, served.namespace, settings)
    return args


def gpus(settings: ModelSettings) -> int:
    """GPUs of a predictor's pod."""
    return settings.predictor.gpus if settings.device is Device.GPU else 0
