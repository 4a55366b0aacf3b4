"""The configuration of a Job: JSON, read once into frozen values."""

from __future__ import annotations

import os
import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from release.decode import decode

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["JOB_VARIABLE", "JobError", "LoadConfig", "Objectives", "VerifyConfig", "read_config"]

# Holds the configuration in a container; on the command line it is a file.
JOB_VARIABLE = "KSERVE_TRITON_JOB"
# Requests of a load test: ghz keeps as many, and their figures are held in memory.
MAX_REQUESTS = 1_000_000
T = TypeVar("T")
Protocol = Literal["http", "grpc"]
_HTTP = re.compile(r"https?://[^/\s]+(/[^/\s]+)*")
_GRPC = re.compile(r"(https?://)?[^/:\s]+:[0-9]{1,5}")


class JobError(Exception):
    """A Job's configuration or release is invalid; the message is one line."""


@dataclass(frozen=True, kw_only=True)
class VerifyConfig:
    """A verification: the endpoint, the release that it must serve, and the deadline.

    A URL of `None` is not requested; `outer_url` is that of clients outside the cluster, of the
    transformer where there is one. `canary` names a canary of the InferenceService, whose pods
    are then examined; `None` means the pods of no canary. Under Knative the newest revision is the
    canary, and `stable_uri` is what must get the other requests; `None` without a canary.
    `tolerance` is the largest difference of floats from the release's, relative to the largest
    value of a tensor where that is more than 1.

    `predictor_port` and `transformer_port` are those of the pods, each of which is asked at its own
    address; `None` where pods are only asked through their Service.

    `predictions`: `equal` to the release's; `any`, where the stack gives the handler other
    parameters; `none` are asked for, where the transformer is a server of the user's own.
    """

    model: str
    service: str
    namespace: str
    mode: Literal["Standard", "Knative"]
    transformer_url: str | None = None
    predictor_url: str | None = None
    outer_url: str | None = None
    predictor_protocol: Protocol
    predictor_port: int | None = None
    transformer_port: int | None = None
    predictions: Literal["equal", "any", "none"] = "equal"
    deadline_seconds: float
    release_digest: str
    storage_uri: str
    canary: str | None = None
    stable_uri: str | None = None
    tolerance: float

    def __post_init__(self) -> None:
        _check_positive(self, "deadline_seconds", "tolerance")
        for name in ("transformer_url", "outer_url"):
            if (url := getattr(self, name)) is not None:
                _check_url(name, url, "http")
        if self.predictor_url is not None:
            _check_url("predictor_url", self.predictor_url, self.predictor_protocol)
        elif self.transformer_url is None:
            raise ValueError(
                "predictor_url: missing; allowed: an address here or in transformer_url"
            )


@dataclass(frozen=True)
class Objectives:
    """Objectives of a load test: the largest p99, the smallest ratios."""

    p99_ms: float
    success_ratio: float
    rate_ratio: float


@dataclass(frozen=True, kw_only=True)
class LoadConfig:
    """A load test: `rate` requests a second for `duration_seconds`, and its objectives.

    `result` is an absolute path or gs://BUCKET/OBJECT; `None` stores nothing.
    """

    model: str
    url: str
    target: Literal["transformer", "predictor"]
    predictor_protocol: Protocol
    rate: int
    duration_seconds: float
    timeout_seconds: float
    objectives: Objectives
    result: str | None = None

    def __post_init__(self) -> None:
        _check_positive(self, "rate", "duration_seconds", "timeout_seconds")
        requests = self.rate * self.duration_seconds
        if requests > MAX_REQUESTS:
            raise ValueError(
                f"rate, duration_seconds: found {requests:g} requests; allowed: {MAX_REQUESTS} in "
                "all"
            )
        for name, value in asdict(self.objectives).items():
            most = 1e9 if name == "p99_ms" else 1
            if not 0 < value <= most:
                raise ValueError(f"objectives.{name}: found {value}; allowed: above 0, to {most:g}")
        _check_url("url", self.url, "grpc" if self.grpc else "http")
        if self.result is not None and not self.result.startswith(("/", "gs://")):
            raise ValueError(
                f"result: found {self.result!r}; allowed: null, an absolute path, or "
                "gs://BUCKET/OBJECT"
            )

    @property
    def grpc(self) -> bool:
        """Whether the load is sent to Triton over gRPC."""
        return self.target == "predictor" and self.predictor_protocol == "grpc"

    @property
    def predict_url(self) -> str:
        """V1 `predict`."""
        return f"{self.url}/v1/models/{self.model}:predict"

    @property
    def infer_url(self) -> str:
        """V2 `infer`."""
        return f"{self.url}/v2/models/{self.model}/infer"


def read_config(kind: type[T], path: Path | None = None) -> T:
    """Read a file, or the environment. Raises JobError that names the first invalid field."""
    place = str(path or JOB_VARIABLE)
    try:
        return decode(kind, path.read_bytes() if path else os.environ[JOB_VARIABLE].encode())
    except OSError as error:
        raise JobError(f"{place}: {error.strerror}") from error
    except KeyError as error:
        raise JobError(f"{place} is not set; allowed: JSON in it, or --config FILE") from error
    except ValueError as error:
        raise JobError(f"{place}: {error}") from error


def _check_positive(config: Any, *names: str) -> None:
    for name in names:
        value = getattr(config, name)
        if not 0 < value <= 1e9:
            raise ValueError(f"{name}: found {value}; allowed: a number above 0, to 1e9")


def _check_url(name: str, value: str, protocol: Protocol) -> None:
    if not (_GRPC if protocol == "grpc" else _HTTP).fullmatch(value):
        allowed = "HOST:PORT" if protocol == "grpc" else "http://HOST or https://HOST"
        raise ValueError(f"{name}: found {value!r}; allowed: {allowed}, no slash at its end")
