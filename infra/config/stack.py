"""What a stack has once, and what it has for each model."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from infra.config import types as t
from infra.config.base import Section
from infra.config.cloud import Identity, Storage
from infra.config.monitoring import Monitoring
from infra.config.proof import Jobs, Perf, Verification
from infra.config.rules import broken_rules
from infra.config.serving import Canary, Predictor, Transformer, Triton


class Knative(Section):
    """Keys of `config-deployment`, and who keeps them."""

    managed_by: Annotated[str, Field(pattern="^(configmap|operator|none)$")] = Field(
        "configmap",
        description="configmap: patch config-deployment; operator: patch the KnativeServing "
        "resource that Knative's operator follows; none: leave it alone",
    )
    registries: tuple[t.Registry, ...] = Field(
        ("nvcr.io",), description="registries whose tags are not resolved, beside Knative's own"
    )
    progress_deadline: t.Seconds = Field(
        "600s", description="how long a revision may take to become ready"
    )
    force: bool = Field(
        False, description="true: take the keys over from whoever has set them to other values"
    )


class Network(Section):
    """Who may reach the pods; a cluster without network policies ignores it."""

    enabled: bool = Field(True, description="false: no NetworkPolicies")
    ingress_namespaces: tuple[t.DnsLabel, ...] = Field(
        ("knative-serving", "istio-system", "kourier-system"),
        description="namespaces of gateways and Knative, which may reach the models",
    )
    client_namespaces: tuple[t.DnsLabel, ...] = Field(
        (), description="namespaces whose pods may reach the models without a gateway"
    )
    metrics_namespaces: tuple[t.DnsLabel, ...] = Field(
        ("gmp-system", "monitoring"), description="namespaces that may read metrics"
    )


class Promotion(Section):
    """What must have been proven before this stack deploys a release."""

    requires: t.DnsLabel | None = Field(
        None, description="stack whose load test a release must have passed, by models.lock.json"
    )
    override: str | None = Field(
        None, description="reason for which it is deployed all the same, this once"
    )


class ModelSettings(Section):
    """One model as the stack serves it: the stack's defaults with the model's own on top."""

    release: t.ReleaseDigest | None = Field(
        None, description="digest of an earlier release in the lock; none: the lock's own"
    )
    canary: Canary | None = Field(None, description="another release beside it")
    storage_uri: t.OciUri | None = Field(
        None, description="oci:// image that holds the model, instead of the bucket"
    )
    device: t.Device = Field(t.Device.CPU, description="cpu or gpu")
    protocol: t.Protocol = Field(t.Protocol.HTTP, description="http or grpc, towards Triton")
    placement: t.Placement = Field(
        t.Placement.SEPARATE, description="transformer in its own pods, or beside Triton"
    )
    mode: t.Mode = Field(t.Mode.STANDARD, description="Knative or Standard")
    triton: Triton = Field(Triton(), description="Triton's container and model configuration")
    predictor: Predictor = Field(Predictor(), description="Triton's pods")
    transformer: Transformer = Field(Transformer(), description="the image transformer")
    verification: Verification = Field(Verification(), description="the proof that it answers")
    perf: Perf = Field(Perf(), description="the load test")

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        broken = broken_rules(self)
        if broken:
            raise ValueError("\n".join(broken))
        return self


class StackSettings(Section):
    """What a stack has once."""

    namespace: t.DnsLabel = Field("models", description="Kubernetes namespace of everything")
    create_namespace: bool = Field(True, description="false: the namespace is there already")
    domain: str | None = Field(
        None, description="KServe's ingress domain; without it URLs are those inside the cluster"
    )
    storage: Storage = Field(description="the bucket")
    identity: Identity = Field(Identity(), description="who pods are to Google Cloud")
    pull_secrets: tuple[t.DnsLabel, ...] = Field(
        (), description="Kubernetes Secrets that images are pulled with"
    )
    network: Network = Field(Network(), description="who may reach the pods")
    promotion: Promotion = Field(Promotion(), description="what must have been proven before")
    monitoring: Monitoring = Field(
        Monitoring(), description="who collects metrics, and what is made of them"
    )
    knative: Knative = Field(Knative(), description="Knative's config-deployment")
    jobs: Jobs = Field(Jobs(), description="the container of verification and load test")
