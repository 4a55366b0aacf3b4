"""The time by which a request must be answered."""

from __future__ import annotations

import time

from transformer.errors import RequestError

__all__ = ["BODY", "HANDLER_BUSY", "MEMORY", "PREDICTOR", "Deadline", "handler_returned"]

# What a request waits for: status and cause of the error if the deadline passes meanwhile.
BODY = (408, "the body arrived")
MEMORY = (503, "earlier requests left memory for its tensors")
PREDICTOR = (504, "the predictor answered")
HANDLER_BUSY = (503, "earlier requests left a process of the handler")


def handler_returned(function: str) -> tuple[int, str]:
    """A handler that takes too long."""
    return (500, f"the handler's {function} returned")


class Deadline:
    """A time limit in seconds from now. `waits_for` is updated while the request proceeds."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.end = time.monotonic() + seconds
        self.waits_for = BODY

    def passed(self) -> bool:
        """Whether the time is over."""
        return time.monotonic() > self.end

    def end_now(self) -> None:
        """Shorten the limit to the time that has passed."""
        now = time.monotonic()
        self.seconds = round(self.seconds - (self.end - now), 1)
        self.end = now

    def error(self) -> RequestError:
        """The answer to the client when the time is over."""
        status, event = self.waits_for
        return RequestError(status, f"{self.seconds:g} s passed before {event}")
