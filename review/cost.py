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

    from review.serving import Pods

Price = Annotated[Decimal, Field(ge=0, le=10**6)]


class Machine(Document):
    """Prices of a vCPU, a GiB and a GPU for an hour; spot nodes cost `spot` times as much."""

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

    def machine(self, pods: Pods) -> Machine | None:
        """The prices of the machines that run the pods; None if the table doesn't have the GPU."""
        return self.gpu.get(pods.accelerator or "") if pods.gpus else self.cpu


@dataclass(frozen=True)
class Cost:
    """The cost of a month with the fewest and with the most replicas."""

    low: Decimal
    high: Decimal


def cost(pods: Pods, prices: Prices) -> Cost | None:
    """The cost of one component; None without a price for its GPU."""
    machine = prices.machine(pods)
    if machine is None:
        return None
    hour = pods.cpu * machine.vcpu + pods.memory / GIB * machine.gib + pods.gpus * machine.gpu
    month = hour * prices.hours_a_month * (machine.spot if pods.spot else 1)
    return Cost(month * pods.min_replicas, month * max(pods.min_replicas, pods.max_replicas))


def total(costs: Iterable[Cost | None]) -> Cost | None:
    """The sum; None if one of them is."""
    low = high = Decimal(0)
    for each in costs:
        if each is None:
            return None
        low, high = low + each.low, high + each.high
    return Cost(low, high)
