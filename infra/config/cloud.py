"""Google Cloud: the bucket, and who may use it."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from infra.config import types as t
from infra.config.base import Section
from infra.config.google import kms_location


class Storage(Section):
    """The bucket, its access, and how long objects are kept."""

    bucket: t.Bucket = Field(description="name of the bucket, unique in all of Google Cloud")
    create: bool = Field(
        True,
        description="false: the bucket exists already, and is never changed or deleted; one that "
        "the stack has made is handed over, and taken back by `pulumi import` only",
    )
    project: t.Project = Field(description="Google Cloud project that owns the bucket")
    location: t.Location = Field("EU", description="location of the bucket; can't be changed")
    labels: t.Labels = Field({}, description="labels of the bucket")
    kms_key: t.KmsKey | None = Field(None, description="CMEK key; Google's own key without it")
    readers: tuple[t.Member, ...] = Field((), description="IAM members that may read models")
    result_writers: tuple[t.Member, ...] = Field(
        (), description="IAM members that may add load test results, under perf/"
    )
    compilers: tuple[t.Member, ...] = Field(
        (), description="IAM members that compile models in format aoti: read programs/, add models"
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


class IdentitySettings(Section):
    """Access of the pods' Kubernetes service accounts to the bucket, by Workload Identity."""

    project_number: t.Count | None = Field(
        None,
        description="number of the cluster's project: the stack grants its pods' Kubernetes "
        "service accounts what they need of the bucket, and makes those that are missing; GKE only",
    )
    project: t.Project | None = Field(
        None, description="the cluster's project; storage.project without it"
    )
