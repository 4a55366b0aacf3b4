"""HTTP as the Jobs need it: one request, one answer, no proxies and no retries."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping

__all__ = ["Answer", "UnreachableError", "request"]

SHOWN = 300


class UnreachableError(Exception):
    """Nobody answered, and why."""


@dataclass(frozen=True)
class Answer:
    """Status, headers with lower-case names, and body, whatever the status."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """Raises ValueError on a body that isn't JSON."""
        return json.loads(self.body)

    def __str__(self) -> str:
        text = " ".join(self.body.decode(errors="replace").split())
        return f"status {self.status}: {text[:SHOWN] or 'no body'}"


def request(
    url: str,
    *,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    method: str | None = None,
    timeout: float,
    context: ssl.SSLContext | None = None,
) -> Answer:
    """GET, or POST where there is a body. Raises UnreachableError when nobody answers at all."""
    asked = urllib.request.Request(url, data=body, headers=dict(headers or {}), method=method)
    # Everything that is asked is in the cluster; a proxy of the environment would not find it.
    handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]
    if context is not None:
        handlers.append(urllib.request.HTTPSHandler(context=context))
    opener = urllib.request.build_opener(*handlers)
    try:
        try:
            with opener.open(asked, timeout=timeout) as answer:
                return _answer(answer.status, answer.headers.items(), answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return _answer(error.code, error.headers.items(), error.read())
    except (OSError, http.client.HTTPException) as error:
        raise UnreachableError(f"{url}: {_cause(error)}") from error


def _answer(status: int, headers: Any, body: bytes) -> Answer:
    return Answer(status, {name.lower(): value for name, value in headers}, body)


def _cause(error: BaseException) -> str:
    reason = getattr(error, "reason", None)
    if isinstance(error, TimeoutError) or isinstance(reason, TimeoutError):
        return "no answer in time"
    inner = reason if isinstance(reason, OSError) else error
    text = getattr(inner, "strerror", None) or str(inner)
    return text or type(inner).__name__
