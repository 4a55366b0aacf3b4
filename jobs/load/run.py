"""A load test: one attack with the release's samples, its result and its verdict."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobs.http_client import UnreachableError, request
from jobs.load.metrics import metrics
from jobs.load.results import SCHEMA, Result
from jobs.load.storage import report_place, store, store_page
from jobs.load.targets import sample_targets
from jobs.load.vegeta import Attack, LoadError, run_attack
from jobs.load.verdict import judge
from jobs.report.page import render
from jobs.report.terminal import summary

if TYPE_CHECKING:
    from jobs.config import LoadConfig
    from jobs.load.metrics import Hits
    from jobs.load.targets import Target
    from jobs.progress import Progress
    from release.schema import Release

__all__ = ["LoadError", "document", "load"]

# Errors in the termination message, whose size is limited.
ERRORS_SHOWN = 5


def load(config: LoadConfig, release: Release, progress: Progress) -> tuple[str, bool]:
    """Run a load test; return its last message and whether it passed.

    Raises LoadError when no load could be sent, or the result not be stored.
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
    raw = document(config, release, started, hits)
    result = Result.of(raw, "result")
    print(summary(result), flush=True)
    if config.result:
        store(raw, config.result)
        progress.log(f"result: {config.result}")
        report = report_place(config.result)
        store_page(render(result), report)
        progress.log(f"report: {report}")
    return _message(result), result.verdict == "pass"


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


def _message(result: Result) -> str:
    lines = [f"load test of {result.model}: {result.verdict}", *map(str, result.findings)]
    if result.why:
        lines.append(result.why)
    lines.extend(f"{times} × {error}" for error, times in result.errors[:ERRORS_SHOWN])
    return "\n".join(lines)
