"""Measures: every subject in turn within a round, so that what disturbs one disturbs all."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jobs.http_client import request
from measure.bench.serving.figures import Figures, distribution, highest
from measure.bench.serving.generators import ghz, vegeta
from measure.bench.serving.loads import Clients, Rate, Saturation
from measure.bench.serving.payloads import FORMS, Payload, grpc_message
from measure.bench.serving.results import Key
from measure.bench.serving.usage import forget_peak, usage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from measure.bench.serving.figures import Shots
    from measure.bench.serving.loads import Step
    from measure.bench.serving.servers import Running
    from measure.bench.serving.subjects import Subject
    from release.schema import Release

__all__ = ["Bench", "Turn", "turns"]

# Connections, caches and the allocator's memory are there when it counts.
FIRST_SECONDS, WARM_SECONDS = 1.0, 0.3
WARM_CLIENTS = 8
# Of several times the images one request is enough to warm up.
MANY_IMAGES = 8
PROBE_CLIENTS, PROBE_SECONDS = 16, 1.0
# The search goes from a fraction of what clients in a closed loop reached to somewhat beyond.
SEARCH = (0.15, 1.5)
KEPT_RATIO = 0.95


@dataclass(frozen=True)
class Turn:
    """One subject's part of a step."""

    step: Step
    subject: Subject

    @property
    def key(self) -> Key:
        """Where its figures belong."""
        return Key(str(self.step.load), str(self.step.payload), self.subject.name)


def turns(
    steps: Sequence[Step], subjects: Sequence[Subject], wanted: Callable[[Key], bool]
) -> list[list[Turn]]:
    """What there is to do, a list for each step."""
    found = [
        [
            turn
            for subject in subjects
            if (turn := Turn(step, subject))
            and (not step.subjects or subject.name in step.subjects)
            and subject.takes(step.payload)
            and wanted(turn.key)
        ]
        for step in steps
    ]
    return [each for each in found if each]


class Bench:
    """Subjects that run; `measure` asks one of them."""

    def __init__(self, up: Mapping[str, Running], release: Release, folder: Path) -> None:
        self.up, self.release, self.folder = up, release, folder

    def prepare(self, subject: Subject) -> None:
        """Raises RuntimeError where a subject answers wrongly: being fast would be no merit."""
        if subject.form == "images":
            self._check(subject)
        shots = self._shoot(subject, Payload(1), Clients(WARM_CLIENTS, FIRST_SECONDS))
        if shots.failed or not shots.sent:
            raise RuntimeError(f"{subject.name} fails {shots.failed} of {shots.sent} requests")

    def _check(self, subject: Subject) -> None:
        running = self.up[subject.name]
        targets = FORMS["images"](running.url, self.release, Payload(1))
        for target, sample in zip(targets, self.release.samples, strict=True):
            answer = request(target.url, body=target.body, headers=target.headers, timeout=30)
            expected = max(range(len(sample.outputs[0])), key=sample.outputs[0].__getitem__)
            if answer.status != 200 or _best(answer.body) != expected:
                raise RuntimeError(f"{subject.name} answers wrongly: {answer}")

    def round(
        self, steps: Sequence[Sequence[Turn]], shift: int
    ) -> Iterator[tuple[Turn, Figures | float]]:
        """Figures, or the capacity, of each turn; `shift` changes who goes first."""
        for step in steps:
            at = shift % len(step)
            for turn in (*step[at:], *step[:at]):
                yield turn, self.measure(turn)

    def measure(self, turn: Turn) -> Figures | float:
        """Figures; or, where the load is beyond the subject, requests a second that are not."""
        load, payload, subject = turn.step.load, turn.step.payload, turn.subject
        if isinstance(load, Saturation):
            return self._saturate(subject, payload, load)
        few = payload.images > MANY_IMAGES
        warm = Clients(1 if few else WARM_CLIENTS, WARM_SECONDS)
        capacity = self._shoot(subject, payload, warm).throughput
        if isinstance(load, Rate) and capacity < load.a_second:
            # A queue that only grows has no latency to speak of, and would take minutes to drain.
            return capacity
        return self._figures(subject, payload, load)

    def _saturate(self, subject: Subject, payload: Payload, load: Saturation) -> Figures | float:
        warm = Clients(PROBE_CLIENTS, PROBE_SECONDS)
        capacity = self._shoot(subject, payload, warm).throughput
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
        running = self.up[subject.name]
        everyone = (running.pids, running.triton_pids)
        for pids in everyone:
            forget_peak(pids)
        before = [usage(pids).cpu_seconds for pids in everyone]
        shots = self._shoot(subject, payload, load)
        after = [usage(pids) for pids in everyone]
        good = max(len(shots.latencies), 1)
        cpu, triton_cpu = (
            1000 * (now.cpu_seconds - then) / good for now, then in zip(after, before, strict=True)
        )
        return Figures(
            throughput=shots.throughput,
            success_ratio=len(shots.latencies) / max(shots.sent, 1),
            mean_ms=float(shots.latencies.mean()) if len(shots.latencies) else 0.0,
            service_ms=float(shots.service.mean()) if len(shots.service) else 0.0,
            distribution_ms=distribution(shots.latencies),
            cpu=cpu,
            triton_cpu=triton_cpu,
            peak_mib=after[0].peak_mib,
            triton_peak_mib=after[1].peak_mib,
        )

    def _shoot(self, subject: Subject, payload: Payload, load: Rate | Clients) -> Shots:
        running = self.up[subject.name]
        if subject.form == "grpc":
            return ghz(running.grpc, grpc_message(self.release, payload), load, self.folder)
        targets = FORMS[subject.form](running.url, self.release, payload)
        return vegeta(targets, load, self.folder)


def _best(body: bytes) -> int:
    """The index of the highest score of the first prediction, however the scores are given."""
    prediction = json.loads(body)["predictions"][0]
    scores = prediction["scores"] if isinstance(prediction, dict) else prediction
    return max(range(len(scores)), key=scores.__getitem__)
