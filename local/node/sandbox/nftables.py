"""Services as rules of the kernel: a pod's connection goes straight to a ready endpoint.

The rules stand in each pod's own network namespace, at the hook for what it sends. So nothing is
forwarded, no connection costs more than the first packet's look-up, and answers come back over
the bridge.
"""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass

from local.node.sandbox.netlink import ACK, CREATE, Connection, attribute, message, nested, text

__all__ = ["Service", "replace"]

_NETFILTER = 12
_BATCH_BEGIN, _BATCH_END, _SUBSYSTEM = 16, 17, 10
_NEWTABLE, _NEWCHAIN, _NEWRULE, _DELRULE = 0, 3, 6, 8
_APPEND = 0x800
_OUTPUT_HOOK, _DNAT_PRIORITY = 3, -100
_NETWORK_HEADER, _TRANSPORT_HEADER = 1, 2
_META_PROTOCOL, _DNAT = 16, 1
_PROTOCOLS = {"TCP": socket.IPPROTO_TCP, "UDP": socket.IPPROTO_UDP}
_TABLE, _CHAIN = "services", "output"


@dataclass(frozen=True)
class Service:
    """One port of a Service, and where its connections go."""

    protocol: str
    address: str
    port: int
    targets: tuple[tuple[str, int], ...]


def _number(kind: int, value: int) -> bytes:
    return attribute(kind, struct.pack(">I", value & 0xFFFFFFFF))


def _request(command: int, flags: int, body: bytes) -> bytes:
    head = struct.pack(">BBH", socket.AF_INET, 0, 0)
    return message(_SUBSYSTEM << 8 | command, flags | ACK, head + body)


def _expression(name: str, *attributes: bytes) -> bytes:
    return nested(1, text(1, name), nested(2, *attributes))


def _load(base: int, offset: int, length: int) -> bytes:
    place = (_number(2, base), _number(3, offset), _number(4, length))
    return _expression("payload", _number(1, 1), *place)


def _equals(value: bytes) -> bytes:
    return _expression("cmp", _number(1, 1), _number(2, 0), nested(3, attribute(1, value)))


def _set(register: int, value: bytes) -> bytes:
    return _expression("immediate", _number(1, register), nested(2, attribute(1, value)))


def _rule(service: Service, turn: int, target: tuple[str, int]) -> bytes:
    """Every `turn`th connection that comes to this rule goes to the target."""
    expressions = [
        _load(_NETWORK_HEADER, 16, 4),
        _equals(socket.inet_aton(service.address)),
        _expression("meta", _number(1, 1), _number(2, _META_PROTOCOL)),
        _equals(bytes([_PROTOCOLS[service.protocol]])),
        _load(_TRANSPORT_HEADER, 2, 2),
        _equals(struct.pack(">H", service.port)),
    ]
    if turn > 1:
        expressions.append(_expression("numgen", _number(1, 1), _number(2, turn), _number(3, 0)))
        expressions.append(_equals(struct.pack("=I", 0)))
    expressions += [
        _set(1, socket.inet_aton(target[0])),
        _set(2, struct.pack(">H", target[1])),
        _expression(
            "nat", _number(1, _DNAT), _number(2, socket.AF_INET), _number(3, 1), _number(5, 2)
        ),
    ]
    body = text(1, _TABLE) + text(2, _CHAIN) + nested(4, *expressions)
    return _request(_NEWRULE, CREATE | _APPEND, body)


def replace(services: tuple[Service, ...], refusal: tuple[str, int]) -> None:
    """Make these the Services of the network namespace that this process is in, all at once.

    A Service without targets leads to `refusal`, where nobody listens: the connection is refused
    instead of waiting. Of N rules the first takes every Nth connection, the second every (N-1)th
    of the rest, and so on, so that each target gets its turn.
    """
    hook = nested(4, _number(1, _OUTPUT_HOOK), _number(2, _DNAT_PRIORITY))
    requests = [
        _request(_NEWTABLE, CREATE, text(1, _TABLE)),
        _request(_NEWCHAIN, CREATE, text(1, _TABLE) + text(3, _CHAIN) + hook + text(7, "nat")),
        _request(_DELRULE, 0, text(1, _TABLE) + text(2, _CHAIN)),
    ]
    for service in services:
        targets = service.targets or (refusal,)
        requests += (
            _rule(service, len(targets) - place, target) for place, target in enumerate(targets)
        )
    frame = struct.pack(">BBH", 0, 0, _SUBSYSTEM)
    batch = message(_BATCH_BEGIN, 0, frame) + b"".join(requests) + message(_BATCH_END, 0, frame)
    with Connection(_NETFILTER) as connection:
        connection.send(batch, len(requests))
