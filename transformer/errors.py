"""Errors that end a request: a status and a message for the client."""

from __future__ import annotations

__all__ = ["MAX_ANSWER_BYTES", "PredictorError", "RequestError"]

# The limit of an answer from the predictor, over HTTP and over gRPC.
MAX_ANSWER_BYTES = 64 * 2**20


class RequestError(Exception):
    """Answered as `{"error": message}` with its HTTP status; `trace` is for the log."""

    def __init__(self, status: int, message: str, trace: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.trace = trace

    def at(self, place: str) -> RequestError:
        """The same error with the place in the request, like `instances[0]`."""
        return RequestError(self.status, f"{place}: {self.message}")


class PredictorError(RequestError):
    """The predictor is not reachable, it failed, or its answer is not the tensors asked for.

    `again`: another pod may answer, so the request is worth a second attempt. `unreached`: nobody
    got it.
    """

    def __init__(
        self, message: str, status: int = 503, *, again: bool = False, unreached: bool = False
    ) -> None:
        super().__init__(status, f"predictor: {message[:500]}")
        self.again = again or unreached
        self.unreached = unreached
