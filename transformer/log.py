"""Logs as JSON, a line for each event; never anything of an image."""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime

import orjson

__all__ = ["configure", "failure"]

logger = logging.getLogger("transformer")


class _Lines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        made = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            made["trace"] = self.formatException(record.exc_info)
        return orjson.dumps(made).decode()


def configure() -> None:
    """All loggers, uvicorn's and gRPC's too, to standard output."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(_Lines())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logger.setLevel(logging.INFO)
    logging.captureWarnings(True)
    # Pillow's and asyncio's debugging are nobody's concern, and uvicorn says it when it starts.
    logging.getLogger("uvicorn").setLevel(logging.WARNING)


def failure(path: str, status: int, message: str, seconds: float) -> None:
    """The line of a request that failed."""
    level = logging.ERROR if status >= 500 else logging.WARNING
    fields = {"path": path[:200], "status": status, "seconds": round(seconds, 4)}
    logger.log(level, message[:1000], extra={"fields": fields})
