"""A load test: one attack with the release's samples, its result and its verdict."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobs.http_client import UnreachableError, request
from jobs.load.metrics import metrics
from jobs.load.results import SCHEMA
from jobs.load.vegeta import Attack, LoadError, run_attack
from jobs.load.verdict import judge
from jobs.samples import sample_targets

if TYPE_CHECKING:
    from jobs.config import LoadConfig
    from jobs.load.metrics import Hits
    from jobs.progress import Progress
    from jobs.samples import Target
    from release.schema import Release

__all__ = ["LoadError", "document", "load"]


def load(config: LoadConfig, release: Release, progress: Progress) -> dict[str, Any]:
    """Run a load test; return the document result.json.

    Raises LoadError when no load could be sent.
    """
    targets = sample_targets(config.request_url, release)
    _check_endpoint(targets[0], config.timeout_seconds)
    progress.log(
        f"{config.rate} requests/s for {config.duration_seconds:g} s to {targets[0].url}, "
        f"{len(targets)} different images"
    )
    started = datetime.now(UTC)
    attack = Attack(config.duration_seconds, config.rate, timeout_seconds=config.timeout_seconds)
    with tempfile.TemporaryDirectory() as folder:
        hits = run_attack(targets, attack, Path(folder), report=progress.log)
    return document(config, release, started, hits)


def _check_endpoint(target: Target, timeout: float) -> None:
    """Send one request. Raises LoadError unless its status is 200, before a minute of errors."""
    try:
        answer = request(target.url, body=target.body, headers=target.headers, timeout=timeout)
    except UnreachableError as error:
        raise LoadError(f"the endpoint does not answer, so no load was sent: {error}") from error
    if answer.status != 200:
        raise LoadError(
            f"the endpoint refuses a sample, so no load was sent: {target.url}: {answer}"
        )


def document(config: LoadConfig, release: Release, started: datetime, hits: Hits) -> dict[str, Any]:
    """result.json: the configuration, the metrics, and the verdict."""
    found = metrics(hits, config)
    verdict = judge(
        p99_ms=found["latency_ms"]["p99"],
        service_p99_ms=found["service_ms"]["p99"],
        success_ratio=found["success_ratio"],
        rate_ratio=found["rate"]["ratio"],
        objectives=config.objectives,
    )
    return {
        "schema": SCHEMA,
        "model": config.model,
        "release_digest": release.digest,
        "target": config.target,
        "url": config.url,
        "payloads": len(release.samples),
        "started": started.isoformat(timespec="seconds"),
        "asked": {
            "rate": config.rate,
            "duration_seconds": config.duration_seconds,
            "timeout_seconds": config.timeout_seconds,
        },
        **found,
        **verdict.to_dict(),
    }
