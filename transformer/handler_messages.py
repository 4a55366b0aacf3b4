"""What the server and a handler's process send each other: pickles, each behind its size."""

from __future__ import annotations

import pickle
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from release.schema import Release

__all__ = ["SIZE", "Call", "Done", "Failure", "Ready", "Start", "pack"]

# In front of each message: its size in bytes.
SIZE = struct.Struct("<Q")


@dataclass(frozen=True)
class Start:
    """What to load. `memory` is in MiB."""

    release: Release
    folder: Path
    parameters: Mapping[str, Any]
    memory: int | None


@dataclass(frozen=True)
class Ready:
    """The handler is set up."""


@dataclass(frozen=True)
class Call:
    """`preprocess` of a V1 body, or with `outputs` `postprocess`."""

    body: bytes | bytearray
    outputs: Mapping[str, Any] | None = None

    @property
    def function(self) -> str:
        """Name of the function."""
        return "preprocess" if self.outputs is None else "postprocess"


@dataclass(frozen=True)
class Done:
    """Inputs by name from `preprocess`, the answer's JSON from `postprocess`."""

    value: Any


@dataclass(frozen=True)
class Failure:
    """An error with its HTTP status, and the handler's traceback; the process may end with it."""

    status: int
    message: str
    trace: str | None = None
    ends: bool = False


def pack(message: Any) -> tuple[bytes, bytes]:
    """A message's size, and the message."""
    data = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
    return SIZE.pack(len(data)), data
