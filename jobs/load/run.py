"""A load test: one attempt at a rate, with the release's real samples, and its verdict."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobs import protocol
from jobs.http_client import UnreachableError, request
from jobs.load.metrics import figures
from jobs.load.results import SCHEMA, Result
from jobs.load.storage import report_place, store, store_page
from jobs.load.vegeta import LoadError, Target, attack
from jobs.load.verdict import judge
from jobs.report.page import page
from jobs.report.table import table
from jobs.verify.endpoint import predict_body

if TYPE_CHECKING:
    from jobs.config import Load
    from jobs.load.metrics import Hits
    from jobs.progress import Progress
    from jobs.release import Release

__all__ = ["LoadError", "document", "load", "targets"]

# What the pod's status has room for.
ERRORS_SAID = 5


def load(job: Load, release: Release, progress: Progress) -> tuple[str, bool]:
    """Last words, and whether it passed. Raises LoadError when there is nothing to judge."""
    payloads = targets(job, release)
    _try_once(payloads[0], job.timeout_seconds)
    progress.note(
        f"{job.rate} requests/s for {job.duration_seconds:g} s to {payloads[0].url}, "
        f"{len(payloads)} different images"
    )
    started = datetime.now(UTC)
    with tempfile.TemporaryDirectory() as folder:
        hits = attack(payloads, job, Path(folder), progress)
    raw = document(job, release, started, hits)
    result = Result.of(raw, "result")
    print(table(result), flush=True)
    if job.result:
        store(raw, job.result)
        progress.note(f"result: {job.result}")
        beside = report_place(job.result)
        store_page(page(result), beside)
        progress.note(f"report: {beside}")
    return _words(result), result.verdict == "pass"


def targets(job: Load, release: Release) -> list[Target]:
    """A request for each sample: V1 with the image, or V2 with the tensor's raw bytes."""
    host = {"Host": job.host_header} if job.host_header else {}
    made = []
    for sample in release.samples:
        if job.target == "transformer":
            url = f"{job.url}/v1/models/{job.model}:predict"
            body, headers = predict_body([sample]), {"Content-Type": "application/json"}
        else:
            url = f"{job.url}/v2/models/{job.model}/infer"
            body, headers = protocol.encode(release.inputs[0], release.tensor(sample))
        made.append(Target(url, headers | host, body))
    return made


def _try_once(target: Target, timeout: float) -> None:
    """A dead endpoint is not a slow one; say so before a minute of errors."""
    try:
        answer = request(target.url, body=target.body, headers=target.headers, timeout=timeout)
    except UnreachableError as error:
        raise LoadError(f"the endpoint does not answer, so no load was sent: {error}") from error
    if answer.status != 200:
        raise LoadError(
            f"the endpoint refuses a sample, so no load was sent: {target.url}: {answer}"
        )


def document(job: Load, release: Release, started: datetime, hits: Hits) -> dict[str, Any]:
    """result.json: what was asked, what was found, and the verdict."""
    found = figures(hits, job)
    verdict = judge(
        p99_ms=found["latency_ms"]["p99"],
        service_p99_ms=found["service_ms"]["p99"],
        success_ratio=found["success_ratio"],
        rate_ratio=found["rate"]["ratio"],
        objectives=job.objectives,
    )
    return {
        "schema": SCHEMA,
        "model": job.model,
        "release_digest": release.digest,
        "target": job.target,
        "url": job.url,
        "payloads": len(release.samples),
        "started": started.isoformat(timespec="seconds"),
        "host_header": job.host_header,
        "asked": {
            "rate": job.rate,
            "duration_seconds": job.duration_seconds,
            "timeout_seconds": job.timeout_seconds,
        },
        **found,
        **verdict.to_dict(),
    }


def _words(result: Result) -> str:
    lines = [f"load test of {result.model}: {result.verdict}", *map(str, result.findings)]
    if result.why:
        lines.append(result.why)
    lines.extend(f"{times} × {error}" for error, times in result.errors[:ERRORS_SAID])
    return "\n".join(lines)
