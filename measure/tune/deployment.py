"""Where points are measured: something that serves a model with settings, at an address."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, Self

from jobs.http_client import UnreachableError, request

if TYPE_CHECKING:
    from infra.config import ModelSettings
    from jobs.samples import Target

__all__ = ["Address", "DeployError", "Deployment", "TuneError", "wait_until_fast"]

# Requests beyond the capacity are answered or have timed out by then.
FAST_SECONDS = 20.0


class TuneError(Exception):
    """The sweep can't continue; the message says what happened and what to do."""


class DeployError(Exception):
    """These settings can't be served; the sweep continues with others."""


@dataclass(frozen=True)
class Address:
    """The URL of requests: V1 `:predict` of the transformer, or V2 `infer` of Triton."""

    url: str
    host_header: str | None = None


class Deployment(Protocol):
    """A context manager; on exit everything is as before."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def apply(self, settings: ModelSettings) -> Address:
        """Serve with settings. Raises DeployError if they can't be served, TuneError otherwise."""


def wait_until_fast(target: Target, latency_ms: float, timeout_seconds: float) -> None:
    """Send requests until two in a row are answered within a latency. Raises DeployError."""
    end, fast, found = time.monotonic() + FAST_SECONDS, 0, "no answer"
    while fast < 2:
        if time.monotonic() > end:
            raise DeployError(f"{target.url}: {found}, {FAST_SECONDS:.0f} s after it was ready")
        started = time.monotonic()
        try:
            response = request(
                target.url, body=target.body, headers=target.headers, timeout=timeout_seconds
            )
        except UnreachableError as error:
            found = str(error)
            time.sleep(0.2)
            continue
        took = (time.monotonic() - started) * 1000
        found = f"{response}, in {took:.0f} ms"
        fast = fast + 1 if response.status == 200 and took <= latency_ms else 0
