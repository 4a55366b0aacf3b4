"""Settings of the verification, the load test, and the container of both."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Self

from pydantic import Field, model_validator

from infra.config import types as t
from infra.config.base import Section
from infra.config.images import default_image

# What ghz keeps, and what the load test's memory holds; jobs/config.py has the same.
MAX_REQUESTS = 1_000_000


class Jobs(Section):
    """The container of the verification and the load test."""

    image: t.Image = Field(
        default_factory=partial(default_image, "jobs"),
        description="image of jobs/Dockerfile; none: the published one of this version",
    )
    cpu: t.Quantity = Field("1", description="CPU, requested and limit")
    memory: t.Memory = Field("1Gi", description="memory, requested and limit")
    service_account: t.DnsLabel | None = Field(
        None, description="service account of the load test, where it uploads its result"
    )
    labels: dict[str, str] = Field(
        {}, description="more labels of the Jobs' pods, such as a mesh reads"
    )
    annotations: dict[str, str] = Field(
        {}, description="more annotations of the Jobs' pods, such as a mesh reads"
    )


class Verification(Section):
    """The verification that an endpoint answers; `pulumi up` waits for it."""

    deadline_seconds: Annotated[int, Field(ge=10, le=7200)] = Field(
        900, description="seconds within which an endpoint must answer"
    )
    tolerance: Annotated[float, Field(gt=0, le=1)] = Field(
        1e-3,
        description="largest difference from the release's own answers, as a share of a sample's "
        "largest one where that is above 1",
    )
    outside: bool = Field(
        True,
        description="false: the URL under the domain is not asked, as where the cluster can't "
        "reach it, or doesn't know its certificate's issuer",
    )
    each_pod: bool = Field(
        True,
        description="false: pods are asked through their Service only, as where a mesh refuses "
        "requests to a pod's own address; Standard mode",
    )


class Objectives(Section):
    """Objectives of the load test."""

    p99_ms: Annotated[float, Field(gt=0)] = Field(50.0, description="99th percentile, at most")
    success_ratio: t.Ratio = Field(
        0.999, description="answers with status 200, over gRPC OK, at least"
    )
    rate_ratio: t.Ratio = Field(0.99, description="achieved rate over the asked one, at least")


class LoadTest(Section):
    """The load test."""

    enabled: bool = Field(True, description="false: no load test")
    target: Annotated[str, Field(pattern="^(transformer|predictor)$")] | None = Field(
        None,
        description="component that is loaded: transformer or predictor; none: transformer, "
        "predictor where there is none",
    )
    rate: Annotated[int, Field(ge=1, le=100_000)] = Field(100, description="requests a second")
    duration_seconds: Annotated[int, Field(ge=1, le=3600)] = Field(
        60, description="seconds of load"
    )
    upload: bool = Field(False, description="put result.json into the bucket, under perf/")
    objectives: Objectives = Field(Objectives(), description="objectives; a miss fails the update")

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        requests = self.rate * self.duration_seconds
        if requests > MAX_REQUESTS:
            raise ValueError(
                f"rate, durationSeconds: found {requests} requests; allowed: {MAX_REQUESTS} in "
                "all, with a lower rate or for a shorter time"
            )
        return self
