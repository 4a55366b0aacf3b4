"""Which lines of a log say why a program ended. Pure."""

from __future__ import annotations

import re

__all__ = ["telling"]

# Triton logs by glog's rule: the level's letter, month and day.
_GLOG_ERROR = re.compile(r"E\d{4} ")
_OTHER_LEVELS = re.compile(r"[IWV]\d{4} ")
_ERROR = re.compile(
    r"\b(error|failed|failure|exception|traceback|denied|not found)\b", re.IGNORECASE
)
_TABLE = re.compile(r"[|+]")
# What Triton says on every machine without a GPU.
_HARMLESS = ("CudaDriverHelper", "Failed to initialize NVML", "DCGM", "pinned system memory")


def telling(log: str, characters: int) -> str:
    """The lines that tell of errors, else the last lines; the newest, so many characters."""
    lines = [
        line
        for line in log.splitlines()
        if (_GLOG_ERROR.match(line) or _ERROR.search(line))
        and not _TABLE.match(line)
        and not _OTHER_LEVELS.match(line)
        and not any(word in line for word in _HARMLESS)
    ]
    return ("\n".join(lines) or log)[-characters:]
