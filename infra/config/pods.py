"""Settings of the pods of a model: the predictor with Triton, and the transformer."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from infra.config import types as t
from infra.config.base import Section
from infra.config.images import default_image


class Toleration(Section):
    """A Kubernetes toleration."""

    key: str
    operator: Annotated[str, Field(pattern="^(Exists|Equal)$")] = "Exists"
    value: str | None = None
    effect: Annotated[str, Field(pattern="^(NoSchedule|PreferNoSchedule|NoExecute)$")] = (
        "NoSchedule"
    )


class DeploymentStrategy(Section):
    """How pods are replaced by those of another version, in mode Standard."""

    type: t.Strategy = Field(
        t.Strategy.ROLLING,
        description="RollingUpdate; Recreate: all old pods end before new ones start, and nothing "
        "answers meanwhile",
    )
    max_surge: Annotated[int, Field(ge=0, le=1000)] | None = Field(
        None,
        description="pods beyond the wanted number during an update; 0 where there is no node, or "
        "no GPU, for another one; none: a quarter of them",
    )
    max_unavailable: Annotated[int, Field(ge=0, le=1000)] | None = Field(
        None,
        description="pods that may be missing during an update; none: a quarter of them, 1 where "
        "maxSurge is 0",
    )

    @model_validator(mode="after")
    def _progresses(self) -> Self:
        if self.max_surge == 0 and self.max_unavailable == 0:
            raise ValueError(
                "maxUnavailable: found 0 with maxSurge 0, where no pod can be replaced; allowed: 1 "
                "or more, or a maxSurge of 1 or more"
            )
        bounds = self.max_surge is not None or self.max_unavailable is not None
        if self.type is t.Strategy.RECREATE and bounds:
            raise ValueError(
                "type: found Recreate with maxSurge or maxUnavailable; allowed: RollingUpdate, or "
                "neither of them"
            )
        return self


class Component(Section):
    """What predictor and transformer have in common."""

    cpu: t.Quantity = Field("1", description="CPU, requested and limit")
    memory: t.Memory = Field("2Gi", description="memory, requested and limit")
    min_replicas: Annotated[int, Field(ge=0, le=1000)] = Field(
        1, description="0 lets Knative scale to zero"
    )
    max_replicas: Annotated[int, Field(ge=1, le=1000)] = Field(1, description="upper bound")
    scale_metric: t.ScaleMetric | None = Field(
        None, description="concurrency or rps under Knative, cpu or memory in Standard mode"
    )
    scale_target: t.Count | None = Field(
        None, description="requests (concurrency, rps), or percent of the request (cpu, memory)"
    )
    scale_metrics: tuple[dict[str, Any], ...] = Field(
        (),
        description="metrics with the keys of Kubernetes' HorizontalPodAutoscaler, in place of "
        "scaleMetric: several at once, or those of others; mode Standard only",
    )
    behavior: dict[t.Direction, dict[str, Any]] | None = Field(
        None,
        description="scaleUp and scaleDown, with the keys of Kubernetes' HorizontalPodAutoscaler, "
        "such as {scaleDown: {stabilizationWindowSeconds: 900}}; mode Standard only",
    )
    container_concurrency: Annotated[int, Field(ge=0)] = Field(
        0, description="hard limit of requests at once in a pod, Knative only; 0: none"
    )
    timeout_seconds: Annotated[int, Field(ge=1, le=3600)] = Field(
        60, description="longest a request may take"
    )
    drain_seconds: Annotated[int, Field(ge=0, le=600)] = Field(
        5,
        description="how long a pod still answers after Kubernetes has announced its end, in mode "
        "Standard only, since Knative's pods drain by themselves",
    )
    idle_seconds: Annotated[int, Field(ge=0, le=3600)] = Field(
        0, description="how long the last pod stays without requests, where minReplicas is 0"
    )
    spread: tuple[t.Topology, ...] = Field(
        (), description="zone, node: pods evenly over them, as far as there is room"
    )
    max_unavailable: t.Count = Field(
        1, description="pods that a drained node may take at once, where minReplicas is 2 or more"
    )
    deployment_strategy: DeploymentStrategy | None = Field(
        None,
        description="how an update replaces pods, mode Standard only; none: KServe's default",
    )
    env: dict[t.EnvName, str] = Field({}, description="more environment variables")

    @property
    def scaled_outside(self) -> str | None:
        """The key that needs an autoscaler of the stack's own; None where KServe's is enough."""
        keys = {"behavior": self.behavior, "scaleMetrics": self.scale_metrics}
        return next((key for key, value in keys.items() if value), None)

    @model_validator(mode="after")
    def _scaling(self) -> Self:
        if self.max_replicas < self.min_replicas:
            raise ValueError(
                f"maxReplicas: found {self.max_replicas}; allowed: at least minReplicas, "
                f"{self.min_replicas}"
            )
        if (self.scale_metric is None) != (self.scale_target is None):
            raise ValueError("scaleMetric, scaleTarget: found one; allowed: both or neither")
        if self.scale_metric and self.scale_metrics:
            raise ValueError("scaleMetric, scaleMetrics: found both; allowed: one of them")
        return self


class Predictor(Component):
    """Triton's pods."""

    gpus: Annotated[int, Field(ge=1, le=16)] = Field(1, description="GPUs a pod, on device gpu")
    accelerator: t.DnsLabel | None = Field(
        None, description="GKE's name of the GPU, such as nvidia-l4, on device gpu only"
    )
    gpu_sharing: t.GpuSharing | None = Field(
        None, description="time-sharing or mps: GPU nodes whose GPUs are shared so"
    )
    gpu_clients: Annotated[int, Field(ge=2, le=48)] = Field(
        2, description="pods that share a GPU, with gpuSharing"
    )
    spot: bool = Field(False, description="true: GKE's spot nodes, cheaper and taken away")
    cache_node_group: t.DnsLabel | None = Field(
        None, description="KServe's LocalModelNodeGroup on whose nodes the model is kept"
    )
    service_account: t.DnsLabel | None = Field(
        None, description="Kubernetes service account that may read the bucket"
    )
    node_selector: dict[str, str] = Field({}, description="labels that nodes must have")
    gpu_node_selector: dict[str, str] = Field({}, description="the same, on device gpu only")
    tolerations: tuple[Toleration, ...] = Field((), description="taints that pods tolerate")
    gpu_tolerations: tuple[Toleration, ...] = Field(
        (Toleration(key="nvidia.com/gpu"),), description="the same, on device gpu only"
    )


class Compiler(Section):
    """The Job that compiles a model in format aoti, on the nodes that will serve it."""

    image: t.Image | None = Field(
        None, description="image with PyTorch; none: nvcr.io/nvidia/pytorch, of Triton's tag"
    )
    cpu: t.Quantity = Field("2", description="CPU, requested and limit")
    memory: t.Memory = Field("8Gi", description="memory, requested and limit")
    service_account: t.DnsLabel | None = Field(
        None, description="service account that may read programs/ and add to models/"
    )
    deadline_seconds: Annotated[int, Field(ge=60, le=7200)] = Field(
        1800, description="seconds within which it must be compiled, nodes and images included"
    )


class Transformer(Component):
    """The server in front of Triton."""

    enabled: bool = Field(True, description="false: clients send tensors to Triton themselves")
    image: t.Image = Field(
        default_factory=partial(default_image, "transformer"),
        description="image of transformer/Dockerfile, or one made FROM it, or with args one of "
        "your own; none: the published one of this version",
    )
    args: tuple[str, ...] | None = Field(
        None,
        description="a list, even an empty one: the image is a server of your own on KServe's "
        "SDK, which gets the SDK's arguments and these",
    )
    memory: t.Memory = Field("1Gi", description="memory, requested and limit")
    traces: t.Collector | None = Field(
        None,
        description="collector of OpenTelemetry that gets a request's spans, by OTLP over gRPC, "
        "such as http://collector.monitoring:4317; none: no spans",
    )

    @property
    def own(self) -> bool:
        """Whether the image is a server of the user's own, which knows nothing of releases."""
        return self.args is not None

    @model_validator(mode="after")
    def _own_image(self) -> Self:
        if self.args is not None and "image" not in self.model_fields_set:
            raise ValueError(
                f"args: found {list(self.args)} without an image; allowed: with image, a server "
                "of your own on KServe's SDK"
            )
        return self
