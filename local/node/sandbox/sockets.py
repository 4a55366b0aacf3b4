"""Resets the idle connections of a pod that is about to stop.

A server that shuts down waits for clients that keep their connection open, and these would send
their next request to it.
"""

from __future__ import annotations

import contextlib
import socket
import struct
from typing import Any

from pyroute2 import DiagSocket
from pyroute2.netlink import NLM_F_ACK, NLM_F_REQUEST
from pyroute2.netlink.diag import SOCK_DESTROY, SS_ESTABLISHED, inet_diag_req
from pyroute2.netlink.exceptions import NetlinkError

__all__ = ["close_idle"]

_INFO = 1 << 1
_QUIET_MS = 50


def close_idle() -> int:
    """Reset the idle TCP connections of this network namespace. The number of those left open."""
    left = 0
    with DiagSocket() as kernel:
        for family in (socket.AF_INET, socket.AF_INET6):
            for found in kernel.get_sock_stats(family, 1 << SS_ESTABLISHED, extensions=_INFO):
                if not _is_idle(found):
                    left += 1
                    continue
                # It has just ended by itself, or the kernel was built without this.
                with contextlib.suppress(NetlinkError):
                    kernel.nlm_request(_request(found), SOCK_DESTROY, NLM_F_REQUEST | NLM_F_ACK)
    return left


def _is_idle(found: Any) -> bool:
    """Nothing in flight, and what was sent or received last was an answer, or is long ago."""
    info = found.get_attr("INET_DIAG_INFO")
    if info is None or found["idiag_rqueue"] or found["idiag_wqueue"] or info["tcpi_unacked"]:
        return False
    sent, received = info["tcpi_last_data_sent"], info["tcpi_last_data_recv"]
    return bool(sent < received or (sent == received and sent >= _QUIET_MS))


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
