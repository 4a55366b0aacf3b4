"""Settings that a stack has once."""

from __future__ import annotations

from pydantic import Field

from infra.config import types as t
from infra.config.base import Section
from infra.config.cloud import IdentitySettings, Storage
from infra.config.cluster import KnativeSettings, MonitoringSettings, Network
from infra.config.jobs import Jobs


class Promotion(Section):
    """What must have been proven before this stack deploys a release."""

    requires: t.DnsLabel | None = Field(
        None, description="stack whose load test a release must have passed, by models.lock.json"
    )
    override: str | None = Field(
        None, description="reason for which it is deployed all the same, this once"
    )


class StackSettings(Section):
    """What a stack has once."""

    namespace: t.DnsLabel = Field("models", description="Kubernetes namespace of everything")
    create_namespace: bool = Field(True, description="false: the namespace is there already")
    domain: str | None = Field(
        None, description="KServe's ingress domain; without it URLs are those inside the cluster"
    )
    storage: Storage = Field(description="the bucket")
    identity: IdentitySettings = Field(
        IdentitySettings(), description="who pods are to Google Cloud"
    )
    pull_secrets: tuple[t.DnsLabel, ...] = Field(
        (), description="Kubernetes Secrets that images are pulled with"
    )
    network: Network = Field(Network(), description="who may reach the pods")
    promotion: Promotion = Field(Promotion(), description="what must have been proven before")
    monitoring: MonitoringSettings = Field(
        MonitoringSettings(), description="who collects metrics, and what is made of them"
    )
    knative: KnativeSettings = Field(KnativeSettings(), description="Knative's config-deployment")
    jobs: Jobs = Field(Jobs(), description="the container of verification and load test")
