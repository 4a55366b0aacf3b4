"""What a Job is asked to do: JSON, read once into frozen values."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["JOB_VARIABLE", "JobError", "Load", "Objectives", "Verify"]

# Where a container has it; people have a file.
JOB_VARIABLE = "KSERVE_TRITON_JOB"

URL = ("http://", "https://")


class JobError(Exception):
    """The Job was given something it can't work with; one line for people."""


@dataclass(frozen=True)
class Verify:
    """Which endpoint must come up as which release, until when.

    A URL of `None` is not asked. `canary` names one of the service's, whose pods are meant; `None`
    means those that are no canary's. `tolerance` is the largest difference from the release's
    answers, relative to a sample's largest answer where that is more than 1.
    """

    model: str
    service: str
    namespace: str
    mode: str
    transformer_url: str | None
    predictor_url: str | None
    predictor_protocol: str
    host_header: str | None
    deadline_seconds: float
    release_digest: str
    storage_uri: str
    canary: str | None
    tolerance: float
    termination_log: str | None

    @classmethod
    def read(cls, path: Path | None = None) -> Verify:
        """Of a file, or of the environment. Raises JobError naming the first wrong field."""
        fields = _Fields.read(path)
        protocol = fields.choice("predictor_protocol", "http", "grpc")
        made = cls(
            model=fields.text("model"),
            service=fields.text("service"),
            namespace=fields.text("namespace"),
            mode=fields.choice("mode", "Standard", "Knative"),
            transformer_url=fields.url("transformer_url", optional=True),
            predictor_url=fields.url("predictor_url", optional=True, bare=protocol == "grpc"),
            predictor_protocol=protocol,
            host_header=fields.maybe_text("host_header"),
            deadline_seconds=fields.positive("deadline_seconds"),
            release_digest=fields.text("release_digest"),
            storage_uri=fields.text("storage_uri"),
            canary=fields.maybe_text("canary"),
            tolerance=fields.positive("tolerance", default=1e-3),
            termination_log=fields.maybe_text("termination_log"),
        )
        if not (made.transformer_url or made.predictor_url):
            fields.wrong("predictor_url", "an address here or in transformer_url")
        fields.done()
        return made


@dataclass(frozen=True)
class Objectives:
    """What a load test must reach: p99 at most, the ratios at least."""

    p99_ms: float
    success_ratio: float
    rate_ratio: float


@dataclass(frozen=True)
class Load:
    """An open-loop load: `rate` requests a second for `duration_seconds`, whatever comes back."""

    model: str
    url: str
    target: str
    host_header: str | None
    rate: int
    duration_seconds: float
    timeout_seconds: float
    objectives: Objectives
    result: str | None
    termination_log: str | None

    @classmethod
    def read(cls, path: Path | None = None) -> Load:
        """Of a file, or of the environment. Raises JobError naming the first wrong field."""
        fields = _Fields.read(path)
        made = cls(
            model=fields.text("model"),
            url=fields.url("url") or "",
            target=fields.choice("target", "transformer", "predictor"),
            host_header=fields.maybe_text("host_header"),
            rate=int(fields.positive("rate", whole=True)),
            duration_seconds=fields.positive("duration_seconds"),
            timeout_seconds=fields.positive("timeout_seconds", default=10.0),
            objectives=_objectives(fields),
            result=fields.maybe_text("result"),
            termination_log=fields.maybe_text("termination_log"),
        )
        protocol = fields.choice("protocol", "http", "grpc", default="http")
        if made.target == "predictor" and protocol == "grpc":
            fields.wrong("protocol", "http for target predictor: the load generator speaks HTTP")
        if made.result and not made.result.startswith(("/", "gs://")):
            fields.wrong("result", "null, an absolute path, or gs://BUCKET/OBJECT")
        fields.done()
        return made


def _objectives(fields: _Fields) -> Objectives:
    inner = fields.section("objectives")
    made = Objectives(
        p99_ms=inner.positive("p99_ms"),
        success_ratio=inner.positive("success_ratio", at_most=1.0),
        rate_ratio=inner.positive("rate_ratio", at_most=1.0),
    )
    inner.done()
    return made


class _Fields:
    """A JSON object whose fields are taken one by one; what nobody took is an error."""

    def __init__(self, raw: dict[str, Any], place: str) -> None:
        self.raw = raw
        self.place = place
        self.taken: set[str] = set()

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

    def wrong(self, name: str, allowed: str) -> None:
        """Raise JobError for a field."""
        found = json.dumps(self.raw[name]) if name in self.raw else "nothing"
        raise JobError(f"{self.place}{name}: found {found}; allowed: {allowed}")

    def _take(self, name: str, default: Any = None) -> Any:
        self.taken.add(name)
        value = self.raw.get(name)
        return default if value is None else value

    def section(self, name: str) -> _Fields:
        value = self._take(name)
        if not isinstance(value, dict):
            self.wrong(name, "a JSON object")
        return _Fields(value, f"{self.place}{name}.")

    def text(self, name: str) -> str:
        value = self._take(name)
        if not isinstance(value, str) or not value:
            self.wrong(name, "a text")
        return str(value)

    def maybe_text(self, name: str) -> str | None:
        return None if self._take(name) is None else self.text(name)

    def url(self, name: str, *, optional: bool = False, bare: bool = False) -> str | None:
        """An address without a slash at its end; `bare`: HOST:PORT stands for http://HOST:PORT."""
        value = self._take(name)
        if value is None and optional:
            return None
        if bare and isinstance(value, str) and re.fullmatch(r"[^/\s]+:[0-9]{1,5}", value):
            return f"http://{value}"
        if not isinstance(value, str) or not value.startswith(URL):
            self.wrong(name, "an address with http:// or https://")
        return str(value).rstrip("/")

    def choice(self, name: str, *allowed: str, default: str | None = None) -> str:
        value = self._take(name, default)
        if value not in allowed:
            self.wrong(name, " or ".join(allowed))
        return str(value)

    def positive(
        self,
        name: str,
        *,
        default: float | None = None,
        at_most: float = 1e9,
        whole: bool = False,
    ) -> float:
        value = self._take(name, default)
        number = isinstance(value, int if whole else (int, float)) and not isinstance(value, bool)
        if not number or not 0 < value <= at_most:
            kind = "whole number" if whole else "number"
            self.wrong(name, f"a {kind} above 0, at most {at_most:g}")
        return float(value)

    def done(self) -> None:
        """Raise JobError when there are fields that nobody reads."""
        for name in sorted(set(self.raw) - self.taken):
            raise JobError(f"{self.place}{name}: not a field of this job")
