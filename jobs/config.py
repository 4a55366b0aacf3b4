"""The configuration of a Job: JSON, read once into frozen values."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jobs.fields import Fields

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["JOB_VARIABLE", "JobError", "LoadConfig", "Objectives", "VerifyConfig"]

# Holds the configuration in a container; on the command line it is a file.
JOB_VARIABLE = "KSERVE_TRITON_JOB"


class JobError(Exception):
    """A Job's configuration or release is invalid; the message is one line."""


@dataclass(frozen=True)
class VerifyConfig:
    """A verification: the endpoint, the release that it must serve, and the deadline.

    A URL of `None` is not requested. `canary` names a canary of the InferenceService, whose pods
    are then examined; `None` means the pods of no canary. `tolerance` is the largest difference
    from the release's outputs, relative to a sample's largest output where that is more than 1.
    """

    model: str
    service: str
    namespace: str
    mode: str
    transformer_url: str | None
    predictor_url: str | None
    predictor_protocol: str
    deadline_seconds: float
    release_digest: str
    storage_uri: str
    canary: str | None
    tolerance: float

    @classmethod
    def read(cls, path: Path | None = None) -> VerifyConfig:
        """Read a file, or the environment. Raises JobError that names the first invalid field."""
        fields = _read(path)
        protocol = fields.choice("predictor_protocol", "http", "grpc")
        config = cls(
            model=fields.text("model"),
            service=fields.text("service"),
            namespace=fields.text("namespace"),
            mode=fields.choice("mode", "Standard", "Knative"),
            transformer_url=_optional_url(fields, "transformer_url"),
            predictor_url=_optional_url(fields, "predictor_url", bare=protocol == "grpc"),
            predictor_protocol=protocol,
            deadline_seconds=fields.positive("deadline_seconds"),
            release_digest=fields.text("release_digest"),
            storage_uri=fields.text("storage_uri"),
            canary=fields.optional_text("canary"),
            tolerance=fields.positive("tolerance"),
        )
        if not (config.transformer_url or config.predictor_url):
            fields.fail("predictor_url", "an address here or in transformer_url")
        fields.reject_unknown()
        return config


@dataclass(frozen=True)
class Objectives:
    """Objectives of a load test: the largest p99, the smallest ratios."""

    p99_ms: float
    success_ratio: float
    rate_ratio: float


@dataclass(frozen=True)
class LoadConfig:
    """A load test: `rate` requests a second for `duration_seconds`, and its objectives.

    `result` is an absolute path or gs://BUCKET/OBJECT; `None` stores nothing.
    """

    model: str
    url: str
    target: str
    predictor_protocol: str
    rate: int
    duration_seconds: float
    timeout_seconds: float
    objectives: Objectives
    result: str | None

    @classmethod
    def read(cls, path: Path | None = None) -> LoadConfig:
        """Read a file, or the environment. Raises JobError that names the first invalid field."""
        fields = _read(path)
        target = fields.choice("target", "transformer", "predictor")
        protocol = fields.choice("predictor_protocol", "http", "grpc")
        config = cls(
            model=fields.text("model"),
            url=_url(fields, "url", bare=(target, protocol) == ("predictor", "grpc")),
            target=target,
            predictor_protocol=protocol,
            rate=int(fields.positive("rate", whole=True)),
            duration_seconds=fields.positive("duration_seconds"),
            timeout_seconds=fields.positive("timeout_seconds"),
            objectives=_objectives(fields),
            result=fields.optional_text("result"),
        )
        if config.result and not config.result.startswith(("/", "gs://")):
            fields.fail("result", "null, an absolute path, or gs://BUCKET/OBJECT")
        fields.reject_unknown()
        return config

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


def _read(path: Path | None) -> Fields:
    place = str(path or JOB_VARIABLE)
    try:
        text = path.read_bytes() if path else os.environ[JOB_VARIABLE]
    except OSError as error:
        raise JobError(f"{place}: {error.strerror}") from error
    except KeyError as error:
        raise JobError(f"{place} is not set; allowed: JSON in it, or --config FILE") from error
    return Fields.parse(text, place, JobError)


def _url(fields: Fields, name: str, *, bare: bool = False) -> str:
    """An address without a slash at its end; `bare`: HOST:PORT stands for http://HOST:PORT."""
    value = fields.get(name)
    if bare and isinstance(value, str) and re.fullmatch(r"[^/\s]+:[0-9]{1,5}", value):
        return f"http://{value}"
    if not isinstance(value, str) or not value.startswith(("http://", "https://")):
        fields.fail(name, "an address with http:// or https://")
    return value.rstrip("/")


def _optional_url(fields: Fields, name: str, *, bare: bool = False) -> str | None:
    return None if fields.get(name) is None else _url(fields, name, bare=bare)


def _objectives(fields: Fields) -> Objectives:
    section = fields.section("objectives")
    objectives = Objectives(
        p99_ms=section.positive("p99_ms"),
        success_ratio=section.positive("success_ratio", most=1.0),
        rate_ratio=section.positive("rate_ratio", most=1.0),
    )
    section.reject_unknown()
    return objectives
