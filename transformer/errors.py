"""What ends a request early: a status and a sentence for the client."""

from __future__ import annotations

__all__ = ["MAX_ANSWER_BYTES", "PredictorError", "RequestError"]

# More from the predictor is an error, whichever way it comes.
MAX_ANSWER_BYTES = 64 * 2**20


class RequestError(Exception):
    """Answered as `{"error": message}` with its HTTP status."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message

    @classmethod
    def of_instance(cls, index: int, error: RequestError) -> RequestError:
        """The same error, naming the instance; they count from 0."""
        return cls(error.status, f"instance {index}: {error.message}")


class PredictorError(RequestError):
    """The predictor is away, or answered something else than tensors."""

    def __init__(self, message: str) -> None:
        super().__init__(503, f"predictor: {message[:500]}")
