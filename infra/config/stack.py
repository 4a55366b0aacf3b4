"""Settings that a stack has once."""

from __future__ import annotations

from pydantic import Field

from infra.config import types as t
from infra.config.base import Section
from infra.config.cloud import IdentitySettings, Storage
from infra.config.cluster import KnativeSettings, MonitoringSettings, Network
from infra.config.jobs import Jobs


class Promotion(Section):
    """Checks that a release must have passed in another stack."""

    requires: t.DnsLabel | None = Field(
        None, description="stack whose load test a release must have passed, by models.lock.json"
    )
    override: str | None = Field(None, description="reason to deploy a release that has not passed")


class StackSettings(Section):
    """Settings of the whole stack."""

    namespace: t.DnsLabel = Field(
        "models", description="Kubernetes namespace of the stack's objects"
    )
    create_namespace: bool = Field(True, description="false: the namespace exists already")
    cluster: t.Uid | None = Field(
        None,
        description="UID of the namespace kube-system, which names the cluster; none: that of the "
        "first update, kept in the state",
    )
    domain: t.Domain | None = Field(
        None,
        description="domain of Knative's config-domain, in mode Standard of KServe's ingress; "
        "without it URLs are those inside the cluster",
    )
    url_scheme: t.UrlScheme = Field(
        t.UrlScheme.HTTP, description="http or https, of the URLs under the domain"
    )
    storage: Storage = Field(description="the bucket")
    identity: IdentitySettings = Field(
        IdentitySettings(), description="access of the pods to the bucket, by Workload Identity"
    )
    pull_secrets: tuple[t.DnsLabel, ...] = Field(
        (), description="Kubernetes Secrets that images are pulled with"
    )
    network: Network = Field(Network(), description="network policies: who may reach the pods")
    promotion: Promotion = Field(
        Promotion(), description="checks that a release must have passed in another stack"
    )
    monitoring: MonitoringSettings = Field(
        MonitoringSettings(), description="collection of metrics, dashboard and alerts"
    )
    knative: KnativeSettings = Field(KnativeSettings(), description="Knative's config-deployment")
    jobs: Jobs = Field(Jobs(), description="the container of verification and load test")
