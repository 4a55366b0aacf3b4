"""Scraping of pods: annotations, or PodMonitoring objects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from infra.config.types import Placement
from infra.manifests.monitoring.service import SERVICE_SERIES
from infra.manifests.names import (
    COMPONENT_LABEL,
    SERVICE_LABEL,
    TRANSFORMER_PORT,
    TRITON_METRICS_PORT,
    Manifest,
    labels,
    pod_labels,
)

if TYPE_CHECKING:
    from infra.config import ModelSettings, MonitoringSettings
    from infra.manifests.monitoring.service import Service

PATH = "/metrics"
# Ten samples in the shortest window of the alerts.
INTERVAL = "30s"


def scrape_annotations(
    monitoring: MonitoringSettings, settings: ModelSettings, component: str
) -> dict[str, str]:
    """Annotations of a component, `predictor` or `transformer`, in the InferenceService's spec.

    KServe's own switch, `enable-prometheus-scraping`, is turned off. It points every pod at the
    queue proxy's port, 9091 (9088 with `enable-metric-aggregation`, which needs KServe's build of
    the queue proxy), which pods in Standard mode don't have; and it never says `scrape`.
    """
    if monitoring.scrape != "annotations":
        return {}
    front = component == "transformer" or settings.placement is Placement.COLLOCATED
    return {
        "prometheus.io/scrape": "true",
        "prometheus.io/port": str(TRANSFORMER_PORT if front else TRITON_METRICS_PORT),
        "prometheus.io/path": PATH,
        "serving.kserve.io/enable-prometheus-scraping": "false",
    }


def one_scraped_port(monitoring: MonitoringSettings, settings: ModelSettings) -> bool:
    """Whether the transformer's port must have Triton's metrics too.

    Annotations name one port of a pod, which has two servers where placement is collocated.
    """
    collocated = settings.placement is Placement.COLLOCATED
    return collocated and monitoring.scrape == "annotations"


def pod_monitorings(service: Service) -> dict[str, Manifest]:
    """One for each component, by name: metadata and spec, without apiVersion and kind."""
    return {
        f"{service.name}-{component}": _pod_monitoring(service, component)
        for component in service.components
    }


def _pod_monitoring(service: Service, component: str) -> Manifest:
    return {
        "metadata": {
            "name": f"{service.name}-{component}",
            "namespace": service.namespace,
            "labels": labels(service.name),
        },
        "spec": {
            "selector": {"matchLabels": pod_labels(service.name, component)},
            "endpoints": [_endpoint(port) for port in _ports(service, component)],
            "targetLabels": {
                # Named, since the cluster would fill it in, and drift from what is here.
                "metadata": ["pod"],
                "fromPod": [
                    {"from": SERVICE_LABEL, "to": SERVICE_SERIES},
                    {"from": COMPONENT_LABEL, "to": COMPONENT_LABEL},
                ],
            },
        },
    }


def _ports(service: Service, component: str) -> list[int]:
    if component == "transformer":
        return [TRANSFORMER_PORT]
    return [TRITON_METRICS_PORT, *([TRANSFORMER_PORT] if service.collocated else [])]


def _endpoint(port: int) -> dict[str, Any]:
    """By number: Knative lets a container declare one port, the one that requests go to, and
    managed Prometheus scrapes a number whether it is declared or not."""
    return {"port": port, "path": PATH, "interval": INTERVAL}
