"""What a request's headers say beside its body: its id, and what goes on to Triton with it."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from transformer.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["REQUEST_ID", "Context", "read"]

REQUEST_ID = b"x-request-id"
TRACEPARENT = "traceparent"
# W3C's trace context and baggage, B3 in both forms, and what a proxy in front of Triton checks.
FORWARDED = (
    b"authorization",
    b"baggage",
    b"b3",
    b"traceparent",
    b"tracestate",
    b"x-b3-flags",
    b"x-b3-parentspanid",
    b"x-b3-sampled",
    b"x-b3-spanid",
    b"x-b3-traceid",
)
# gRPC servers refuse more than 8 KiB of metadata, names and 32 bytes an entry included.
MAX_FORWARDED_BYTES = 6 * 2**10
# Printable ASCII: a value of gRPC's metadata has nothing else.
PRINTABLE = re.compile(rb"[\x20-\x7e]*")
ID = re.compile(rb"[\x21-\x7e]{1,128}")
# `version-trace_id-parent_id-flags`; https://www.w3.org/TR/trace-context/#traceparent-header
TRACE_ID = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-")


@dataclass(frozen=True)
class Context:
    """A request's id, and the headers that go to Triton with it, with names in lower case."""

    id: str
    headers: Mapping[str, str]

    def fields(self) -> dict[str, str]:
        """Fields of the log."""
        trace = TRACE_ID.match(self.headers.get(TRACEPARENT, ""))
        fields = {"request_id": self.id}
        return fields | {"trace_id": trace[1]} if trace else fields

    def check_size(self) -> None:
        """Raise RequestError if the headers are too large for Triton."""
        size = sum(len(name) + len(value) for name, value in self.headers.items())
        if size > MAX_FORWARDED_BYTES:
            raise RequestError(
                431,
                f"{', '.join(self.headers)}: {size:,} bytes together; allowed: "
                f"{MAX_FORWARDED_BYTES:,}, since they are forwarded to Triton",
            )


def read(headers: Mapping[bytes, bytes]) -> Context:
    """The context of a request. A request without a usable X-Request-ID gets an id.

    Values that aren't printable ASCII are left out.
    """
    given = headers.get(REQUEST_ID, b"")
    made = given.decode() if ID.fullmatch(given) else secrets.token_hex(16)
    found = {REQUEST_ID.decode(): made}
    for name in FORWARDED:
        value = headers.get(name)
        if value and PRINTABLE.fullmatch(value):
            found[name.decode()] = value.decode()
    return Context(made, found)
