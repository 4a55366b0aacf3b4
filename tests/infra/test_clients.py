"""Clients outside the cluster: who is let in, what URL they get, and that it is asked."""

from __future__ import annotations

from typing import Any

import pytest

from tests.infra.program import run

DOMAIN = "models.example.com"


def policies(changes: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """The peers that may reach each component's pods."""
    found = run("local", changes).of("NetworkPolicy")
    return {name: each["spec"]["ingress"][0]["from"] for name, each in found.items()}


def test_gateways_of_envoy_are_let_in() -> None:
    assert "envoy-gateway-system" in str(policies({})["digits-transformer"])


@pytest.mark.parametrize("mode", ["Standard", "Knative"])
def test_networks_of_load_balancers_reach_what_clients_ask_and_nothing_else(mode: str) -> None:
    cidrs = ["35.191.0.0/16", "130.211.0.0/22"]
    peers = policies({"mode": mode, "network": {"clientCidrs": cidrs}})
    blocks = [{"ipBlock": {"cidr": cidr}} for cidr in cidrs]
    assert [each for each in peers["digits-transformer"] if "ipBlock" in each] == blocks
    assert not [each for each in peers["digits-predictor"] if "ipBlock" in each]


def outer(changes: dict[str, Any]) -> tuple[str, str | None]:
    """The URL in the stack's outputs, and what the verification asks outside the cluster."""
    engine = run("local", {"domain": DOMAIN} | changes)
    (asked,) = engine.asked("verify-").values()
    return engine.exports["models"]["digits"]["url"], asked["outer_url"]


def test_the_url_under_the_domain_is_verified() -> None:
    url, asked = outer({"urlScheme": "https"})
    assert asked == f"https://digits-models.{DOMAIN}"
    assert url == f"{asked}/v1/models/digits:predict"


def test_under_knative_it_is_that_of_the_component_that_clients_ask() -> None:
    assert outer({"mode": "Knative"})[1] == f"http://digits-transformer.models.{DOMAIN}"
    beside = outer({"mode": "Knative", "placement": "collocated"})
    assert beside[1] == f"http://digits-predictor.models.{DOMAIN}"


def test_it_is_not_asked_where_the_cluster_can_not_reach_it() -> None:
    assert outer({"verification": {"outside": False}})[1] is None
    # Triton's gRPC, for which a gateway may need settings of its own.
    assert outer({"protocol": "grpc", "transformer": {"enabled": False}})[1] is None


def test_without_a_domain_there_is_none() -> None:
    (asked,) = run("local").asked("verify-").values()
    assert asked["outer_url"] is None
