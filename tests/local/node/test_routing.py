"""Where a Service leads: its ready pods, its names, and the names of other Services."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from local.node.routing import addresses, by_service, host_lines, routes

_GATEWAY = ("kourier-system", "kourier-internal")


def _service(namespace: str, name: str, **spec: Any) -> dict[str, Any]:
    return {"metadata": {"namespace": namespace, "name": name}, "spec": spec}


def _cluster_ip(name: str, address: str, namespace: str = "ns") -> dict[str, Any]:
    ports = [{"port": 80, "name": "http"}]
    return _service(namespace, name, type="ClusterIP", clusterIP=address, ports=ports)


def _external(name: str, target: str, namespace: str = "ns") -> dict[str, Any]:
    return _service(namespace, name, type="ExternalName", externalName=target)


def _slice(service: str, *endpoints: dict[str, Any], port: int = 8080, **more: Any) -> Any:
    about = {"namespace": "ns", "labels": {"kubernetes.io/service-name": service}}
    ports = [{"name": "http", "port": port}]
    return {"metadata": about, "addressType": "IPv4", "endpoints": endpoints, "ports": ports} | more


def _endpoint(address: str, ready: bool | None = True) -> dict[str, Any]:
    conditions = {} if ready is None else {"ready": ready}
    return {"addresses": [address], "conditions": conditions}


_MIXED = [_endpoint("10.0.0.1"), _endpoint("10.0.0.2", False), _endpoint("10.0.0.3")]


def test_connections_go_to_ready_pods_that_are_not_draining() -> None:
    slices = by_service([_slice("a", *_MIXED)])
    found = routes([_cluster_ip("a", "10.96.0.5")], slices, {"10.0.0.3"})
    ((name, service),) = found["ns", "a"]
    assert name == "http"
    assert service.targets == (("10.0.0.1", 8080),)


def test_a_missing_condition_means_ready() -> None:
    slices = by_service([_slice("a", _endpoint("10.0.0.1", None))])
    ((_, service),) = routes([_cluster_ip("a", "10.96.0.5")], slices, set())["ns", "a"]
    assert service.targets == (("10.0.0.1", 8080),)


def test_pods_with_different_ports_behind_one_name_each_get_their_own() -> None:
    slices = by_service(
        [_slice("a", _endpoint("10.0.0.1")), _slice("a", _endpoint("10.0.0.2"), port=9090)]
    )
    ((_, service),) = routes([_cluster_ip("a", "10.96.0.5")], slices, set())["ns", "a"]
    assert service.targets == (("10.0.0.1", 8080), ("10.0.0.2", 9090))


def test_addresses_that_are_not_ipv4_are_left_out() -> None:
    slices = by_service(
        [
            _slice("a", _endpoint("fd00::1"), addressType="IPv6"),
            _slice("a", _endpoint("example.org"), addressType="FQDN"),
        ]
    )
    ((_, service),) = routes([_cluster_ip("a", "10.96.0.5")], slices, set())["ns", "a"]
    assert service.targets == ()


def test_names_of_services_and_headless_services() -> None:
    services = [_cluster_ip("a", "10.96.0.5"), _cluster_ip("h", "None")]
    found = addresses(services, by_service([_slice("h", *_MIXED)]), set())
    assert host_lines(found, "ns") == [
        "10.0.0.1 h.ns.svc.cluster.local h.ns.svc h.ns h",
        "10.0.0.3 h.ns.svc.cluster.local h.ns.svc h.ns h",
        "10.96.0.5 a.ns.svc.cluster.local a.ns.svc a.ns a",
    ]
    assert host_lines({("ns", "a"): ["10.96.0.5"]}, "other")[0].endswith(" a.ns")


def test_an_external_name_has_the_address_of_the_service_it_names() -> None:
    """As KServe's Service of a model leads to Kourier, through Knative's."""
    home, gateway = _GATEWAY
    services = [
        _external("digits", "digits-transformer.ns.svc.cluster.local."),
        _external("digits-transformer", f"{gateway}.{home}.svc.cluster.local"),
        _cluster_ip(gateway, "10.96.0.9", home),
    ]
    lines = host_lines(addresses(services, {}, set()), "ns")
    names = "{0}.ns.svc.cluster.local {0}.ns.svc {0}.ns {0}"
    assert f"10.96.0.9 {names.format('digits')}" in lines
    assert f"10.96.0.9 {names.format('digits-transformer')}" in lines
    assert len(lines) == 3


def test_an_external_name_of_a_headless_service_has_its_ready_pods() -> None:
    services = [_external("e", "h.ns.svc.cluster.local"), _cluster_ip("h", "None")]
    found = addresses(services, by_service([_slice("h", *_MIXED)]), {"10.0.0.3"})
    assert found["ns", "e"] == ["10.0.0.1"]


def test_names_outside_the_cluster_and_of_missing_services_are_left_out() -> None:
    outside = ("localhost", "example.org", "10.0.0.1", "gone.ns.svc.cluster.local", "a.ns")
    services = [_external(f"e{n}", name) for n, name in enumerate(outside)]
    services.append(_cluster_ip("a", "10.96.0.5"))
    assert host_lines(addresses(services, {}, set()), "other") == [
        "10.96.0.5 a.ns.svc.cluster.local a.ns.svc a.ns"
    ]
    assert list(routes(services, {}, set())) == [("ns", "a")]


@given(st.lists(st.integers(0, 7), min_size=1, max_size=8))
def test_any_chain_of_external_names_ends(targets: list[int]) -> None:
    """Service N names Service targets[N]; those without a number are ClusterIP Services."""
    count = len(targets)
    services = [_external(f"s{n}", f"s{t}.ns.svc.cluster.local") for n, t in enumerate(targets)]
    services += [_cluster_ip(f"s{n}", f"10.96.0.{n}") for n in range(count, 8)]
    found = addresses(services, {}, set())
    for start in range(8):
        end = start
        for _ in range(count):
            end = targets[end] if end < count else end
        assert found["ns", f"s{start}"] == ([f"10.96.0.{end}"] if end >= count else [])
