"""Error budgets and how fast they burn.

Windows and shares are the Google SRE Workbook's, "Alerting on SLOs", its sixth approach (multiple
windows, multiple burn rates): over a period of 30 days they make burn rates of 14.4, 6 and 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.manifests.monitoring.promql import number

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# What a 99th percentile leaves to be slower.
LATENCY_BUDGET = 0.01


@dataclass(frozen=True)
class Window:
    """Alerts when `spent`, a share of the period's budget, went within `hours`; the short window
    ends the alert soon after the cause."""

    long: str
    short: str
    hours: int
    spent: float

    def burn_rate(self, period_days: int) -> float:
        """How many times faster than allowed. Never below 1, a pace that keeps the objective."""
        return max(1.0, self.spent * period_days * 24 / self.hours)


PAGE = (Window("1h", "5m", 1, 0.02), Window("6h", "30m", 6, 0.05))
TICKET = (Window("3d", "6h", 72, 0.10),)


def burning(
    bad_ratio: Callable[[str], str], budget: float, windows: Sequence[Window], period_days: int
) -> str | None:
    """PromQL that is true while any of the windows burns; `bad_ratio` is PromQL for a window.

    None where it could never be true, or always: no budget, or one that is larger than what a burn
    rate leaves of all requests.
    """
    parts = []
    for window in windows:
        threshold = budget * window.burn_rate(period_days)
        if 0 < threshold < 1:
            over = f"> {number(threshold)}"
            long, short = bad_ratio(window.long), bad_ratio(window.short)
            parts.append(f"({long} {over} and {short} {over})")
    return " or ".join(parts) or None
