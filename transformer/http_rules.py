"""What RFC 9110 and RFC 9112 ask of a server beyond what its parser checks."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from transformer.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["check"]

# `uri-host [ ":" port ]` of RFC 3986, section 3.2; it may be empty.
HOST = re.compile(rb"(\[[0-9A-Za-z:.%]+\]|[0-9A-Za-z\-._~%!$&'()*+,;=]*)(:[0-9]*)?")


def check(version: str, headers: Sequence[tuple[bytes, bytes]]) -> RequestError | None:
    """The error of a request with these headers, with names in lower case; None if they are right.

    `version` is HTTP's, as `1.1`. The connection must close with the error.
    """
    hosts = [value for name, value in headers if name == b"host"]
    # RFC 9112, section 3.2.
    if len(hosts) != 1 and (hosts or version != "1.0"):
        return RequestError(400, f"{len(hosts)} Host headers; allowed: one")
    if hosts and not HOST.fullmatch(hosts[0]):
        found = hosts[0][:100].decode("latin-1")
        return RequestError(400, f"Host {found!r}; allowed: host or host:port")
    codings = [value for name, value in headers if name == b"transfer-encoding"]
    # RFC 9112, section 6.1: the parser takes away the chunks, and knows no other coding.
    if codings and b",".join(codings).strip().lower() != b"chunked":
        found = b", ".join(codings)[:100].decode("latin-1")
        return RequestError(501, f"Transfer-Encoding {found!r}; allowed: chunked")
    return None
