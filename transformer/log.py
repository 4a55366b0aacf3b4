"""Logs as JSON lines on standard output. They never contain a picture or a tensor.

Of many failures of a kind, the first ones are written, and the others are counted.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson

from transformer.log_writer import Writer

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["configure", "log_failure"]

# Characters of a traceback, whose last lines say the most.
MAX_TRACE = 8_000

logger = logging.getLogger("transformer")


class JsonFormatter(logging.Formatter):
    """One JSON object a record, with the fields of `extra={"fields": {...}}`.

    `repeated` says that it stands for so many records of its kind, and is the last of them.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The record as a line."""
        fields = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            fields["trace"] = self.formatException(record.exc_info)
        if "trace" in fields:
            fields["trace"] = fields["trace"][-MAX_TRACE:]
        if hasattr(record, "repeated"):
            fields["repeated"] = record.repeated
        return orjson.dumps(fields).decode()


def configure() -> None:
    """Send all loggers, including uvicorn's and gRPC's, to standard output."""
    handler = Writer()
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logger.setLevel(logging.INFO)
    logging.captureWarnings(True)
    # uvicorn sets its own level when it starts.
    logging.getLogger("uvicorn").setLevel(logging.WARNING)


def log_failure(
    path: str,
    status: int,
    message: str,
    seconds: float,
    context: Mapping[str, str],
    trace: str | None = None,
) -> None:
    """Log a request that was answered with an error, and the traceback of the handler's error.

    `context` names the request.
    """
    level = logging.ERROR if status >= 500 else logging.WARNING
    fields: dict[str, Any] = {
        "path": path[:200],
        "status": status,
        "seconds": round(seconds, 4),
        **context,
    }
    if trace:
        fields["trace"] = trace
    logger.log(level, message[:1000], extra={"fields": fields})
