"""What a model is served by: Triton, its pods, the transformer."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from infra.config import types as t
from infra.config.base import Section


class Triton(Section):
    """Triton's container and the rendered config.pbtxt."""

    container: t.Container = Field("26.05-py3", description="tag of nvcr.io/nvidia/tritonserver")
    image: t.PinnedImage | None = Field(
        None, description="Triton's image by its digest, of the same container; none: by tag"
    )
    runtime: t.DnsLabel = Field("kserve-tritonserver", description="KServe serving runtime")
    max_batch_size: Annotated[int, Field(ge=0, le=4096)] = Field(
        32, description="largest batch; 0: the model has no batch dimension in its config"
    )
    preferred_batch_sizes: tuple[t.Count, ...] = Field(
        (), description="batch sizes that the dynamic batcher aims for"
    )
    queue_delay_microseconds: Annotated[int, Field(ge=0, le=10_000_000)] = Field(
        0, description="how long a request may wait for others to batch with"
    )
    dynamic_batching: bool = Field(True, description="batch requests that wait together")
    instances: Annotated[int, Field(ge=1, le=64)] = Field(
        1, description="copies of the model; on GPU: for each GPU"
    )
    gpus: tuple[Annotated[int, Field(ge=0, le=15)], ...] = Field(
        (), description="GPU ids to use; none: all that the container has"
    )
    keep_versions: Annotated[int, Field(ge=1, le=8)] = Field(
        1, description="versions that Triton serves at once, latest first"
    )
    warmup_batch_sizes: tuple[t.Count, ...] = Field(
        (1,), description="batch sizes that are run twice, on a real sample, before ready"
    )
    parameters: dict[str, bool | int | str] = Field(
        {}, description="parameters of the PyTorch backend, from its closed list"
    )

    @model_validator(mode="after")
    def _batches_fit(self) -> Self:
        for name, sizes in (
            ("preferredBatchSizes", self.preferred_batch_sizes),
            ("warmupBatchSizes", self.warmup_batch_sizes),
        ):
            wrong = [size for size in sizes if size > max(self.max_batch_size, 1)]
            if wrong:
                raise ValueError(
                    f"{name}: found {wrong}; allowed: up to maxBatchSize, {self.max_batch_size}"
                )
        if not self.dynamic_batching and (
            self.preferred_batch_sizes or self.queue_delay_microseconds
        ):
            raise ValueError(
                "dynamicBatching: found false with preferredBatchSizes or queueDelayMicroseconds; "
                "allowed: true, or neither of them"
            )
        if len(set(self.gpus)) != len(self.gpus):
            raise ValueError(f"gpus: found {list(self.gpus)}; allowed: each id once")
        return self


class Toleration(Section):
    """A Kubernetes toleration."""

    key: str
    operator: Annotated[str, Field(pattern="^(Exists|Equal)$")] = "Exists"
    value: str | None = None
    effect: Annotated[str, Field(pattern="^(NoSchedule|PreferNoSchedule|NoExecute)$")] = (
        "NoSchedule"
    )


class Component(Section):
    """What predictor and transformer have in common."""

    cpu: t.Quantity = Field("1", description="CPU, requested and limit")
    memory: t.Quantity = Field("2Gi", description="memory, requested and limit")
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
    container_concurrency: Annotated[int, Field(ge=0)] = Field(
        0, description="hard limit of requests at once in a pod, Knative only; 0: none"
    )
    timeout_seconds: Annotated[int, Field(ge=1, le=3600)] = Field(
        60, description="longest a request may take"
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
    env: dict[t.EnvName, str] = Field({}, description="more environment variables")

    @model_validator(mode="after")
    def _scaling(self) -> Self:
        if self.max_replicas < self.min_replicas:
            raise ValueError(
                f"maxReplicas: found {self.max_replicas}; allowed: at least minReplicas, "
                f"{self.min_replicas}"
            )
        if (self.scale_metric is None) != (self.scale_target is None):
            raise ValueError("scaleMetric, scaleTarget: found one; allowed: both or neither")
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


class Transformer(Component):
    """The image transformer in front of Triton."""

    enabled: bool = Field(True, description="false: clients send tensors to Triton themselves")
    image: t.Image = Field("kserve-triton/transformer:0.1.0", description="transformer/Dockerfile")
    memory: t.Quantity = Field("1Gi", description="memory, requested and limit")
    workers: Annotated[int, Field(ge=1, le=32)] = Field(1, description="processes a pod")


class Canary(Section):
    """Another release that gets some of the traffic."""

    release: t.ReleaseDigest = Field(description="digest of a release in the lock")
    traffic_percent: Annotated[int, Field(ge=0, le=99)] = Field(
        10, description="its share of requests; Standard mode: of pods, one at least"
    )
