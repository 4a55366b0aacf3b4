"""The settings that a sweep varies. Pure.

The number of threads is the backend's INTRA_OP_THREAD_COUNT, which is part of config.pbtxt and
changes by a reload of the model. Without it the backend uses the pod's OMP_NUM_THREADS, 1 by
default.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from infra.config import ModelSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Knobs", "changes", "powers_of_two"]

THREADS = "INTRA_OP_THREAD_COUNT"
# Every warm-up takes time at every start, and larger batches are rare.
LARGEST_WARMED = 32


@dataclass(frozen=True)
class Knobs:
    """One point of the grid; fields are those of `infra.config.Triton`, and threads."""

    instances: int = 1
    threads: int = 1
    dynamic_batching: bool = True
    queue_delay_microseconds: int = 0
    preferred_batch_sizes: tuple[int, ...] = ()

    @classmethod
    def of(cls, settings: ModelSettings) -> Knobs:
        """The point of a stack's settings."""
        triton = settings.triton
        return cls(
            triton.instances,
            _threads(settings),
            triton.dynamic_batching,
            triton.queue_delay_microseconds,
            triton.preferred_batch_sizes,
        )

    def on(self, settings: ModelSettings) -> ModelSettings:
        """Settings changed to this point; unchanged if they are at it.

        Changed settings warm up every power of two up to the largest batch size.
        """
        if self == Knobs.of(settings):
            return settings
        raw = settings.model_dump(mode="json", by_alias=True)
        triton = raw["triton"]
        triton["instances"] = self.instances
        triton["dynamicBatching"] = self.dynamic_batching
        triton["queueDelayMicroseconds"] = self.queue_delay_microseconds
        triton["preferredBatchSizes"] = list(self.preferred_batch_sizes)
        if self.threads != _threads(settings):
            triton["parameters"][THREADS] = self.threads
        if self.dynamic_batching:
            sizes = powers_of_two(min(settings.triton.max_batch_size, LARGEST_WARMED))
            triton["warmupBatchSizes"] = sorted({*triton["warmupBatchSizes"], *sizes})
        return ModelSettings.model_validate(raw)

    def distance(self, other: Knobs) -> int:
        """The number of fields that differ."""
        names = [field.name for field in fields(self)]
        return sum(getattr(self, name) != getattr(other, name) for name in names)

    def __str__(self) -> str:
        shape = f"{self.instances} × {self.threads}"
        if not self.dynamic_batching:
            return f"{shape}, no batching"
        preferred = ", ".join(map(str, self.preferred_batch_sizes))
        return f"{shape}, {self.queue_delay_microseconds} µs" + (
            f", prefers {preferred}" if preferred else ""
        )


def changes(present: ModelSettings, wanted: ModelSettings) -> dict[tuple[str, ...], Any]:
    """Differences as keys of a stack's file and their new values."""
    before, after = (
        each.triton.model_dump(mode="json", by_alias=True) for each in (present, wanted)
    )
    return {("triton", *path): value for path, value in _differences(before, after).items()}


def powers_of_two(most: int) -> list[int]:
    """1, 2, 4, … and `most` itself."""
    return sorted({most, *(1 << power for power in range(most.bit_length()))} - {0})


def _differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[tuple[str, ...], Any]:
    found: dict[tuple[str, ...], Any] = {}
    for key, value in after.items():
        if isinstance(value, dict) and isinstance(before.get(key), dict):
            inner = _differences(before[key], value)
            found |= {(key, *path): deep for path, deep in inner.items()}
        elif before.get(key) != value:
            found[key,] = value
    return found


def _threads(settings: ModelSettings) -> int:
    own = settings.triton.parameters.get(THREADS)
    text = str(own or settings.predictor.env.get("OMP_NUM_THREADS", "1"))
    # OpenMP allows a list, a number for each level of nesting.
    first = text.partition(",")[0].strip()
    return int(first) if first.isdecimal() else 1
