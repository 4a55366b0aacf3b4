"""Reads result.json, the result of a load test, into frozen values. Pure."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from jobs.load.verdict import Finding

__all__ = ["LATENCIES", "SCHEMA", "Result", "ResultError", "Second"]

SCHEMA = 2
LATENCIES = ("mean", "p50", "p90", "p95", "p99", "p99_9", "p99_99", "max")
VERDICTS = ("pass", "fail", "invalid")
SHOWN = 60
# Limits that no real result reaches, so that a page stays small.
MOST_POINTS, MOST_SECONDS, MOST_ROWS, MOST_CHARACTERS = 200, 1_000_000, 10, 300
# In milliseconds 30 years: no measurement is larger.
LARGEST = 1e12


class ResultError(Exception):
    """A file is not the result of a load test; the message is one line."""


@dataclass(frozen=True)
class Second:
    """Requests sent in a second of the run, and their latencies in ms, None without requests."""

    second: int
    requests: int
    errors: int
    p50: float | None
    p99: float | None
    max: float | None


@dataclass(frozen=True)
class Result:
    """Latencies are milliseconds by names of `LATENCIES`.

    `facts` describe the test, for a page. `errors` and `statuses` are the most frequent ones.
    """

    model: str
    verdict: str
    why: str | None
    findings: tuple[Finding, ...]
    requests: int
    success_ratio: float
    asked_rate: float
    asked_seconds: float
    achieved_rate: float
    throughput: float
    latency: dict[str, float]
    service: dict[str, float]
    lateness: dict[str, float]
    distribution: tuple[tuple[float, float], ...]
    seconds: tuple[Second, ...]
    statuses: tuple[tuple[str, int], ...]
    errors: tuple[tuple[str, int], ...]
    error_kinds: int
    facts: dict[str, str]

    @classmethod
    def parse(cls, text: bytes, place: str) -> Result:
        """Parse JSON. Raises ResultError that names the first invalid field."""
        try:
            raw = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ResultError(f"{place}: not JSON: {error}") from error
        if not isinstance(raw, dict):
            raise ResultError(f"{place}: found a {type(raw).__name__}; allowed: a JSON object")
        return cls.of(raw, place)

    @classmethod
    def of(cls, raw: dict[str, Any], place: str) -> Result:
        """Read result.json's object; raises ResultError likewise."""
        top = _Part(raw, f"{place}: ")
        if raw.get("schema") != SCHEMA:
            top.wrong("schema", f"{SCHEMA}, as a load test's result.json has it")
        asked, rate, latency = top.part("asked"), top.part("rate"), top.part("latency_ms")
        return cls(
            model=top.text("model"),
            verdict=top.choice("verdict", *VERDICTS),
            why=None if raw.get("why") is None else top.text("why"),
            findings=tuple(_finding(each) for each in top.parts("objectives")[:MOST_ROWS]),
            requests=int(top.number("requests")),
            success_ratio=top.number("success_ratio"),
            asked_rate=asked.number("rate"),
            asked_seconds=asked.number("duration_seconds"),
            achieved_rate=rate.number("achieved"),
            throughput=rate.number("throughput"),
            latency=latency.numbers(*LATENCIES),
            service=top.part("service_ms").numbers(*LATENCIES),
            lateness=top.part("lateness_ms").numbers("p99", "max"),
            distribution=_distribution(latency),
            seconds=_seconds(top),
            statuses=_statuses(top),
            errors=tuple(
                (each.text("error"), int(each.number("count")))
                for each in top.parts("errors")[:MOST_ROWS]
            ),
            error_kinds=int(top.number("error_kinds")),
            facts=_facts(top, asked),
        )


def _finding(raw: _Part) -> Finding:
    met = raw.raw.get("met")
    if not isinstance(met, bool):
        raw.wrong("met", "true or false")
    return Finding(
        raw.text("name"),
        raw.number("found"),
        raw.number("wanted"),
        raw.choice("bound", "at most", "at least"),
        bool(met),
    )


def _distribution(latency: _Part) -> tuple[tuple[float, float], ...]:
    points = [
        (each.number("percentile", most=100), each.number("ms"))
        for each in latency.parts("distribution", most=MOST_POINTS)
    ]
    return tuple(sorted(points))


def _seconds(top: _Part) -> tuple[Second, ...]:
    return tuple(
        Second(
            *(int(each.number(name)) for name in ("second", "requests", "errors")),
            *(
                None if each.raw.get(name) is None else each.number(name)
                for name in ("p50", "p99", "max")
            ),
        )
        for each in top.parts("over_time", most=MOST_SECONDS)
    )


def _statuses(top: _Part) -> tuple[tuple[str, int], ...]:
    codes = top.part("status_codes")
    if not all(re.fullmatch("[0-9]{1,3}", code) for code in codes.raw):
        top.wrong("status_codes", "counts by HTTP status, 0 where there was none")
    counts = {code: int(codes.number(code)) for code in codes.raw}
    return tuple(sorted(counts.items(), key=lambda item: -item[1])[:MOST_ROWS])


def _facts(top: _Part, asked: _Part) -> dict[str, str]:
    sizes = top.part("bytes")
    return {
        "model": top.text("model"),
        "release": top.text("release_digest"),
        "target": top.text("target"),
        "address": top.text("url"),
        "asked": f"{asked.number('rate'):g} requests/s for {asked.number('duration_seconds'):g} s",
        "timeout": f"{asked.number('timeout_seconds'):g} s",
        "payloads": f"{top.number('payloads'):g} different images",
        "started": _format_time(top.text("started")),
        "bytes": f"{sizes.number('sent'):,.0f} sent, {sizes.number('received'):,.0f} received",
    }


def _format_time(text: str) -> str:
    """In UTC; unchanged if it is not a time."""
    try:
        return datetime.fromisoformat(text).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (ValueError, OverflowError):
        return text


class _Part:
    """A JSON object in a result, and its path."""

    def __init__(self, raw: dict[str, Any], place: str) -> None:
        self.raw, self.place = raw, place

    def wrong(self, name: str, allowed: str) -> None:
        """Raise ResultError for a field."""
        found = json.dumps(self.raw[name])[:SHOWN] if name in self.raw else "nothing"
        raise ResultError(f"{self.place}{name}: found {found}; allowed: {allowed}")

    def text(self, name: str) -> str:
        value = self.raw.get(name)
        if not isinstance(value, str) or not value:
            self.wrong(name, "a text")
        # Unprintable characters could end a line or reverse the direction of the text after them.
        return "".join(
            each if each.isprintable() else "\ufffd" for each in str(value)[:MOST_CHARACTERS]
        )

    def choice(self, name: str, *allowed: str) -> str:
        value = self.raw.get(name)
        if value not in allowed:
            self.wrong(name, " or ".join(allowed))
        return str(value)

    def number(self, name: str, *, most: float = LARGEST) -> float:
        value: Any = self.raw.get(name)
        fine = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not fine or not 0 <= value <= most:
            self.wrong(name, f"a number, 0 to {most:g}")
        return float(value)

    def numbers(self, *names: str) -> dict[str, float]:
        return {name: self.number(name) for name in names}

    def part(self, name: str) -> _Part:
        value = self.raw.get(name)
        if not isinstance(value, dict):
            self.wrong(name, "a JSON object")
        return _Part(dict(value or {}), f"{self.place}{name}.")

    def parts(self, name: str, most: int = 1000) -> list[_Part]:
        value = self.raw.get(name)
        fine = isinstance(value, list) and all(isinstance(each, dict) for each in value)
        if not fine or len(value or ()) > most:
            self.wrong(name, f"a list of JSON objects, {most} at most")
        return [_Part(each, f"{self.place}{name}[{at}].") for at, each in enumerate(value or ())]
