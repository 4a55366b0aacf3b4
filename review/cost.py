"""What a model's pods cost a month, at list prices."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from review.reading import Document
from review.serving import GIB

if TYPE_CHECKING:
    from collections.abc import Iterable

    from review.serving import Part

Price = Annotated[Decimal, Field(ge=0, le=10**6)]


class Machine(Document):
    """Prices an hour of a vCPU, a GiB and a GPU; `spot` is the share of them that spot costs."""

    machine: str
    vcpu: Price
    gib: Price
    gpu: Price
    spot: Annotated[Decimal, Field(ge=0, le=1)]


class Prices(Document):
    """The price table; `gpu` by GKE's name of the accelerator."""

    date: str
    currency: str
    region: str
    source: str
    note: str
    hours_a_month: Annotated[Decimal, Field(gt=0, le=744)]
    cpu: Machine
    gpu: dict[str, Machine]


@dataclass(frozen=True)
class Cost:
    """A month at fewest and most replicas; None where `gaps` say why it isn't known."""

    low: Decimal | None
    high: Decimal | None
    gaps: tuple[str, ...] = ()


def cost(part: Part, prices: Prices) -> Cost:
    """Of one component."""
    machine = prices.gpu.get(part.accelerator) if part.accelerator else prices.cpu
    if machine is None or (part.gpus and not part.accelerator):
        return Cost(None, None, (f"no price for {part.accelerator or 'a GPU of no named type'}",))
    if part.cpu is None or part.memory is None:
        return Cost(None, None, (f"{part.name}: no limit of CPU or memory that can be read",))
    hour = part.cpu * machine.vcpu + part.memory / GIB * machine.gib + part.gpus * machine.gpu
    month = hour * prices.hours_a_month * (machine.spot if part.spot else 1)
    if part.maximum is None:
        return Cost(month * part.minimum, None, (f"{part.name}: replicas without an upper bound",))
    return Cost(month * part.minimum, month * part.maximum)


def total(costs: Iterable[Cost]) -> Cost:
    """Of all; unknown if one is."""
    low: Decimal | None = Decimal(0)
    high: Decimal | None = Decimal(0)
    gaps: dict[str, None] = {}
    for each in costs:
        low = None if low is None or each.low is None else low + each.low
        high = None if high is None or each.high is None else high + each.high
        gaps |= dict.fromkeys(each.gaps)
    return Cost(low, high, tuple(gaps))
