"""Resets the idle connections of a pod that is about to stop.

A server that shuts down waits for clients that keep their connection open, and these would send
their next request to it.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import struct
from typing import TYPE_CHECKING, Any

from pyroute2 import DiagSocket
from pyroute2.netlink import NLM_F_ACK, NLM_F_REQUEST
from pyroute2.netlink.diag import SOCK_DESTROY, SS_ESTABLISHED, SS_LISTEN, inet_diag_req
from pyroute2.netlink.exceptions import NetlinkError

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

__all__ = ["close_idle"]

_INFO = 1 << 1
_FAMILIES = (socket.AF_INET, socket.AF_INET6)
_ANSWERED = NLM_F_REQUEST | NLM_F_ACK
_QUIET_MS, _LONG_QUIET_MS = 50, 1000


def close_idle(ports: set[int], spared: Container[int]) -> None:
    """Reset the idle connections of other pods and the machine to this network namespace's servers.

    `ports` are those of servers that listened before; the present ones are added. A server that
    shuts down stops listening first. Connections at `spared` ports stay.
    """
    # Some kernels are built without this.
    with contextlib.suppress(NetlinkError), DiagSocket() as kernel:
        ports.update(found["idiag_sport"] for found in _sockets(kernel, SS_LISTEN))
        for found in _sockets(kernel, SS_ESTABLISHED):
            port = found["idiag_sport"]
            # Connections between containers of one pod end with the pod.
            if port not in ports or port in spared or _is_local(found):
                continue
            if _is_idle(found):
                # It has just ended by itself.
                with contextlib.suppress(NetlinkError):
                    tuple(kernel.nlm_request(_request(found), SOCK_DESTROY, _ANSWERED))


def _sockets(kernel: DiagSocket, state: int) -> Iterator[Any]:
    for family in _FAMILIES:
        yield from kernel.get_sock_stats(family, 1 << state, extensions=_INFO)


def _is_local(found: Any) -> bool:
    """Whether the peer has an address of loopback. IPv4 may be written as IPv6."""
    peer = ipaddress.ip_address(found["idiag_dst"])
    return (getattr(peer, "ipv4_mapped", None) or peer).is_loopback


def _is_idle(found: Any) -> bool:
    """Nothing in flight, and what was sent or received last was an answer.

    The times are in ticks of the kernel's clock, some milliseconds each.
    """
    info = found.get_attr("INET_DIAG_INFO")
    if info is None or found["idiag_rqueue"] or found["idiag_wqueue"] or info["tcpi_unacked"]:
        return False
    sent, received = info["tcpi_last_data_sent"], info["tcpi_last_data_recv"]
    if sent != received:
        return bool(sent < received)
    if not info["tcpi_data_segs_in"]:
        return bool(received >= _QUIET_MS)
    if not info["tcpi_data_segs_out"]:  # It waits for the answer to its first request.
        return False
    # In one tick: a request and its answer, or an answer and the next request, which acknowledged
    # it. Clients acknowledge an answer that is the last a little later; new connections at once.
    acknowledged = info["tcpi_last_ack_recv"] < received
    return bool(received >= (_QUIET_MS if acknowledged else _LONG_QUIET_MS))


def _request(found: Any) -> inet_diag_req:
    """The request that names a connection."""
    request = inet_diag_req()
    request["sdiag_family"] = family = found["idiag_family"]
    request["sdiag_protocol"] = socket.IPPROTO_TCP
    request["idiag_states"] = 1 << SS_ESTABLISHED
    for name in ("idiag_sport", "idiag_dport", "idiag_if", "idiag_cookie"):
        request[name] = found[name]
    for name in ("idiag_src", "idiag_dst"):
        packed = socket.inet_pton(family, found[name]).ljust(16, b"\0")
        request[name] = struct.unpack(">4I", packed)
    return request
