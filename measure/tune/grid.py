"""The points that a sweep tries: stages of settings that depend on each other. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from infra.config.types import Device
from measure.tune.knobs import powers_of_two

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from infra.config import ModelSettings

__all__ = ["Stage", "grid"]

DELAYS, QUICK_DELAYS = (0, 100, 500, 2000), (500,)
PREFERRED: tuple[tuple[int, ...], ...] = ((), (8,), (16, 32))
# More instances on a GPU rarely do anything but use its memory.
GPU_INSTANCES = 4
UNBATCHED = {"dynamic_batching": False, "queue_delay_microseconds": 0, "preferred_batch_sizes": ()}


@dataclass(frozen=True)
class Stage:
    """Changes of the best point so far; `batched`: only if it uses dynamic batching."""

    name: str
    changes: tuple[Mapping[str, Any], ...]
    batched: bool = False


def grid(settings: ModelSettings, cores: int, *, quick: bool = False) -> tuple[Stage, ...]:
    """Stages for a model on `cores`; `quick`: only one other shape and one delay."""
    shapes, most = _shapes(settings, cores), settings.triton.max_batch_size
    stages = [Stage("instances × threads", shapes[-1:] if quick else shapes)]
    if most > 1:
        batching = _delays(QUICK_DELAYS) if quick else (UNBATCHED, *_delays(DELAYS))
        stages.append(Stage("batching and delay", batching))
    if most > 1 and not quick:
        fitting = tuple(sizes for sizes in PREFERRED if all(size <= most for size in sizes))
        preferred = tuple({"preferred_batch_sizes": sizes} for sizes in fitting)
        stages.append(Stage("preferred sizes", preferred, batched=True))
    return tuple(stages)


def _delays(delays: Sequence[int]) -> tuple[Mapping[str, Any], ...]:
    return tuple({"dynamic_batching": True, "queue_delay_microseconds": each} for each in delays)


def _shapes(settings: ModelSettings, cores: int) -> tuple[Mapping[str, Any], ...]:
    """Instances and threads, whose product is at most `cores`, or two instances.

    A second instance may compute while the first waits for requests. A GPU needs no threads.
    """
    if settings.device is Device.GPU:
        return tuple({"instances": count} for count in powers_of_two(GPU_INSTANCES))
    counts = powers_of_two(cores)
    return tuple(
        {"instances": instances, "threads": threads}
        for threads in reversed(counts)
        for instances in sorted({*counts, 2})
        if instances * threads <= max(cores, 2)
    )
