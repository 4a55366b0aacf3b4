"""Settings of what a stack shares with its cluster: Knative, networks, monitoring."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from infra.config import types as t
from infra.config.base import Section

CHANNEL = re.compile(r"projects/[a-z0-9][a-z0-9.:-]*/notificationChannels/[0-9]+")


def _check_channel(name: str) -> str:
    if not CHANNEL.fullmatch(name):
        raise ValueError("allowed: a full name, projects/PROJECT/notificationChannels/NUMBER")
    return name


Channel = Annotated[str, AfterValidator(_check_channel)]


class KnativeSettings(Section):
    """Keys of Knative's `config-deployment`, and where they are written."""

    managed_by: Annotated[str, Field(pattern="^(configmap|operator|none)$")] = Field(
        "configmap",
        description="for models in mode Knative; configmap: patch config-deployment; operator: "
        "patch the KnativeServing resource that Knative's operator follows; none: leave it alone",
    )
    registries: tuple[t.Registry, ...] = Field(
        ("nvcr.io",), description="registries whose tags are not resolved, beside Knative's own"
    )
    progress_deadline: t.Seconds = Field(
        "600s", description="how long a revision may take to become ready"
    )
    force: bool = Field(
        False, description="true: take the keys over from owners that have set other values"
    )


class Network(Section):
    """Network policies: who may reach the pods. Clusters without a policy engine ignore them."""

    enabled: bool = Field(True, description="false: no NetworkPolicies")
    ingress_namespaces: tuple[t.DnsLabel, ...] = Field(
        ("knative-serving", "istio-system", "kourier-system", "envoy-gateway-system"),
        description="namespaces of gateways and Knative, which may reach the models",
    )
    client_cidrs: tuple[t.Cidr, ...] = Field(
        (),
        description="networks that may reach the models without a gateway's pod, such as those of "
        "a load balancer and its health checks: 35.191.0.0/16 and 130.211.0.0/22 are Google's",
    )
    client_namespaces: tuple[t.DnsLabel, ...] = Field(
        (), description="namespaces whose pods may reach the models without a gateway"
    )
    metrics_namespaces: tuple[t.DnsLabel, ...] = Field(
        ("gmp-system", "monitoring"), description="namespaces that may read metrics"
    )


class MonitoringSettings(Section):
    """Collection of the pods' metrics, dashboard and alerts."""

    enabled: bool = Field(
        False, description="true: dashboard and alerts in Cloud Monitoring; GKE only"
    )
    scrape: Annotated[str, Field(pattern="^(podmonitoring|annotations|none)$")] = Field(
        "annotations",
        description="annotations: prometheus.io/* on pods; podmonitoring: for GKE's managed "
        "Prometheus; none: nothing",
    )
    notification_channels: tuple[Channel, ...] = Field(
        (),
        description="notification channels of alerts: projects/PROJECT/notificationChannels/NUMBER",
    )
    period_days: Annotated[int, Field(ge=7, le=90)] = Field(
        28, description="days over which an error budget lasts"
    )
    queue_ms: Annotated[float, Field(gt=0)] = Field(
        10.0, description="mean wait in Triton's queue, beyond triton.queueDelayMicroseconds"
    )
    gpu_utilisation: t.Ratio = Field(0.9, description="mean utilisation of GPUs, on device gpu")
