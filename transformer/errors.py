"""Errors that end a request: a status and a message for the client."""

from __future__ import annotations

__all__ = ["MAX_ANSWER_BYTES", "PredictorError", "RequestError"]

# The limit of an answer from the predictor, over HTTP and over gRPC.
MAX_ANSWER_BYTES = 64 * 2**20


class RequestError(Exception):
    """Answered as `{"error": message}` with its HTTP status."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message

    @classmethod
    def at_instance(cls, index: int, error: RequestError) -> RequestError:
        """The same error with the index of the instance, counted from 0."""
        return cls(error.status, f"instance {index}: {error.message}")


class PredictorError(RequestError):
    """The predictor is not reachable, or its answer is not the tensors asked for."""

    def __init__(self, message: str) -> None:
        super().__init__(503, f"predictor: {message[:500]}")
