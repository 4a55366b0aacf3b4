"""ConfigMaps in the namespace `default`, for tests of everything that holds for every object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.local.plugins.protocol import OFFICIAL

if TYPE_CHECKING:
    from tests.local.plugins.api_server import ApiServer

CONFIG_MAP = "kubernetes:core/v1:ConfigMap"
own = pytest.mark.skipif(OFFICIAL, reason="this project's own plugin only")


def config_map(name: str | None = None, data: Any = None, **metadata: Any) -> dict[str, Any]:
    """Inputs of a ConfigMap."""
    named = {"name": name} if name else {}
    return {"metadata": {**named, **metadata}, "data": data or {"key": "value"}}


def path(name: str, plural: str = "configmaps") -> str:
    """Where the API has an object."""
    return f"/api/v1/namespaces/default/{plural}/{name}"


def data(server: ApiServer, name: str) -> Any:
    """What is in a ConfigMap now."""
    return server.call("GET", path(name)).get("data")
