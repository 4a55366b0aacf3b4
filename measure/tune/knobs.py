"""The settings that a sweep varies. Pure.

The number of threads is a parameter of the format's backend, which is part of config.pbtxt and
changes by a reload of the model. Without it PyTorch uses the pod's OMP_NUM_THREADS, 1 by default,
and ONNX Runtime all cores.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from infra.config import ModelSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from release.schema import Format

__all__ = ["THREADS", "Knobs", "changes", "in_format", "powers_of_two"]

# Format -> the parameter of its backend.
THREADS: dict[Format, str] = {
    "torchscript": "INTRA_OP_THREAD_COUNT",
    "onnx": "intra_op_thread_count",
    "aoti": "INTRA_OP_THREAD_COUNT",
}
# Every warm-up takes time at every start, and larger batches are rare.
LARGEST_WARMED = 32


@dataclass(frozen=True)
class Knobs:
    """One point of the grid; fields are those of `infra.config.Triton`, and threads.

    No threads are as many as there are cores, which is ONNX Runtime's choice.
    """

    instances: int = 1
    threads: int = 1
    dynamic_batching: bool = True
    queue_delay_microseconds: int = 0
    preferred_batch_sizes: tuple[int, ...] = ()

    @classmethod
    def of(cls, settings: ModelSettings, format: Format = "torchscript") -> Knobs:
        """The point of a stack's settings for a release of this format."""
        triton = settings.triton
        return cls(
            triton.instances,
            _threads(settings, format),
            triton.dynamic_batching,
            triton.queue_delay_microseconds,
            triton.preferred_batch_sizes,
        )

    def on(self, settings: ModelSettings, format: Format = "torchscript") -> ModelSettings:
        """Settings changed to this point; unchanged if they are at it.

        Changed settings warm up every power of two up to the largest batch size.
        """
        if self == Knobs.of(settings, format):
            return settings
        raw = _given(settings)
        triton = raw["triton"]
        triton["instances"] = self.instances
        triton["dynamicBatching"] = self.dynamic_batching
        triton["queueDelayMicroseconds"] = self.queue_delay_microseconds
        triton["preferredBatchSizes"] = list(self.preferred_batch_sizes)
        if self.threads != _threads(settings, format):
            triton["parameters"] = settings.triton.parameters | {THREADS[format]: self.threads}
        if self.dynamic_batching:
            sizes = powers_of_two(min(settings.triton.max_batch_size, LARGEST_WARMED))
            triton["warmupBatchSizes"] = sorted({*settings.triton.warmup_batch_sizes, *sizes})
        return ModelSettings.model_validate(raw)

    def distance(self, other: Knobs) -> int:
        """The number of fields that differ."""
        names = [field.name for field in fields(self)]
        return sum(getattr(self, name) != getattr(other, name) for name in names)

    def __str__(self) -> str:
        shape = f"{self.instances} × {self.threads or 'all'}"
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


def in_format(settings: ModelSettings, format: Format, threads: int) -> ModelSettings:
    """Settings for a release of another format: no parameters but the number of threads."""
    raw = _given(settings)
    raw["triton"] |= {"graphOptimization": "all", "accelerators": {}}
    raw["triton"]["parameters"] = {THREADS[format]: threads}
    return ModelSettings.model_validate(raw)


def _given(settings: ModelSettings) -> dict[str, Any]:
    """The settings that a stack's file has: some are refused even with their default value."""
    raw = settings.model_dump(mode="json", by_alias=True, exclude_unset=True)
    return {"triton": {}} | raw


def _threads(settings: ModelSettings, format: Format) -> int:
    own = settings.triton.parameters.get(THREADS[format])
    if own is None and format == "onnx":
        return 0
    text = str(own or settings.predictor.env.get("OMP_NUM_THREADS", "1"))
    # OpenMP allows a list, a number for each level of nesting.
    first = text.partition(",")[0].strip()
    return int(first) if first.isdecimal() else 1
