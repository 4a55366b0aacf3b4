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
    from infra.config import Component, Predictor
    from infra.manifests.served_release import ServedRelease

# Defaults of Kubernetes and of KServe.
_METRIC, _UTILISATION = "cpu", 80


def autoscalers(served: ServedRelease, canary: ServedRelease | None) -> dict[str, Manifest]:
    """By name. The names differ from KServe's: KServe deletes its own when the class changes."""
    if not scaled_outside(served.settings):
        return {}
    parts = components(served.settings)
    predictor, share = served.settings.predictor, served.settings.canary
    if canary and share:
        fixed = canary_replicas(predictor, share.traffic_percent)
        parts[f"{CANARY}-predictor"] = _with_replicas(predictor, fixed, fixed)
        parts["predictor"] = _beside(predictor, fixed)
    made = [_autoscaler(served, role, part) for role, part in parts.items()]
    return {each["metadata"]["name"]: each for each in made}


def _beside(predictor: Predictor, canary: int) -> Predictor:
    """The canary's pods are taken from the others, and one is left: KServe's rule."""
    least, most = predictor.min_replicas, predictor.max_replicas
    left = max(least - canary, 1)
    return _with_replicas(predictor, left, left if least == most else most)


def _with_replicas(predictor: Predictor, least: int, most: int) -> Predictor:
    return predictor.model_copy(update={"min_replicas": least, "max_replicas": most})


def _autoscaler(served: ServedRelease, role: str, part: Component) -> Manifest:
    deployment = f"{served.name}-{role}"
    spec: Manifest = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": deployment},
        "minReplicas": part.min_replicas,
        "maxReplicas": part.max_replicas,
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
