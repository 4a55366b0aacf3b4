"""A load test: one attack with the release's samples, its result and its verdict."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobs.http_client import UnreachableError, request
from jobs.load.ghz import infer_messages, run_ghz
from jobs.load.metrics import metrics
from jobs.load.results import SCHEMA
from jobs.load.vegeta import Attack, LoadError, run_attack
from jobs.load.verdict import judge
from jobs.samples import exchanges, sample_inputs, sample_targets
from jobs.verify.endpoint import GrpcPredictor, NotReadyError, WrongAnswerError

if TYPE_CHECKING:
    from jobs.config import LoadConfig
    from jobs.load.metrics import Hits
    from jobs.progress import Progress
    from release.schema import Release

__all__ = ["LoadError", "document", "load"]

# One request is sent before a minute of errors.
NOT_ANSWERED = "the endpoint does not answer a sample, so no load was sent"

# A generator's worker is not busy between an answer and its next request.
NEARLY = 0.95


def load(config: LoadConfig, release: Release, progress: Progress) -> dict[str, Any]:
    """Run a load test; return the document result.json.

    Raises LoadError when no load could be sent.
    """
    started = datetime.now(UTC)
    attack = Attack(config.duration_seconds, config.rate, timeout_seconds=config.timeout_seconds)
    send = _send_grpc if config.grpc else _send_http
    with tempfile.TemporaryDirectory() as folder:
        hits, requests = send(config, release, attack, Path(folder), progress)
    return document(config, release, started, hits, requests)


def _send_http(
    config: LoadConfig, release: Release, attack: Attack, folder: Path, progress: Progress
) -> tuple[Hits, str]:
    v1 = config.target == "transformer" and bool(exchanges(release))
    targets = sample_targets(config.predict_url if v1 else config.infer_url, release)
    first = targets[0]
    try:
        answer = request(
            first.url, body=first.body, headers=first.headers, timeout=attack.timeout_seconds
        )
    except UnreachableError as error:
        raise LoadError(f"{NOT_ANSWERED}: {error}") from error
    if answer.status != 200:
        raise LoadError(f"{NOT_ANSWERED}: {first.url}: {answer}")
    requests = _describe(len(targets), "V1 JSON" if v1 else "V2 over HTTP", release, v1)
    progress.log(f"{_plan(config)} to {first.url}: {requests}")
    return run_attack(targets, attack, folder, report=progress.log), requests


def _send_grpc(
    config: LoadConfig, release: Release, attack: Attack, folder: Path, progress: Progress
) -> tuple[Hits, str]:
    predictor, sample = GrpcPredictor(config.url, config.model), release.samples[0]
    try:
        values = sample_inputs(release, sample)
        predictor.infer(release.inputs, values, attack.timeout_seconds)
    except (NotReadyError, WrongAnswerError) as error:
        raise LoadError(f"{NOT_ANSWERED}: {error}") from error
    messages = infer_messages(config.model, release)
    requests = _describe(len(messages), "V2 over gRPC", release)
    progress.log(f"{_plan(config)} to {predictor.address}: {requests}")
    hits = run_ghz(
        predictor.address, messages, attack, folder, secure=predictor.secure, report=progress.log
    )
    return hits, requests


def _plan(config: LoadConfig) -> str:
    return f"{config.rate} requests/s for {config.duration_seconds:g} s"


def _describe(count: int, protocol: str, release: Release, v1: bool = False) -> str:
    """The requests as a page shows them: `10 different, V2 over HTTP: INPUT__0 FP32 [3, 32, 32]`"""
    given = ", ".join(map(str, release.inputs))
    if v1 and (release.image or release.handler):
        given = "an instance each" if release.handler else "a picture each"
    return f"{count} different, {protocol}: {given}"


def document(
    config: LoadConfig, release: Release, started: datetime, hits: Hits, requests: str
) -> dict[str, Any]:
    """result.json: the configuration, the metrics, and the verdict."""
    found = metrics(hits, config)
    verdict = judge(
        p99_ms=found["latency_ms"]["p99"],
        service_p99_ms=found["service_ms"]["p99"],
        success_ratio=found["success_ratio"],
        rate_ratio=found["rate"]["ratio"],
        overloaded=hits.limit is not None and found["most_in_flight"] >= NEARLY * hits.limit,
        objectives=config.objectives,
    )
    return {
        "schema": SCHEMA,
        "model": config.model,
        "release_digest": release.digest,
        "format": release.format,
        "target": config.target,
        "url": config.url,
        "payloads": requests,
        "started": started.isoformat(timespec="seconds"),
        "asked": {
            "rate": config.rate,
            "duration_seconds": config.duration_seconds,
            "timeout_seconds": config.timeout_seconds,
        },
        **found,
        **verdict.to_dict(),
    }
