"""The sections of a stack's configuration: names, types, defaults, descriptions, rules."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from infra import types as t
from infra.google import kms_location
from infra.rules import broken_rules


class Section(BaseModel):
    """Immutable, closed (an unknown key is an error), camelCase in the stack's file."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        validate_default=True,
        populate_by_name=True,
    )


class Storage(Section):
    """The bucket and what is kept in it."""

    bucket: t.Bucket = Field(description="name of the bucket, unique in all of Google Cloud")
    project: t.Project = Field(description="Google Cloud project that owns the bucket")
    location: t.Location = Field("EU", description="where the bucket lies; can't be changed")
    labels: t.Labels = Field({}, description="labels of the bucket")
    kms_key: t.KmsKey | None = Field(None, description="CMEK key; Google's own key without it")
    readers: tuple[t.Member, ...] = Field((), description="IAM members that may read models")
    result_writers: tuple[t.Member, ...] = Field(
        (), description="IAM members that may add load test results, under perf/"
    )
    force_destroy: bool = Field(False, description="let `destroy` empty the bucket first")
    protect: bool = Field(False, description="refuse to delete the bucket")
    soft_delete_days: Annotated[int, Field(ge=0, le=90)] = Field(
        7, description="days in which a deleted object can be restored; 0, or 7 to 90"
    )
    noncurrent_days: t.Count = Field(
        30, description="days after which versions that were replaced or deleted are purged"
    )
    retain_releases: bool = Field(
        True, description="leave old releases in the bucket when a stack moves on"
    )

    @model_validator(mode="after")
    def _google_rules(self) -> Self:
        if 0 < self.soft_delete_days < 7:
            raise ValueError(f"softDeleteDays: found {self.soft_delete_days}; allowed: 0, 7 to 90")
        if self.kms_key and kms_location(self.kms_key) != self.location.lower():
            raise ValueError(
                f"kmsKey: found a key in {kms_location(self.kms_key)}; "
                f"allowed: one in the bucket's location, {self.location.lower()}"
            )
        return self


class Identity(Section):
    """The Google service accounts that pods act as."""

    create: bool = Field(
        False, description="true: make them, with their Kubernetes service accounts; GKE only"
    )
    models_account: t.AccountId = Field(
        "kserve-models", description="Google account that may read models"
    )
    results_account: t.AccountId = Field(
        "kserve-results", description="Google account that may add load test results, under perf/"
    )


class Knative(Section):
    """The two keys of `config-deployment` that this project owns."""

    managed_by: Annotated[str, Field(pattern="^(configmap|none)$")] = Field(
        "configmap", description="configmap: patch config-deployment; none: leave it alone"
    )
    registries: tuple[t.Registry, ...] = Field(
        ("nvcr.io",), description="registries whose tags are not resolved, beside those already"
    )
    progress_deadline: t.Seconds = Field(
        "600s", description="how long a revision may take to become ready"
    )


class Triton(Section):
    """Triton's container and the rendered config.pbtxt."""

    container: t.Container = Field("26.05-py3", description="tag of nvcr.io/nvidia/tritonserver")
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


class Jobs(Section):
    """The container of the verification and the load test."""

    image: t.Image = Field("kserve-triton/jobs:0.1.0", description="perf/Dockerfile")
    cpu: t.Quantity = Field("1", description="CPU, requested and limit")
    memory: t.Quantity = Field("1Gi", description="memory, requested and limit")
    service_account: t.DnsLabel | None = Field(
        None, description="service account of the load test, where it uploads its result"
    )


class Verification(Section):
    """The proof that an endpoint answers; `pulumi up` succeeds only then."""

    deadline_seconds: Annotated[int, Field(ge=10, le=7200)] = Field(
        900, description="how long an endpoint may take to answer"
    )
    tolerance: Annotated[float, Field(gt=0, le=1)] = Field(
        1e-3,
        description="largest difference from the release's own answers, as a share of a sample's "
        "largest one where that is above 1",
    )


class Objectives(Section):
    """What a load test must reach."""

    p99_ms: Annotated[float, Field(gt=0)] = Field(50.0, description="99th percentile, at most")
    success_ratio: t.Ratio = Field(0.999, description="answers with status 200, at least")
    rate_ratio: t.Ratio = Field(0.99, description="achieved rate over the asked one, at least")


class Perf(Section):
    """The load test."""

    enabled: bool = Field(True, description="false: no load test")
    target: Annotated[str, Field(pattern="^(transformer|predictor)$")] = Field(
        "transformer", description="what gets the load: transformer or predictor"
    )
    rate: Annotated[int, Field(ge=1, le=100_000)] = Field(100, description="requests a second")
    duration_seconds: Annotated[int, Field(ge=1, le=3600)] = Field(60, description="how long")
    upload: bool = Field(False, description="put result.json into the bucket, under perf/")
    objectives: Objectives = Field(Objectives(), description="what must be reached")


class ModelSettings(Section):
    """One model as the stack serves it: the stack's defaults with the model's own on top."""

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
    knative: Knative = Field(Knative(), description="Knative's config-deployment")
    jobs: Jobs = Field(Jobs(), description="the container of verification and load test")
