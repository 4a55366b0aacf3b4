"""The configuration of a Job: JSON, read once into frozen values."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["JOB_VARIABLE", "JobError", "LoadConfig", "Objectives", "VerifyConfig"]

# Holds the configuration in a container; on the command line it is a file.
JOB_VARIABLE = "KSERVE_TRITON_JOB"
SCHEMES = ("http://", "https://")


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
        fields = _Fields.read(path)
        protocol = fields.choice("predictor_protocol", "http", "grpc")
        config = cls(
            model=fields.text("model"),
            service=fields.text("service"),
            namespace=fields.text("namespace"),
            mode=fields.choice("mode", "Standard", "Knative"),
            transformer_url=fields.url("transformer_url", optional=True),
            predictor_url=fields.url("predictor_url", optional=True, bare=protocol == "grpc"),
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
    rate: int
    duration_seconds: float
    timeout_seconds: float
    objectives: Objectives
    result: str | None

    @classmethod
    def read(cls, path: Path | None = None) -> LoadConfig:
        """Read a file, or the environment. Raises JobError that names the first invalid field."""
        fields = _Fields.read(path)
        config = cls(
            model=fields.text("model"),
            url=fields.url("url") or "",
            target=fields.choice("target", "transformer", "predictor"),
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
    def request_url(self) -> str:
        """V1 `predict` of the transformer, or V2 `infer` of the predictor."""
        if self.target == "transformer":
            return f"{self.url}/v1/models/{self.model}:predict"
        return f"{self.url}/v2/models/{self.model}/infer"


def _objectives(fields: _Fields) -> Objectives:
    section = fields.section("objectives")
    objectives = Objectives(
        p99_ms=section.positive("p99_ms"),
        success_ratio=section.positive("success_ratio", at_most=1.0),
        rate_ratio=section.positive("rate_ratio", at_most=1.0),
    )
    section.reject_unknown()
    return objectives


class _Fields:
    """A JSON object whose fields are read one by one; a field that nothing reads is an error."""

    def __init__(self, raw: dict[str, Any], place: str) -> None:
        self.raw, self.place = raw, place
        self.read_names: set[str] = set()

    @classmethod
    def read(cls, path: Path | None) -> _Fields:
        place = str(path or JOB_VARIABLE)
        try:
            raw = json.loads(path.read_bytes() if path else os.environ[JOB_VARIABLE])
        except OSError as error:
            raise JobError(f"{place}: {error.strerror}") from error
        except KeyError as error:
            raise JobError(f"{place} is not set; allowed: JSON in it, or --config FILE") from error
        except ValueError as error:
            raise JobError(f"{place}: not JSON: {error}") from error
        if not isinstance(raw, dict):
            raise JobError(f"{place}: found a {type(raw).__name__}; allowed: a JSON object")
        return cls(raw, f"{place}: ")

    def fail(self, name: str, allowed: str) -> None:
        """Raise JobError for a field."""
        found = json.dumps(self.raw[name]) if name in self.raw else "nothing"
        raise JobError(f"{self.place}{name}: found {found}; allowed: {allowed}")

    def _value(self, name: str) -> Any:
        self.read_names.add(name)
        return self.raw.get(name)

    def section(self, name: str) -> _Fields:
        value = self._value(name)
        if not isinstance(value, dict):
            self.fail(name, "a JSON object")
        return _Fields(value, f"{self.place}{name}.")

    def text(self, name: str) -> str:
        value = self._value(name)
        if not isinstance(value, str) or not value:
            self.fail(name, "a text")
        return str(value)

    def optional_text(self, name: str) -> str | None:
        return None if self._value(name) is None else self.text(name)

    def url(self, name: str, *, optional: bool = False, bare: bool = False) -> str | None:
        """An address without a slash at its end; `bare`: HOST:PORT stands for http://HOST:PORT."""
        value = self._value(name)
        if value is None and optional:
            return None
        if bare and isinstance(value, str) and re.fullmatch(r"[^/\s]+:[0-9]{1,5}", value):
            return f"http://{value}"
        if not isinstance(value, str) or not value.startswith(SCHEMES):
            self.fail(name, "an address with http:// or https://")
        return str(value).rstrip("/")

    def choice(self, name: str, *allowed: str) -> str:
        value = self._value(name)
        if value not in allowed:
            self.fail(name, " or ".join(allowed))
        return str(value)

    def positive(self, name: str, *, at_most: float = 1e9, whole: bool = False) -> float:
        value = self._value(name)
        number = isinstance(value, int if whole else (int, float)) and not isinstance(value, bool)
        if not number or not 0 < value <= at_most:
            kind = "whole number" if whole else "number"
            self.fail(name, f"a {kind} above 0, at most {at_most:g}")
        return float(value)

    def reject_unknown(self) -> None:
        """Raise JobError when there are fields that nothing has read."""
        for name in sorted(set(self.raw) - self.read_names):
            raise JobError(f"{self.place}{name}: not a field of this job")
