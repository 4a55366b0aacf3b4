"""Health checks. Each is one short request and never raises."""

from __future__ import annotations

from typing import TYPE_CHECKING

import urllib3

from local.api import Api, ApiError, condition_status

if TYPE_CHECKING:
    from collections.abc import Callable

    from local.layout import Layout

__all__ = ["answers", "api_server", "node", "succeeds"]

_PATIENCE = 3.0

# Without a check of certificates: some of these programs make their own.
_pool = urllib3.PoolManager(cert_reqs="CERT_NONE", retries=False)
urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)


def _status(url: str) -> int:
    try:
        return _pool.request("GET", url, timeout=_PATIENCE).status
    except urllib3.exceptions.HTTPError:
        return 0


def succeeds(url: str) -> Callable[[], bool]:
    """A check that the answer's status is a success."""
    return lambda: 200 <= _status(url) < 300


def answers(url: str) -> Callable[[], bool]:
    """A check that there is any HTTP answer."""
    return lambda: _status(url) > 0


def api_server(layout: Layout) -> Callable[[], bool]:
    """A check of the API server's own readiness, which includes etcd and its start-up hooks."""

    def check() -> bool:
        try:
            return Api(layout, _PATIENCE).text("/readyz") == "ok"
        except ApiError:
            return False

    return check


def node(layout: Layout, name: str) -> Callable[[], bool]:
    """A check of the Node's Ready condition."""

    def check() -> bool:
        try:
            found = Api(layout, _PATIENCE).find(f"/api/v1/nodes/{name}") or {}
        except ApiError:
            return False
        return condition_status(found, "Ready") == "True"

    return check
