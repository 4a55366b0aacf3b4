"""Netlink: messages, attributes, one request at a time."""

from __future__ import annotations

import os
import socket
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["ACK", "CREATE", "DUMP", "EXCL", "Connection", "attribute", "message", "nested", "text"]

REQUEST, ACK, EXCL, CREATE, DUMP = 1, 4, 0x200, 0x400, 0x300
_ERROR, _DONE = 2, 3
_NESTED = 0x8000
_HEADER = struct.Struct("=IHHII")


def attribute(kind: int, value: bytes) -> bytes:
    """One attribute, padded to four bytes."""
    return struct.pack("=HH", len(value) + 4, kind) + value + b"\0" * (-len(value) % 4)


def text(kind: int, value: str) -> bytes:
    """An attribute that is a string."""
    return attribute(kind, value.encode() + b"\0")


def nested(kind: int, *attributes: bytes) -> bytes:
    """An attribute that holds others."""
    return attribute(kind | _NESTED, b"".join(attributes))


def message(kind: int, flags: int, body: bytes, sequence: int = 0) -> bytes:
    """A request with its header."""
    return _HEADER.pack(_HEADER.size + len(body), kind, REQUEST | flags, sequence, 0) + body


class Connection:
    """A netlink socket; it stays in the network namespace that it was made in."""

    def __init__(self, family: int) -> None:
        self._socket = socket.socket(
            socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, family
        )
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self._socket.bind((0, 0))
        self._socket.settimeout(10)

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def ask(self, kind: int, flags: int, body: bytes) -> None:
        """One request that is acknowledged. Raises OSError with the kernel's number."""
        self.send(message(kind, flags | ACK, body), 1)

    def send(self, messages: bytes, acknowledgements: int) -> None:
        """Requests in one piece; wait until that many of them are acknowledged."""
        self._socket.send(messages)
        while acknowledgements > 0:
            for kind, body in self._receive():
                if kind == _ERROR:
                    acknowledgements -= 1
                    _raise(struct.unpack_from("=i", body)[0])

    def dump(self, kind: int, body: bytes) -> Iterator[bytes]:
        """The bodies of all the answers to one request."""
        self._socket.send(message(kind, DUMP, body))
        while True:
            for answer, content in self._receive():
                if answer == _DONE:
                    return
                if answer == _ERROR:
                    _raise(struct.unpack_from("=i", content)[0])
                yield content

    def _receive(self) -> Iterator[tuple[int, bytes]]:
        data = self._socket.recv(1 << 17)
        while data:
            length, kind, *_ = _HEADER.unpack_from(data)
            yield kind, data[_HEADER.size : length]
            data = data[(length + 3) & ~3 :]


def _raise(code: int) -> None:
    if code:
        raise OSError(-code, os.strerror(-code), "netlink")
