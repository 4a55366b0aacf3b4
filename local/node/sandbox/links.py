"""Bridge, virtual cables, addresses and routes, through rtnetlink."""

from __future__ import annotations

import socket
import struct
from pathlib import Path

from local.node.sandbox.netlink import ACK, CREATE, EXCL, Connection, attribute, nested, text

__all__ = [
    "add_address",
    "add_bridge",
    "add_cable",
    "delete",
    "route_default",
    "set_up",
    "silence_ipv6",
]

_NEWLINK, _DELLINK, _SETLINK, _NEWADDR, _NEWROUTE = 16, 17, 19, 20, 24
_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_MASTER, _IFLA_LINKINFO, _IFLA_NET_NS_FD = 1, 3, 10, 18, 28
_INFO_KIND, _INFO_DATA, _VETH_PEER = 1, 2, 1
_IFA_ADDRESS, _IFA_LOCAL = 1, 2
_RTA_GATEWAY = 5
_UP = 1


def _link(index: int = 0, flags: int = 0) -> bytes:
    return struct.pack("=BxHiII", 0, 0, index, flags, flags)


def _ask(kind: int, flags: int, body: bytes) -> None:
    with Connection(socket.NETLINK_ROUTE) as connection:
        connection.ask(kind, flags | ACK, body)


def _mac(address: str) -> bytes:
    return attribute(_IFLA_ADDRESS, bytes.fromhex(address.replace(":", "")))


def add_bridge(name: str, mac: str) -> None:
    """A bridge with a hardware address of its own.

    Without one it takes its lowest port's, and drops what is under way when that port goes.
    """
    kind = nested(_IFLA_LINKINFO, text(_INFO_KIND, "bridge"))
    _ask(_NEWLINK, CREATE | EXCL, _link() + text(_IFLA_IFNAME, name) + _mac(mac) + kind)


def add_cable(name: str, bridge: str, peer: str, namespace: int, mac: str) -> None:
    """A cable from the bridge to `peer` in another network namespace, which has that address."""
    other = (
        _link()
        + text(_IFLA_IFNAME, peer)
        + attribute(_IFLA_NET_NS_FD, struct.pack("=i", namespace))
    )
    data = nested(_INFO_DATA, attribute(_VETH_PEER, other + _mac(mac)))
    master = attribute(_IFLA_MASTER, struct.pack("=i", socket.if_nametoindex(bridge)))
    kind = nested(_IFLA_LINKINFO, text(_INFO_KIND, "veth"), data)
    _ask(_NEWLINK, CREATE | EXCL, _link(flags=_UP) + text(_IFLA_IFNAME, name) + master + kind)


def set_up(name: str) -> None:
    """Switch an interface on."""
    _ask(_SETLINK, 0, _link(socket.if_nametoindex(name), _UP))


def delete(name: str) -> None:
    """Take an interface away; one that's gone is fine."""
    try:
        _ask(_DELLINK, 0, _link(socket.if_nametoindex(name)))
    except OSError:
        return


def add_address(name: str, address: str, bits: int) -> None:
    """Give an interface an address; one that it has is fine."""
    packed = socket.inet_aton(address)
    header = struct.pack("=BBBBI", socket.AF_INET, bits, 0, 0, socket.if_nametoindex(name))
    body = header + attribute(_IFA_LOCAL, packed) + attribute(_IFA_ADDRESS, packed)
    try:
        _ask(_NEWADDR, CREATE | EXCL, body)
    except FileExistsError:
        return


def route_default(gateway: str) -> None:
    """Send whatever is not on the link there."""
    table, static, universe, unicast = 254, 4, 0, 1
    header = struct.pack("=BBBBBBBBI", socket.AF_INET, 0, 0, 0, table, static, universe, unicast, 0)
    _ask(_NEWROUTE, CREATE, header + attribute(_RTA_GATEWAY, socket.inet_aton(gateway)))


def silence_ipv6() -> None:
    """No IPv6 in this network namespace: nothing here has such an address."""
    for scope in ("all", "default"):
        setting = Path(f"/proc/sys/net/ipv6/conf/{scope}/disable_ipv6")
        try:
            setting.write_text("1")
        except OSError:  # The kernel has none, or /proc/sys is read-only.
            return
