"""Measures the subjects in turn within each round, so that a disturbance affects all of them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from jobs.http_client import request
from measure.bench.serving.figures import Figures, LoadResult, distribution, highest
from measure.bench.serving.generators import ghz, vegeta
from measure.bench.serving.loads import SEVERAL, Clients, Rate, Saturation
from measure.bench.serving.payloads import FORMS, Payload
from measure.bench.serving.results import Key
from measure.bench.serving.servers import awake
from measure.procfs import reset_peak, usage
from release.tensors import values

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from measure.bench.serving.loads import Load, Step
    from measure.bench.serving.servers import Server
    from measure.bench.serving.subjects import Subject
    from release.schema import Release

__all__ = ["Runner", "Turn", "turns"]

# Warm-up, which makes connections and fills caches.
FIRST_SECONDS, WARM_SECONDS = 1.0, 0.3
WARM_CLIENTS = 8
# Requests with more images are warmed up by a single client.
MANY_IMAGES = 8
PROBE_CLIENTS, PROBE_SECONDS = 16, 1.0
# Range of the search, as parts of the throughput of a closed loop.
SEARCH = (0.15, 1.5)
KEPT_RATIO = 0.95
# Of scores, between the eager network and an exported one.
ATOL = 1e-3


@dataclass(frozen=True)
class Turn:
    """One subject's part of a step."""

    step: Step
    subject: Subject

    @property
    def key(self) -> Key:
        """The key of its figures."""
        return Key(self.step.model, str(self.step.load), str(self.step.payload), self.subject.name)


def turns(
    steps: Sequence[Step], subjects: Sequence[Subject], wanted: Callable[[Key], bool]
) -> list[list[Turn]]:
    """The turns of each step."""
    found = [
        [
            turn
            for subject in subjects
            if (turn := Turn(step, subject))
            and subject.name in step.subjects
            and subject.takes(step.payload)
            and wanted(turn.key)
        ]
        for step in steps
    ]
    return [each for each in found if each]


class Runner:
    """Measures running subjects."""

    def __init__(self, servers: Mapping[str, Server], release: Release, folder: Path) -> None:
        self.servers, self.release, self.folder = servers, release, folder

    def prepare(self, subject: Subject) -> None:
        """Warm a subject up, and pause it. Raises RuntimeError if it answers wrongly."""
        with awake(self.servers[subject.name]):
            for images in (1, SEVERAL) if subject.form == "images" else ():
                self._check(subject, Payload(images))
            result = self._send(subject, Payload(1), Clients(WARM_CLIENTS, FIRST_SECONDS))
        if result.failed:
            raise RuntimeError(f"{subject.name} fails {result.failed} of {result.sent} requests")

    def _check(self, subject: Subject, payload: Payload) -> None:
        """Compare the first prediction of each request with the sample that it is about."""
        targets = FORMS["images"](self.servers[subject.name].url, self.release, payload)
        for target, sample in zip(targets, self.release.samples, strict=False):
            answer = request(target.url, body=target.body, headers=target.headers, timeout=30)
            scores = values(sample.outputs[0], self.release.outputs[0].dtype)[0]
            if answer.status != 200 or not np.allclose(_scores(answer.body), scores, atol=ATOL):
                raise RuntimeError(f"{subject.name} answers wrongly: {answer}")

    def round(
        self, steps: Sequence[Sequence[Turn]], shift: int
    ) -> Iterator[tuple[Turn, Figures | float]]:
        """Measure each turn of each step; `shift` decides which subject is first."""
        for step in steps:
            at = shift % len(step)
            for turn in (*step[at:], *step[:at]):
                yield turn, self.measure(turn)

    def measure(self, turn: Turn) -> Figures | float:
        """Return figures, or the throughput of a subject that can't keep the rate."""
        with awake(self.servers[turn.subject.name]):
            return self._measure(turn.step.load, turn.step.payload, turn.subject)

    def _measure(self, load: Load, payload: Payload, subject: Subject) -> Figures | float:
        if isinstance(load, Saturation):
            return self._saturate(subject, payload, load)
        few = payload.images > MANY_IMAGES
        warm = Clients(1 if few else WARM_CLIENTS, WARM_SECONDS)
        capacity = self._send(subject, payload, warm).throughput
        if isinstance(load, Rate) and capacity < load.a_second:
            # The queue would only grow, and take minutes to drain.
            return capacity
        return self._figures(subject, payload, load)

    def _saturate(self, subject: Subject, payload: Payload, load: Saturation) -> Figures | float:
        warm = Clients(PROBE_CLIENTS, PROBE_SECONDS)
        capacity = self._send(subject, payload, warm).throughput
        held: dict[float, Figures] = {}

        def holds(rate: float) -> bool:
            asked = Rate(max(1, round(rate)), load.seconds)
            figures = self._figures(subject, payload, asked)
            well = (
                figures.success_ratio == 1
                and figures.p99_ms < load.p99_ms
                and figures.throughput >= KEPT_RATIO * asked.a_second
            )
            if well:
                held[rate] = figures
            return well

        low, high = (part * capacity for part in SEARCH)
        best = highest(holds, low, high, load.steps)
        return held.get(best, capacity)

    def _figures(self, subject: Subject, payload: Payload, load: Rate | Clients) -> Figures:
        server = self.servers[subject.name]
        trees = (server.pids, server.triton_pids)
        for pids in trees:
            reset_peak(pids)
        before = [usage(pids).cpu_seconds for pids in trees]
        result = self._send(subject, payload, load)
        after = [usage(pids) for pids in trees]
        good = max(len(result.latencies), 1)
        cpu, triton_cpu = (
            1000 * (now.cpu_seconds - then) / good for now, then in zip(after, before, strict=True)
        )
        return Figures(
            throughput=result.throughput,
            success_ratio=len(result.latencies) / max(result.sent, 1),
            mean_ms=float(result.latencies.mean()) if len(result.latencies) else 0.0,
            service_ms=float(result.service.mean()) if len(result.service) else 0.0,
            distribution_ms=distribution(result.latencies),
            cpu=cpu,
            triton_cpu=triton_cpu,
            peak_mib=after[0].peak_mib,
            triton_peak_mib=after[1].peak_mib,
        )

    def _send(self, subject: Subject, payload: Payload, load: Rate | Clients) -> LoadResult:
        server = self.servers[subject.name]
        if subject.form == "grpc":
            hits = ghz(server.grpc, self.release, payload.images, load, self.folder)
        else:
            targets = FORMS[subject.form](server.url, self.release, payload)
            hits = vegeta(targets, load, self.folder)
        return LoadResult.of(hits, load.a_second if isinstance(load, Rate) else None)


def _scores(body: bytes) -> Any:
    """The scores of the first prediction."""
    found = json.loads(body)
    predictions = found["predictions"] if isinstance(found, dict) else found
    return predictions[0]["scores"]
