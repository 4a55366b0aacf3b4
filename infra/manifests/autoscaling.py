"""HorizontalPodAutoscalers of the stack's own, where it sets `behavior` or `scaleMetrics`.

KServe 0.20 gives those that it makes an empty behavior, and metrics of cpu and memory only
(createHPA in hpa_reconciler.go). With the class `external` it makes none, and leaves the replicas
of its Deployments to others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.manifests.inference_service import canary_replicas
from infra.manifests.names import CANARY, Manifest, labels
from infra.manifests.scaling import components, scaled_outside

if TYPE_CHECKING:
    from infra.config import Component
    from infra.manifests.served_release import ServedRelease

# Defaults of Kubernetes and of KServe.
_METRIC, _UTILISATION = "cpu", 80


def autoscalers(served: ServedRelease, canary: ServedRelease | None) -> dict[str, Manifest]:
    """By name. The names differ from KServe's: KServe deletes its own when the class changes."""
    if not scaled_outside(served.settings):
        return {}
    made = {
        role: _autoscaler(served, role, part, part.min_replicas, part.max_replicas)
        for role, part in components(served.settings).items()
    }
    predictor, share = served.settings.predictor, served.settings.canary
    if canary and share:
        fixed = canary_replicas(predictor, share.traffic_percent)
        role = f"{CANARY}-predictor"
        made[role] = _autoscaler(served, role, predictor, fixed, fixed)
    return {each["metadata"]["name"]: each for each in made.values()}


def _autoscaler(
    served: ServedRelease, role: str, part: Component, least: int, most: int
) -> Manifest:
    deployment = f"{served.name}-{role}"
    spec: Manifest = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": deployment},
        "minReplicas": least,
        "maxReplicas": most,
        "metrics": list(part.scale_metrics) or [_resource(part)],
    }
    if part.behavior:
        spec["behavior"] = part.behavior
    place = {"name": f"{deployment}-scaling", "namespace": served.namespace}
    return {"metadata": place | {"labels": labels(served.name)}, "spec": spec}


def _resource(part: Component) -> Manifest:
    target = {"type": "Utilization", "averageUtilization": part.scale_target or _UTILISATION}
    name = part.scale_metric.value if part.scale_metric else _METRIC
    return {"type": "Resource", "resource": {"name": name, "target": target}}
