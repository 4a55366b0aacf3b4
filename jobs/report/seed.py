"""The published run that this project started from: what there is to be compared with.

vegeta, 100 requests a second for 60 s, JSON tensors to the predictor; latencies in milliseconds,
counted from the actual sends. All were answered.
"""

from __future__ import annotations

__all__ = ["SEED", "SEED_REQUESTS", "SEED_WORDS"]

SEED = {"mean": 5.7, "p50": 5.548, "p90": 6.384, "p95": 6.743, "p99": 9.286, "max": 25.85}
SEED_REQUESTS = 6000
SEED_WORDS = "100 requests/s for 60 s, JSON tensors to the predictor, on another machine"
