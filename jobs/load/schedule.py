"""When requests should have been sent, and how late they were. Pure.

vegeta's latency begins when a request is actually sent. If the generator is held up, requests
that should have gone out meanwhile go out afterwards, to an endpoint that has recovered, and the
time that they would have waited is in no figure: coordinated omission. So latency counts from the
schedule here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["lateness"]

NANOSECONDS = 10**9


def lateness(at: ArrayLike, rate: int) -> NDArray[Any]:
    """How late each request was sent, in nanoseconds, never negative; `at`: when it was sent.

    vegeta's constant pacer (lib/pacer.go) waits a whole number of nanoseconds between requests and
    numbers them in the order of their timestamps, so the n-th to be sent is due n intervals after
    the origin. The origin itself isn't recorded. Each request says when the schedule would have
    begun had it been punctual; the earliest of these is taken, since the pacer never sends early.
    """
    sent = np.asarray(at, dtype=np.int64)
    order = np.argsort(sent, kind="stable")
    begins = sent[order] - np.arange(len(sent)) * (NANOSECONDS // rate)
    late = np.empty_like(sent)
    late[order] = begins - begins.min()
    return late
