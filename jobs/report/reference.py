"""The published load test that results are compared with.

vegeta, 100 requests a second for 60 s, JSON tensors to the predictor; latencies in milliseconds,
counted from the actual sends. All requests were answered.
"""

from __future__ import annotations

__all__ = ["REFERENCE", "REFERENCE_REQUESTS", "REFERENCE_TEXT"]

REFERENCE = {"mean": 5.7, "p50": 5.548, "p90": 6.384, "p95": 6.743, "p99": 9.286, "max": 25.85}
REFERENCE_REQUESTS = 6000
REFERENCE_TEXT = "100 requests/s for 60 s, JSON tensors to the predictor, on another machine"
