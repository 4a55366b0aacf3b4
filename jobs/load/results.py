"""Reads result.json, the result of a load test, into frozen values. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from jobs.fields import Fields
from jobs.load.verdict import Finding

__all__ = ["LATENCIES", "SCHEMA", "Result", "ResultError", "Second"]

SCHEMA = 2
LATENCIES = ("mean", "p50", "p90", "p95", "p99", "p99_9", "p99_99", "max")
VERDICTS = ("pass", "fail", "invalid")
# Limits that no real result reaches, so that a page stays small.
MOST_POINTS, MOST_SECONDS, MOST_ROWS, MOST_CHARACTERS = 200, 1_000_000, 10, 300


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
        return cls.of(Fields.parse(text, place, ResultError).raw, place)

    @classmethod
    def of(cls, raw: dict[str, Any], place: str) -> Result:
        """Read result.json's object; raises ResultError likewise."""
        top = Fields(raw, f"{place}: ", ResultError)
        if raw.get("schema") != SCHEMA:
            top.fail("schema", f"{SCHEMA}, as a load test's result.json has it")
        asked, rate, latency = top.section("asked"), top.section("rate"), top.section("latency_ms")
        return cls(
            model=_printable(top.text("model")),
            verdict=top.choice("verdict", *VERDICTS),
            why=_printable(why) if (why := top.optional_text("why")) else None,
            findings=tuple(_finding(each) for each in top.sections("objectives")[:MOST_ROWS]),
            requests=int(top.number("requests")),
            success_ratio=top.number("success_ratio"),
            asked_rate=asked.number("rate"),
            asked_seconds=asked.number("duration_seconds"),
            achieved_rate=rate.number("achieved"),
            throughput=rate.number("throughput"),
            latency=_numbers(latency, *LATENCIES),
            service=_numbers(top.section("service_ms"), *LATENCIES),
            lateness=_numbers(top.section("lateness_ms"), "p99", "max"),
            distribution=_distribution(latency),
            seconds=_seconds(top),
            statuses=_statuses(top),
            errors=tuple(
                (_printable(each.text("error")), int(each.number("count")))
                for each in top.sections("errors")[:MOST_ROWS]
            ),
            error_kinds=int(top.number("error_kinds")),
            facts=_facts(top, asked),
        )


def _numbers(section: Fields, *names: str) -> dict[str, float]:
    return {name: section.number(name) for name in names}


def _finding(raw: Fields) -> Finding:
    met = raw.get("met")
    if not isinstance(met, bool):
        raw.fail("met", "true or false")
    return Finding(
        _printable(raw.text("name")),
        raw.number("found"),
        raw.number("wanted"),
        raw.choice("bound", "at most", "at least"),
        met,
    )


def _distribution(latency: Fields) -> tuple[tuple[float, float], ...]:
    points = [
        (each.number("percentile", most=100), each.number("ms"))
        for each in latency.sections("distribution", most=MOST_POINTS)
    ]
    return tuple(sorted(points))


def _seconds(top: Fields) -> tuple[Second, ...]:
    return tuple(
        Second(
            *(int(each.number(name)) for name in ("second", "requests", "errors")),
            *(
                None if each.get(name) is None else each.number(name)
                for name in ("p50", "p99", "max")
            ),
        )
        for each in top.sections("over_time", most=MOST_SECONDS)
    )


def _statuses(top: Fields) -> tuple[tuple[str, int], ...]:
    codes = top.section("status_codes")
    if not all(re.fullmatch("[0-9]{1,3}", code) for code in codes.raw):
        top.fail("status_codes", "counts by HTTP status, 0 where there was none")
    counts = {code: int(codes.number(code)) for code in codes.raw}
    return tuple(sorted(counts.items(), key=lambda item: -item[1])[:MOST_ROWS])


def _facts(top: Fields, asked: Fields) -> dict[str, str]:
    sizes = top.section("bytes")
    facts = {
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
    return {name: _printable(fact) for name, fact in facts.items()}


def _format_time(text: str) -> str:
    """In UTC; unchanged if it is not a time."""
    try:
        return datetime.fromisoformat(text).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (ValueError, OverflowError):
        return text


def _printable(text: str) -> str:
    """Replace characters that could end a line or reverse the direction of the text after them."""
    return "".join(each if each.isprintable() else "\ufffd" for each in text[:MOST_CHARACTERS])
