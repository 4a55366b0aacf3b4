"""The kernel's rules of Services."""

from __future__ import annotations

import time

from local.node.sandbox.messages import Service
from local.node.sandbox.nftables import encode

_REFUSAL = ("10.244.0.1", 9)


def _seconds(services: list[Service]) -> float:
    begun = time.process_time()
    encode(services, _REFUSAL)
    return time.process_time() - begun


def test_a_change_of_one_service_does_not_encode_the_others_again() -> None:
    """Knative has seven ports for each revision, and pods come and go; the node waits meanwhile."""
    services = [
        Service("TCP", f"10.97.{n // 250}.{n % 250}", 80, (("10.244.0.5", n),)) for n in range(300)
    ]
    first = _seconds(services)
    services[150] = Service("TCP", "10.97.0.150", 80, ())
    assert _seconds(services) < first / 5
