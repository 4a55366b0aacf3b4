"""An HTTP client without proxies and retries: one request, one response."""

from __future__ import annotations

import http.client
import json
import shutil
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping
    from typing import BinaryIO

__all__ = ["Response", "UnreachableError", "request"]

SHOWN_CHARACTERS = 300


class UnreachableError(Exception):
    """There was no response; the message says why."""


@dataclass(frozen=True)
class Response:
    """A response of any status; names of headers are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """Raises ValueError on a body that isn't JSON."""
        return json.loads(self.body)

    def __str__(self) -> str:
        text = " ".join(self.body.decode(errors="replace").split())
        return f"status {self.status}: {text[:SHOWN_CHARACTERS] or 'no body'}"


def request(
    url: str,
    *,
    body: bytes | BinaryIO | None = None,
    headers: Mapping[str, str] | None = None,
    method: str | None = None,
    timeout: float,
    context: ssl.SSLContext | None = None,
    sink: BinaryIO | None = None,
) -> Response:
    """GET, or POST with a body; a good answer's body goes into `sink` where there is one.

    Raises UnreachableError when there is no response, or none to its end.
    """
    made = urllib.request.Request(url, data=body, headers=dict(headers or {}), method=method)
    # Addresses are in the cluster, or its own gateway's: no proxy of the environment is for them.
    handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]
    if context is not None:
        handlers.append(urllib.request.HTTPSHandler(context=context))
    opener = urllib.request.build_opener(*handlers)
    try:
        try:
            with opener.open(made, timeout=timeout) as found:
                if sink is not None:
                    shutil.copyfileobj(found, sink)
                return _response(found.status, found.headers.items(), found.read())
        except urllib.error.HTTPError as error:
            with error:
                return _response(error.code, error.headers.items(), error.read())
    except (OSError, http.client.HTTPException) as error:
        raise UnreachableError(f"{url}: {_cause(error)}") from error


def _response(status: int, headers: Any, body: bytes) -> Response:
    return Response(status, {name.lower(): value for name, value in headers}, body)


def _cause(error: BaseException) -> str:
    reason = getattr(error, "reason", None)
    if isinstance(error, TimeoutError) or isinstance(reason, TimeoutError):
        return "no answer in time"
    inner = reason if isinstance(reason, OSError) else error
    text = getattr(inner, "strerror", None) or str(inner)
    return text or type(inner).__name__
