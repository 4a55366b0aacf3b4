"""Settings of Triton: its container and the rendered config.pbtxt."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from infra.config import types as t
from infra.config.base import Section


class Triton(Section):
    """Triton's container and the rendered config.pbtxt."""

    # Older ones have published vulnerabilities (CVE-2026-24206, CVE-2026-24207, CVE-2025-23319).
    container: t.Container = Field("26.05-py3", description="tag of nvcr.io/nvidia/tritonserver")
    image: t.PinnedImage | None = Field(
        None, description="Triton's image by its digest, of the same container; none: by tag"
    )
    runtime: t.DnsLabel = Field("kserve-tritonserver", description="KServe serving runtime")
    max_batch_size: Annotated[int, Field(ge=0, le=4096)] = Field(
        32, description="largest batch; 0: the batch is a dimension like others, never batched"
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
    warmup_batch_sizes: tuple[t.Count, ...] = Field(
        (1,), description="batch sizes that are run twice, on a real sample, before ready"
    )
    parameters: dict[str, t.Value] = Field(
        {}, description="parameters of the format's backend, from its closed list"
    )
    graph_optimization: t.GraphOptimization = Field(
        "all", description="of ONNX Runtime: all, extended, basic or none; format onnx only"
    )
    accelerators: dict[str, dict[str, t.Value]] = Field(
        {},
        description="execution accelerators of ONNX Runtime with their parameters: tensorrt, cuda "
        "on device gpu, openvino on cpu; format onnx only",
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
