"""Results of load tests, without a load test: requests at their times, and result.json of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from jobs.config import LoadConfig, Objectives
from jobs.load.metrics import Hits, collect
from jobs.load.run import document

if TYPE_CHECKING:
    from collections.abc import Iterator

    from release.schema import Release

__all__ = ["MILLISECOND", "SECOND", "job", "result", "run"]

SECOND, MILLISECOND = 10**9, 10**6


def job(rate: int, seconds: float, **changed: Any) -> LoadConfig:
    """A job of a load test; what isn't given is what is usual."""
    made = LoadConfig(
        model="digits",
        url="http://digits",
        target="predictor",
        predictor_protocol="http",
        rate=rate,
        duration_seconds=seconds,
        timeout_seconds=10,
        objectives=Objectives(50, 0.999, 0.99),
        result=None,
    )
    return replace(made, **changed)


def run(rate: int, seconds: float, *, failing: float = 0.0, seed: int = 1) -> Hits:
    """Latencies as an endpoint's are, some of them late, a share of them failed."""
    chance, count = np.random.default_rng(seed), int(rate * seconds)
    took = 3 + chance.gamma(2, 0.5, count) + (chance.random(count) < 0.01) * 20
    late = chance.gamma(1.2, 0.3, count)
    failed = chance.random(count) < failing

    def rows() -> Iterator[list[str]]:
        for n in range(count):
            at = round((n / rate) * SECOND + late[n] * MILLISECOND)
            ends = (
                ["0", str(MILLISECOND)] if failed[n] else ["200", str(int(took[n] * MILLISECOND))]
            )
            reset = f"read tcp 10.0.0.1:{30000 + n}->10.0.0.2:80: read: connection reset by peer"
            yield [str(at), *ends, "900", "200", reset if failed[n] else ""]

    return collect(rows())


def result(hits: Hits, asked: LoadConfig) -> dict[str, Any]:
    """result.json."""
    release = cast("Release", SimpleNamespace(digest="3f9a1c77e02b" + "0" * 52, format="onnx"))
    started = datetime(2026, 11, 24, 12, tzinfo=UTC)
    return document(asked, release, started, hits, "10 different, V2 over HTTP: INPUT__0 FP32 [4]")
