"""The verdict of a load test on its objectives. Pure."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jobs.config import Objectives

__all__ = ["OVERLOADED", "RATE_NOT_KEPT", "Finding", "Verdict", "judge"]

AT_MOST, AT_LEAST = "at most", "at least"
RATE_NOT_KEPT = "The load generator did not keep the rate: give the Job more CPU."
OVERLOADED = (
    "The endpoint answered so slowly that as many requests waited for it as the load generator "
    "sends at a time: it does not serve this rate."
)
ONLY_LATE = (
    "Counted from the actual sends p99 is within its objective, so only the load generator's own "
    "lateness makes it a miss: give the Job more CPU."
)


@dataclass(frozen=True)
class Finding:
    """One objective: the measured value, its bound, and whether it is met."""

    name: str
    found: float
    wanted: float
    bound: str
    met: bool

    def __str__(self) -> str:
        met = "met" if self.met else "MISSED"
        return f"{self.name}: found {self.found:.6g}, wanted {self.bound} {self.wanted:g}: {met}"


@dataclass(frozen=True)
class Verdict:
    """`outcome` is pass, fail or invalid; `why` is its reason where the findings don't say it."""

    outcome: str
    findings: tuple[Finding, ...]
    why: str | None = None

    @property
    def passed(self) -> bool:
        """Whether the outcome is pass."""
        return self.outcome == "pass"

    def to_dict(self) -> dict[str, Any]:
        """The part of result.json."""
        return {
            "verdict": self.outcome,
            "why": self.why,
            "objectives": [asdict(finding) for finding in self.findings],
        }


def judge(
    *,
    p99_ms: float,
    service_p99_ms: float,
    success_ratio: float,
    rate_ratio: float,
    overloaded: bool,
    objectives: Objectives,
) -> Verdict:
    """Judge a load test; `p99_ms` counts from the schedule, `service_p99_ms` from the actual sends.

    When the rate was not kept, the outcome is invalid. The load generator does not wait for
    answers, so a slow endpoint can't lower the rate: the generator had too little CPU, and neither
    a pass nor a failure of the endpoint follows. Unless the endpoint was `overloaded`: as many
    requests waited for it as the generator sends at a time. Then it has failed.

    Lateness is the generator's own for the same reason. The latency of the endpoint lies between
    the two p99: it passes if both are within the objective and fails if both are beyond it.
    """
    findings = (
        Finding("p99_ms", p99_ms, objectives.p99_ms, AT_MOST, p99_ms <= objectives.p99_ms),
        _at_least("success_ratio", success_ratio, objectives.success_ratio),
        _at_least("rate_ratio", rate_ratio, objectives.rate_ratio),
    )
    p99, success, rate = (finding.met for finding in findings)
    if not rate and overloaded:
        return Verdict("fail", findings, OVERLOADED)
    if not rate:
        return Verdict("invalid", findings, RATE_NOT_KEPT)
    if success and not p99 and service_p99_ms <= objectives.p99_ms:
        return Verdict("invalid", findings, ONLY_LATE)
    return Verdict("pass" if p99 and success else "fail", findings)


def _at_least(name: str, found: float, wanted: float) -> Finding:
    return Finding(name, found, wanted, AT_LEAST, found >= wanted)
