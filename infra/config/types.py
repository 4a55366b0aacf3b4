"""The kinds of value that a setting can take, each with the message for a wrong one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_network
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
)
from pydantic_core import core_schema

from infra.config import google
from release.schema import NAME, NAME_RULE

_UNITS = {"k": 1000, "M": 1000**2, "G": 1000**3, "T": 1000**4, "m": 0.001}
_UNITS |= {"Ki": 1024, "Mi": 1024**2, "Gi": 1024**3, "Ti": 1024**4}
# What Kubernetes allows of a label's value, and DNS of a part of a name.
LABEL_LENGTH = 63


class Device(StrEnum):
    """Device that the model runs on."""

    CPU = "cpu"
    GPU = "gpu"


class Protocol(StrEnum):
    """Protocol between transformer and Triton."""

    HTTP = "http"
    GRPC = "grpc"


class Placement(StrEnum):
    """Where the transformer runs: in pods of its own, or beside Triton."""

    SEPARATE = "separate"
    COLLOCATED = "collocated"


class Mode(StrEnum):
    """KServe's deployment mode: Knative Services or Deployments."""

    KNATIVE = "Knative"
    STANDARD = "Standard"


class Strategy(StrEnum):
    """How a Deployment replaces its pods."""

    ROLLING = "RollingUpdate"
    RECREATE = "Recreate"


class UrlScheme(StrEnum):
    """Scheme of the URLs outside the cluster."""

    HTTP = "http"
    HTTPS = "https"


class Topology(StrEnum):
    """Topology over which pods are spread."""

    ZONE = "zone"
    NODE = "node"


class GpuSharing(StrEnum):
    """How pods share a GPU on GKE."""

    TIME_SHARING = "time-sharing"
    MPS = "mps"


class ScaleMetric(StrEnum):
    """Metric of the autoscaler: concurrency, rps under Knative; cpu, memory in Standard mode."""

    CONCURRENCY = "concurrency"
    RPS = "rps"
    CPU = "cpu"
    MEMORY = "memory"


@dataclass(frozen=True)
class _Matching:
    """A text that a pattern matches as a whole; `allowed` describes it to users."""

    pattern: str
    allowed: str

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return handler(schema) | {"pattern": f"^({self.pattern})$"}

    def _check(self, value: str) -> str:
        if not re.fullmatch(self.pattern, value):
            raise ValueError(f"allowed: {self.allowed}")
        return value


DnsLabel = Annotated[
    str,
    _Matching(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", "1 to 63 of a-z, 0-9 and '-' (a DNS label)"),
]
ModelName = Annotated[str, _Matching(NAME.pattern, NAME_RULE)]
Domain = Annotated[
    str,
    _Matching(
        r"(?=.{1,130}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*",
        "a domain's name in lower case, such as models.example.com: no scheme, port or path",
    ),
]
Cidr = Annotated[str, AfterValidator(lambda text: _check_cidr(text))]
Uid = Annotated[
    str,
    _Matching(
        r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
        "a UID of Kubernetes, such as 0f3c2d1e-5b6a-4c7d-8e9f-0a1b2c3d4e5f",
    ),
]
Quantity = Annotated[
    str,
    _Matching(
        r"[0-9]+(\.[0-9]+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?", "a Kubernetes quantity: 500m, 2, 512Mi, 4Gi"
    ),
]
Memory = Annotated[Quantity, AfterValidator(lambda quantity: _check_memory(quantity))]
Seconds = Annotated[str, _Matching(r"[1-9][0-9]*s", "whole seconds, at least one, such as 600s")]
# Knative matches by exact host: no scheme, no path, no wildcard.
Registry = Annotated[
    str,
    _Matching(
        r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?", "a registry's host, such as nvcr.io"
    ),
]
Collector = Annotated[
    str,
    _Matching(
        r"https?://[A-Za-z0-9.-]+:[0-9]{1,5}",
        "http or https, host and port, such as http://collector.monitoring:4317",
    ),
]
EnvName = Annotated[
    str, _Matching(r"[A-Za-z_][A-Za-z0-9_]*", "letters, digits and '_', no digit first")
]
Container = Annotated[str, _Matching(r"[0-9]{2}\.[0-9]{2}-py3", "Triton's tags, such as 26.05-py3")]
ImageDigest = r"(@sha256:[0-9a-f]{64})"
Image = Annotated[
    str,
    _Matching(
        rf"[a-z0-9][a-z0-9./:_-]*(:[A-Za-z0-9._-]+{ImageDigest}?|{ImageDigest})",
        "an image with a tag other than latest, or a digest, or both",
    ),
    AfterValidator(lambda image: _not_latest(image)),
]
PinnedImage = Annotated[
    str,
    _Matching(
        rf"[a-z0-9][a-z0-9./:_-]*(:[A-Za-z0-9._-]+)?{ImageDigest}",
        "an image with its digest, such as nvcr.io/nvidia/tritonserver@sha256:…",
    ),
]
ReleaseDigest = Annotated[
    str,
    _Matching(
        r"[0-9a-f]{12,64}", "a release's digest in the lock, 12 digits of it or more, in quotes"
    ),
]
# With a digest: a tag can be moved, and then running pods and new ones would differ.
OciUri = Annotated[
    str,
    _Matching(
        rf"oci://[a-z0-9][a-z0-9.:-]*/[a-z0-9._/-]+(:[A-Za-z0-9._-]+)?{ImageDigest}",
        "an image with its digest, such as oci://REGISTRY/models/digits@sha256:…",
    ),
]
Bucket = Annotated[str, AfterValidator(google.check_bucket)]
Project = Annotated[str, AfterValidator(google.check_project)]
Location = Annotated[str, AfterValidator(google.check_location)]
KmsKey = Annotated[str, AfterValidator(google.check_kms_key)]
Member = Annotated[str, AfterValidator(google.check_member)]
Labels = Annotated[dict[str, str], AfterValidator(google.check_labels)]
# A parameter of one of Triton's backends.
Value = bool | int | str
# Of a HorizontalPodAutoscaler's behavior.
Direction = Literal["scaleUp", "scaleDown"]
GraphOptimization = Literal["all", "extended", "basic", "none"]
Ratio = Annotated[float, Field(gt=0, le=1)]
Count = Annotated[int, Field(ge=1)]


def _check_cidr(text: str) -> str:
    try:
        return str(ip_network(text))
    except ValueError:
        raise ValueError("allowed: a network in CIDR notation, such as 10.0.0.0/8") from None


def _check_memory(quantity: str) -> str:
    if amount(quantity) < 1024**2:
        raise ValueError("allowed: 1Mi or more, such as 512Mi or 4Gi")
    return quantity


def _not_latest(image: str) -> str:
    if image.endswith(":latest"):
        raise ValueError("allowed: a tag that stays what it is, not latest")
    return image


def amount(quantity: str) -> float:
    """A checked Kubernetes quantity as a number."""
    digits = quantity.rstrip("kMGTim")
    return float(digits) * _UNITS.get(quantity.removeprefix(digits), 1)
