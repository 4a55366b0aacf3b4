"""What pods cost, and what can't be said of it."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from review.__main__ import PRICES
from review.cost import Cost, Prices, cost, total
from review.reading import read
from review.serving import Part, quantity, read_service

MACHINE = {"machine": "M", "vcpu": 1, "gib": 10, "gpu": 100, "spot": 0.5}
PLAIN = Prices.model_validate(
    {
        **dict.fromkeys(("date", "currency", "region", "source", "note"), ""),
        "hours_a_month": 700,
        "cpu": MACHINE | {"gpu": 0},
        "gpu": {"nvidia-l4": MACHINE | {"vcpu": 2}},
    }
)
GIB = Decimal(2**30)
PART = Part("predictor", Decimal(2), 3 * GIB, 0, None, spot=False, minimum=1, maximum=4)


def test_a_pod_costs_its_cpu_and_memory_times_its_replicas() -> None:
    assert cost(PART, PLAIN) == Cost(Decimal(32 * 700), Decimal(32 * 700 * 4))


def test_a_gpu_pod_costs_what_its_machines_cost() -> None:
    assert cost(replace(PART, gpus=1, accelerator="nvidia-l4"), PLAIN).low == 134 * 700


def test_spot_costs_its_share() -> None:
    assert cost(replace(PART, spot=True), PLAIN).low == 16 * 700


def test_nothing_runs_at_zero_replicas() -> None:
    assert cost(replace(PART, minimum=0), PLAIN).low == 0


@pytest.mark.parametrize(
    ("changes", "gap"),
    [
        ({"gpus": 1, "accelerator": "nvidia-b300"}, "no price for nvidia-b300"),
        ({"gpus": 1}, "no price for a GPU of no named type"),
        ({"cpu": None}, "predictor: no limit of CPU or memory that can be read"),
    ],
)
def test_what_has_no_price_is_named(changes: dict[str, Any], gap: str) -> None:
    assert cost(replace(PART, **changes), PLAIN) == Cost(None, None, (gap,))


def test_without_an_upper_bound_only_the_least_is_known() -> None:
    found = cost(replace(PART, maximum=None), PLAIN)
    assert (found.low, found.high) == (Decimal(32 * 700), None)


def test_a_sum_with_something_unknown_is_unknown() -> None:
    assert total([Cost(Decimal(1), Decimal(2)), Cost(None, None, ("x",))]) == Cost(
        None, None, ("x",)
    )


@given(st.integers(0, 10**9))
def test_quantities_are_read_as_kubernetes_does(number: int) -> None:
    assert quantity(f"{number}m") == Decimal(number) / 1000
    assert quantity(f"{number}Gi") == number * GIB
    assert quantity(number) == quantity(str(number)) == number


@pytest.mark.parametrize("value", [None, True, "", "1 Gi", "-1", "1e9", "9" * 99, [], "٣"])
def test_what_is_no_quantity_is_none(value: Any) -> None:
    assert quantity(value) is None


def test_replicas_default_to_one_and_no_upper_bound() -> None:
    (part,) = read_service("digits", {"spec": {"predictor": {"model": {}}}}).parts
    assert (part.minimum, part.maximum) == (1, None)


def test_the_project_s_prices_cover_its_gpus() -> None:
    prices = read(PRICES, Prices, "price table")
    assert {"nvidia-l4", "nvidia-tesla-t4", "nvidia-tesla-a100", "nvidia-h100-80gb"} <= set(
        prices.gpu
    )
