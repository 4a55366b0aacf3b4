"""Replicas of a component, and the nodes on which its pods may run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.config.types import Device, Mode, Strategy
from infra.manifests.names import Manifest, pod_labels

if TYPE_CHECKING:
    from collections.abc import Iterable

    from infra.config import Component, DeploymentStrategy, ModelSettings, Predictor

# Fields of a pod that Knative refuses unless `config-features` allows them.
KNATIVE_FEATURES = {
    "nodeSelector": "kubernetes.podspec-nodeselector",
    "tolerations": "kubernetes.podspec-tolerations",
    "topologySpreadConstraints": "kubernetes.podspec-topologyspreadconstraints",
}
TOPOLOGIES = {"zone": "topology.kubernetes.io/zone", "node": "kubernetes.io/hostname"}
# GKE's labels of nodes, which are also the keys of its taints.
ACCELERATOR = "cloud.google.com/gke-accelerator"
SPOT = "cloud.google.com/gke-spot"
SHARING = "cloud.google.com/gke-gpu-sharing-strategy"
SHARING_CLIENTS = "cloud.google.com/gke-max-shared-clients-per-gpu"
RETENTION = "autoscaling.knative.dev/scale-to-zero-pod-retention-period"


def scaling(component: Component, mode: Mode) -> Manifest:
    """Replicas and timeouts, with KServe's field names."""
    made: Manifest = {
        "minReplicas": component.min_replicas,
        "maxReplicas": component.max_replicas,
        "timeout": component.timeout_seconds,
    }
    if component.deployment_strategy:
        made["deploymentStrategy"] = _strategy(component.deployment_strategy)
    if component.scale_metric:
        made |= {"scaleMetric": component.scale_metric.value, "scaleTarget": component.scale_target}
    if mode is Mode.KNATIVE and component.container_concurrency:
        made["containerConcurrency"] = component.container_concurrency
    return made


def components(settings: ModelSettings) -> dict[str, Component]:
    """The components that have pods of their own."""
    found: dict[str, Component] = {"predictor": settings.predictor}
    return found | ({"transformer": settings.transformer} if settings.separate_transformer else {})


def scaled_outside(settings: ModelSettings) -> bool:
    """Whether the stack scales the model's pods instead of KServe."""
    return any(part.scaled_outside for part in components(settings).values())


def _strategy(strategy: DeploymentStrategy) -> Manifest:
    """A Deployment's strategy. KServe takes it as it is, and adds no missing bound."""
    if strategy.type is Strategy.RECREATE:
        return {"type": strategy.type.value}
    surge, unavailable = strategy.max_surge, strategy.max_unavailable
    if unavailable is None:
        unavailable = 1 if surge == 0 else None
    bounds = {"maxSurge": surge, "maxUnavailable": unavailable}
    rolling = {key: "25%" if value is None else value for key, value in bounds.items()}
    return {"type": strategy.type.value, "rollingUpdate": rolling}


def retention(component: Component, mode: Mode) -> dict[str, str]:
    """Annotations for Knative's autoscaler: how long the last pod stays."""
    idle = mode is Mode.KNATIVE and component.idle_seconds
    return {RETENTION: f"{component.idle_seconds}s"} if idle else {}


def spreading(name: str, role: str, component: Component) -> Manifest:
    """`topologySpreadConstraints` of a pod's spec."""
    constraints = [
        {
            "maxSkew": 1,
            "topologyKey": TOPOLOGIES[each],
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": pod_labels(name, role)},
        }
        for each in component.spread
    ]
    return {"topologySpreadConstraints": constraints} if constraints else {}


def scheduling(component: Predictor, device: Device) -> Manifest:
    """Node selector, tolerations and service account of the predictor's pods."""
    selector, taints = dict(component.node_selector), list(component.tolerations)
    if device is Device.GPU:
        selector |= component.gpu_node_selector | _gpu_nodes(component)
        taints += component.gpu_tolerations
    tolerations = [taint.model_dump(exclude_none=True) for taint in taints]
    if component.spot:
        selector[SPOT] = "true"
        spot = {"key": SPOT, "operator": "Equal", "value": "true", "effect": "NoSchedule"}
        tolerations.append(spot)
    made: Manifest = {}
    if component.service_account:
        made["serviceAccountName"] = component.service_account
    if selector:
        made["nodeSelector"] = selector
    if tolerations:
        made["tolerations"] = tolerations
    return made


def _gpu_nodes(component: Predictor) -> dict[str, str]:
    """GKE's labels of nodes with such GPUs."""
    made = {}
    if component.accelerator:
        made[ACCELERATOR] = component.accelerator
    if component.gpu_sharing:
        made |= {SHARING: component.gpu_sharing, SHARING_CLIENTS: str(component.gpu_clients)}
    return made


def knative_features(models: Iterable[ModelSettings]) -> dict[str, str]:
    """Keys of Knative's `config-features` that these models need."""
    used = {
        field
        for model in models
        if model.mode is Mode.KNATIVE
        for field in (
            scheduling(model.predictor, model.device)
            | spreading("", "", model.predictor)
            | (spreading("", "", model.transformer) if model.transformer.enabled else {})
        )
    }
    return {key: "enabled" for field, key in KNATIVE_FEATURES.items() if field in used}
