"""When a request must be answered."""

from __future__ import annotations

import time

from transformer.errors import RequestError

__all__ = ["BODY", "PREDICTOR", "ROOM", "Deadline"]

# What a request may wait for: the status and the cause if it does so for too long.
BODY = (408, "the body arrived")
ROOM = (503, "the requests before it left room to decode its images")
PREDICTOR = (504, "the predictor answered")


class Deadline:
    """Seconds from now; `waits_for` follows the request."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.end = time.monotonic() + seconds
        self.waits_for = BODY

    def passed(self) -> bool:
        """Nobody waits for an answer any more."""
        return time.monotonic() > self.end

    def error(self) -> RequestError:
        """For the client."""
        status, what = self.waits_for
        return RequestError(status, f"{self.seconds:g} s passed before {what}")
