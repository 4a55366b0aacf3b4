"""A container's environment, and the variables in its command."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from local.node.quantity import quantity

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from local.api import Object

__all__ = ["ConfigError", "environment", "expand", "field", "resource_field"]

_REFERENCE = re.compile(r"\$\$|\$\(([^()]*)\)")
_FIELD = re.compile(r"(?P<path>[\w.]+)(?:\['(?P<key>[^']+)'\])?")


class ConfigError(Exception):
    """A container's configuration can't be applied; the message has the reason."""


def expand(text: str, values: Mapping[str, str]) -> str:
    """Replace `$(NAME)` by its value. Unknown names stay as they are; `$$` becomes `$`."""

    def replace(match: re.Match[str]) -> str:
        if match[0] == "$$":
            return "$"
        return values.get(match[1], match[0])

    return _REFERENCE.sub(replace, text)


def field(path: str, pod: Object) -> str:
    """A field of the pod, for `fieldRef`. Raises ConfigError."""
    match = _FIELD.fullmatch(path)
    if match is None:
        raise ConfigError(f"fieldPath {path!r} is not supported")
    found: object = pod
    for part in match["path"].split("."):
        if part == "podIPs":
            found = ",".join(each["ip"] for each in pod["status"].get("podIPs", []))
        elif isinstance(found, dict):
            found = found.get(part, "")
    if isinstance(found, dict):
        if match["key"] is not None:
            return str(found.get(match["key"], ""))
        return "\n".join(f'{key}="{value}"' for key, value in sorted(found.items()))
    return str(found)


def resource_field(reference: Object, pod: Object, container: str, capacity: Object) -> str:
    """A resource of a container, for `resourceFieldRef`. A missing limit is the node's capacity."""
    name = reference.get("containerName", container)
    kind, resource = reference["resource"].split(".", 1)
    everyone = [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]
    found = next((each for each in everyone if each["name"] == name), None)
    if found is None:
        raise ConfigError(f"resourceFieldRef: no container {name!r}")
    held = found.get("resources", {}).get(kind, {})
    value = held.get(resource, capacity.get(resource, "0") if kind == "limits" else "0")
    return str(math.ceil(quantity(value) / (quantity(reference.get("divisor", "0")) or 1)))


def environment(
    container: Object,
    pod: Object,
    base: Mapping[str, str],
    look_up: Callable[[str, str], dict[str, bytes] | None],
    capacity: Object,
) -> dict[str, str]:
    """The environment of a container. Raises ConfigError."""
    made = dict(base)
    for source in container.get("envFrom", []):
        kind = "configmap" if "configMapRef" in source else "secret"
        reference = source.get("configMapRef") or source["secretRef"]
        data = look_up(kind, reference["name"])
        if data is None and not reference.get("optional"):
            raise ConfigError(f"{kind} {reference['name']!r} not found")
        prefix = source.get("prefix", "")
        made |= {f"{prefix}{key}": value.decode() for key, value in (data or {}).items()}
    for variable in container.get("env", []):
        value = _value(variable, container["name"], pod, look_up, capacity)
        if value is not None:
            # Only values in the pod itself are expanded, not those from a Secret.
            own = "valueFrom" not in variable
            made[variable["name"]] = expand(value, made) if own else value
    return made


def _value(
    variable: Object,
    container: str,
    pod: Object,
    look_up: Callable[[str, str], dict[str, bytes] | None],
    capacity: Object,
) -> str | None:
    source = variable.get("valueFrom")
    if source is None:
        return str(variable.get("value", ""))
    if "fieldRef" in source:
        return field(source["fieldRef"]["fieldPath"], pod)
    if "resourceFieldRef" in source:
        return resource_field(source["resourceFieldRef"], pod, container, capacity)
    kind = "configmap" if "configMapKeyRef" in source else "secret"
    reference = source.get("configMapKeyRef") or source["secretKeyRef"]
    data = look_up(kind, reference["name"])
    if data is not None and reference["key"] in data:
        return data[reference["key"]].decode()
    if reference.get("optional"):
        return None
    what = "not found" if data is None else f"has no key {reference['key']!r}"
    raise ConfigError(f"{kind} {reference['name']!r} {what}")
