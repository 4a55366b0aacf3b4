"""The parts of the agent that need no node."""

from __future__ import annotations

from decimal import Decimal

import pytest

from local.node.addresses import Addresses, Cores
from local.node.pod_status import ContainerStatus, conditions, phase
from local.node.quantity import quantity
from local.node.variables import expand


@pytest.mark.parametrize(
    ("text", "value"),
    [("500m", "0.5"), ("2", "2"), ("2Gi", "2147483648"), ("1k", "1000"), ("1e3", "1000")],
)
def test_quantities(text: str, value: str) -> None:
    assert quantity(text) == Decimal(value)


def test_expansion_keeps_unknown_and_escaped_variables() -> None:
    assert expand("$(A)/$$(A)/$(B)/$A/$$", {"A": "x"}) == "x/$(A)/$(B)/$A/$"


def _ended(code: int, policy: str = "Never") -> ContainerStatus:
    return ContainerStatus("c", "i", policy, state={"terminated": {"exitCode": code}})


def test_phases() -> None:
    waiting, running = ContainerStatus("c", "i", "Never"), ContainerStatus("c", "i", "Always")
    running.state = {"running": {}}
    assert phase([], [waiting]) == "Pending"
    assert phase([_ended(1)], [waiting]) == "Failed"
    assert phase([_ended(1, "OnFailure")], [waiting]) == "Pending"
    assert phase([_ended(0)], [running, waiting]) == "Running"
    assert phase([], [_ended(0), _ended(0)]) == "Succeeded"
    assert phase([], [_ended(0), _ended(2)]) == "Failed"
    assert phase([], [_ended(2, "Always")]) == "Running" or _ended(2, "Always").ended is None


def test_conditions_of_others_and_times_are_kept() -> None:
    old = [{"type": "Initialized", "status": "True", "lastTransitionTime": "then"}]
    known = [{"type": "PodScheduled", "status": "True"}, {"type": "Initialized", "status": "False"}]
    made = conditions(old, known, True, True, [ContainerStatus("c", "i", "Never")], "")
    by_type = {each["type"]: each for each in made}
    assert by_type["PodScheduled"] == known[0]
    assert by_type["Initialized"]["lastTransitionTime"] == "then"
    assert by_type["Ready"]["status"] == "False"


def test_an_address_is_not_reused_at_once() -> None:
    addresses = Addresses()
    first = addresses.take()
    addresses.release(first)
    assert addresses.take() != first
    rest = {addresses.take() for _ in range(252)}
    assert first in rest
    with pytest.raises(RuntimeError, match="in use"):
        addresses.take()


def test_a_limit_of_all_cores_is_no_limit() -> None:
    assert Cores().take(10_000) == []
