"""ConfigMaps in the namespace `default`: some as the program owns them, some patched by it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.local.plugins.api_server import ApiServer

CONFIG_MAP = "kubernetes:core/v1:ConfigMap"
CONFIG_MAP_PATCH = "kubernetes:core/v1:ConfigMapPatch"
MANAGER = "kserve-triton-test"
FORCE = {"pulumi.com/patchForce": "true"}
# The annotations of the stack's own objects, as in infra/components/ownership.py.
OWNED = FORCE | {"pulumi.com/patchFieldManager": MANAGER}


def config_map(name: str, data: dict[str, Any] | None = None, **metadata: Any) -> dict[str, Any]:
    """Inputs of a ConfigMap that is the stack's own."""
    return _config_map(name, data or {"key": "value"}, {"annotations": OWNED, **metadata})


def patch(name: str, data: dict[str, Any], *, force: bool = False) -> dict[str, Any]:
    """Inputs of a patch of a ConfigMap."""
    return _config_map(name, data, {"annotations": FORCE} if force else {})


def _config_map(name: str, data: dict[str, Any], metadata: dict[str, Any]) -> dict[str, Any]:
    named = {"name": name, "namespace": "default"} | metadata
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": named, "data": data}


def path(name: str) -> str:
    """The path of a ConfigMap."""
    return f"/api/v1/namespaces/default/configmaps/{name}"


def apply_as(server: ApiServer, name: str, data: dict[str, str], manager: str) -> None:
    """Apply keys of a ConfigMap as another field manager, by force."""
    server.apply(_config_map(name, data, {}), manager)


def data(server: ApiServer, name: str) -> Any:
    """The current data of a ConfigMap."""
    return server.get(path(name)).get("data")
