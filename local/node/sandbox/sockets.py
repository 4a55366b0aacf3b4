"""Ends the idle connections of a pod that is about to stop.

A server that is asked to end waits for clients which keep their connection open, and they would
send their next request to a server on its way out.
"""

from __future__ import annotations

import contextlib
import socket
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from local.node.sandbox.netlink import ACK, Connection

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["close_idle"]

_SOCK_DIAG, _BY_FAMILY, _DESTROY = 4, 20, 21
_ESTABLISHED = 1
_INFO = 2
_ID = slice(4, 52)
_QUEUES = struct.Struct("=4xII")
# tcp_info: unacknowledged segments, and how many milliseconds ago data was sent and received.
_UNACKED, _SENT, _RECEIVED = 24, 44, 52
_QUIET_MS = 50


@dataclass(frozen=True)
class _Peer:
    identity: bytes
    idle: bool


def _is_idle(queued: tuple[int, int], info: bytes) -> bool:
    """Nothing under way, and the last data was an answer, or long ago."""
    unacked, sent, received = (
        struct.unpack_from("=I", info, offset)[0] for offset in (_UNACKED, _SENT, _RECEIVED)
    )
    if any(queued) or unacked:
        return False
    return bool(sent < received or (sent == received and sent >= _QUIET_MS))


def _info(attributes: bytes) -> bytes:
    while len(attributes) >= 4:
        length, kind = struct.unpack_from("=HH", attributes)
        if kind == _INFO:
            return attributes[4:length]
        attributes = attributes[(length + 3) & ~3 or 4 :]
    return b""


def _established(connection: Connection, family: int) -> Iterator[_Peer]:
    head = struct.pack("=BBBBI", family, socket.IPPROTO_TCP, 1 << (_INFO - 1), 0, 1 << _ESTABLISHED)
    for found in connection.dump(_BY_FAMILY, head + bytes(48)):
        info = _info(found[72:])
        if len(info) > _RECEIVED + 4:
            yield _Peer(found[_ID], _is_idle(_QUEUES.unpack_from(found, 52), info))


def close_idle() -> int:
    """Reset the idle TCP connections of this network namespace; how many are left open."""
    left = 0
    with Connection(_SOCK_DIAG) as connection:
        for family in (socket.AF_INET, socket.AF_INET6):
            for peer in list(_established(connection, family)):
                if not peer.idle:
                    left += 1
                    continue
                head = struct.pack("=BBBBI", family, socket.IPPROTO_TCP, 0, 0, 1 << _ESTABLISHED)
                # It ended by itself meanwhile, or this kernel can't.
                with contextlib.suppress(OSError):
                    connection.ask(_DESTROY, ACK, head + peer.identity)
    return left
