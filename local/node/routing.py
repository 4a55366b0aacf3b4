"""Where a Service leads: the targets of its connections and the addresses of its names.

All functions are pure. The API's objects are read here and nowhere else in the agent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from local.node.sandbox.messages import Service

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from local.api import Object

__all__ = ["Key", "addresses", "by_service", "host_lines", "routes"]

Key = tuple[str, str]
"""Namespace and name of a Service."""
Target = tuple[str, int]
_KUBERNETES = ("default", "kubernetes")
"""It has no endpoints here; the agent forwards its connections to the API server."""
_DOMAIN = "svc.cluster.local"


def by_service(slices: Iterable[Object]) -> dict[Key, list[Object]]:
    """EndpointSlices with IPv4 addresses, by the Service that they belong to.

    Those of a Service without selector are copies of its Endpoints object, which the controller
    manager makes.
    """
    found: dict[Key, list[Object]] = {}
    for each in slices:
        about = each["metadata"]
        name = about.get("labels", {}).get("kubernetes.io/service-name", "")
        if each["addressType"] == "IPv4":
            found.setdefault((about["namespace"], name), []).append(each)
    return found


def _ready_endpoints(slices: Iterable[Object], draining: set[str]) -> dict[str, list[Target]]:
    """Ready endpoints of one Service: port name -> [(address, port)]."""
    found: dict[str, list[Target]] = {}
    for each in slices:
        ready = [
            endpoint["addresses"][0]
            for endpoint in each.get("endpoints") or []
            # Slices also list pods that are not ready, or being deleted. A missing condition means
            # ready, as the API defines it.
            if endpoint.get("conditions", {}).get("ready", True)
            and endpoint["addresses"][0] not in draining
        ]
        for port in each.get("ports") or []:
            found.setdefault(port.get("name", ""), []).extend(
                (address, port["port"]) for address in ready
            )
    return found


def routes(
    services: Iterable[Object], slices: Mapping[Key, list[Object]], draining: set[str]
) -> dict[Key, list[tuple[str, Service]]]:
    """The ports of each Service: their names, and the targets of their connections."""
    made: dict[Key, list[tuple[str, Service]]] = {}
    for service in services:
        key, spec = _key(service), service["spec"]
        address = spec.get("clusterIP", "")
        if key == _KUBERNETES or address in ("", "None"):
            continue
        ready = _ready_endpoints(slices.get(key, []), draining)
        made[key] = [
            (
                port.get("name", ""),
                Service(
                    port.get("protocol", "TCP"),
                    address,
                    port["port"],
                    tuple(ready.get(port.get("name", ""), [])),
                ),
            )
            for port in spec.get("ports", [])
            if port.get("protocol", "TCP") in ("TCP", "UDP")
        ]
    return made


def addresses(
    services: Iterable[Object], slices: Mapping[Key, list[Object]], draining: set[str]
) -> dict[Key, list[str]]:
    """The addresses of each Service's names, as the cluster's DNS would answer.

    A headless Service has those of its ready pods, one of type ExternalName has those of the
    Service that it names. An external name that is no Service's has none: pods reach nothing
    outside.
    """
    specs = {_key(service): service["spec"] for service in services}
    found = {}
    for key in specs:
        target = _follow(key, specs)
        address = specs.get(target, {}).get("clusterIP", "")
        if address == "None":
            ready = _ready_endpoints(slices.get(target, []), draining)
            found[key] = sorted({address for each in ready.values() for address, _ in each})
        else:
            found[key] = [address] if address else []
    return found


def _follow(key: Key, specs: Mapping[Key, Object]) -> Key:
    """The Service at the end of a chain of external names. A circle ends in one of its own."""
    passed = set()
    while key not in passed and specs.get(key, {}).get("type") == "ExternalName":
        passed.add(key)
        name, _, rest = specs[key]["externalName"].rstrip(".").partition(".")
        namespace, _, domain = rest.partition(".")
        key = (namespace, name) if domain == _DOMAIN else ("", "")
    return key


def host_lines(found: Mapping[Key, list[str]], namespace: str) -> list[str]:
    """The lines of a pod's hosts file for these addresses, in place of the cluster's DNS."""
    lines = []
    for (home, name), own in found.items():
        full = f"{name}.{home}"
        names = [f"{full}.{_DOMAIN}", f"{full}.svc", full]
        names += [name] if home == namespace else []
        lines += [f"{address} {' '.join(names)}" for address in own]
    return sorted(lines)


def _key(service: Object) -> Key:
    return service["metadata"]["namespace"], service["metadata"]["name"]
