"""Whether a load test reached its objectives. Pure."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jobs.config import Objectives

__all__ = ["RATE_NOT_KEPT", "Finding", "Verdict", "judge"]

AT_MOST, AT_LEAST = "at most", "at least"
RATE_NOT_KEPT = "The load generator did not keep the rate: give the Job more CPU."
ONLY_LATE = (
    "Counted from the actual sends p99 is within its objective, so only the load generator's own "
    "lateness makes it a miss: give the Job more CPU."
)


@dataclass(frozen=True)
class Finding:
    """One objective: what was found, the bound that was wanted, and whether it is met."""

    name: str
    found: float
    wanted: float
    bound: str
    met: bool

    def __str__(self) -> str:
        said = "met" if self.met else "MISSED"
        return f"{self.name}: found {self.found:.6g}, wanted {self.bound} {self.wanted:g}: {said}"


@dataclass(frozen=True)
class Verdict:
    """`outcome` is pass, fail or invalid; `why` says what made it invalid."""

    outcome: str
    findings: tuple[Finding, ...]
    why: str | None = None

    @property
    def passed(self) -> bool:
        """Nothing else than a pass is one."""
        return self.outcome == "pass"

    def to_dict(self) -> dict[str, Any]:
        """As in result.json."""
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
    objectives: Objectives,
) -> Verdict:
    """`p99_ms` counts from the schedule, `service_p99_ms` from the actual sends.

    Invalid, whatever else was found, when the rate was not kept. The load generator waits for
    nobody, so a slow endpoint can't lower the rate: the generator itself had too little CPU, sent
    less than it should have, and timed late what it sent. Neither a pass nor a miss of the
    endpoint follows from that.

    For the same reason lateness is the generator's own. What the endpoint did lies between the two
    p99: a pass needs both within the objective, a miss both beyond; between them nothing follows.
    """
    findings = (
        Finding("p99_ms", p99_ms, objectives.p99_ms, AT_MOST, p99_ms <= objectives.p99_ms),
        _at_least("success_ratio", success_ratio, objectives.success_ratio),
        _at_least("rate_ratio", rate_ratio, objectives.rate_ratio),
    )
    p99, success, rate = (finding.met for finding in findings)
    if not rate:
        return Verdict("invalid", findings, RATE_NOT_KEPT)
    if success and not p99 and service_p99_ms <= objectives.p99_ms:
        return Verdict("invalid", findings, ONLY_LATE)
    return Verdict("pass" if p99 and success else "fail", findings)


def _at_least(name: str, found: float, wanted: float) -> Finding:
    return Finding(name, found, wanted, AT_LEAST, found >= wanted)
