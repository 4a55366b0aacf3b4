"""What pods cost, and what can't be said of it."""

from __future__ import annotations

from decimal import Decimal

import pytest

from review.__main__ import PRICES
from review.cost import Cost, Prices, cost, total
from review.reading import read
from review.serving import Pods

MACHINE = {"machine": "M", "vcpu": 1, "gib": 10, "gpu": 100, "spot": 0.5}
PLAIN = Prices.model_validate(
    {
        **dict.fromkeys(("date", "currency", "region", "source", "note"), ""),
        "hours_a_month": 700,
        "cpu": MACHINE | {"gpu": 0},
        "gpu": {"nvidia-l4": MACHINE | {"vcpu": 2}},
    }
)
PODS = Pods(cpu="2", memory="3Gi", min_replicas=1, max_replicas=4)
ON_GPU = PODS.model_copy(update={"gpus": 1, "accelerator": "nvidia-l4"})


def test_a_pod_costs_its_cpu_and_memory_times_its_replicas() -> None:
    assert cost(PODS, PLAIN) == Cost(Decimal(32 * 700), Decimal(32 * 700 * 4))


def test_a_gpu_pod_costs_what_its_machines_cost() -> None:
    assert _lowest(ON_GPU) == 134 * 700


def test_spot_costs_its_share() -> None:
    assert _lowest(PODS.model_copy(update={"spot": True})) == 16 * 700


def test_nothing_runs_at_zero_replicas() -> None:
    assert _lowest(PODS.model_copy(update={"min_replicas": 0})) == 0


@pytest.mark.parametrize("accelerator", ["nvidia-b300", None])
def test_a_gpu_without_a_price_has_no_cost(accelerator: str | None) -> None:
    assert cost(ON_GPU.model_copy(update={"accelerator": accelerator}), PLAIN) is None


def test_a_sum_with_something_unknown_is_unknown() -> None:
    assert total([Cost(Decimal(1), Decimal(2)), None]) is None


def test_the_project_s_prices_cover_its_gpus() -> None:
    prices = read(PRICES, Prices, "price table")
    assert {"nvidia-l4", "nvidia-tesla-t4", "nvidia-tesla-a100", "nvidia-h100-80gb"} <= set(
        prices.gpu
    )


def _lowest(pods: Pods) -> Decimal:
    found = cost(pods, PLAIN)
    assert found is not None
    return found.low
