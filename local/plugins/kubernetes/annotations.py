"""The annotations by which a program steers the plugin."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from local.plugins.wire import UNKNOWN

if TYPE_CHECKING:
    from local.plugins.resource import Values

AUTONAMED = "pulumi.com/autonamed"
SKIP_AWAIT = "pulumi.com/skipAwait"
WAIT_FOR = "pulumi.com/waitFor"
TIMEOUT = "pulumi.com/timeoutSeconds"
PATCH_FORCE = "pulumi.com/patchForce"
FIELD_MANAGER = "pulumi.com/patchFieldManager"
REPLACE_UNREADY = "pulumi.com/replaceUnready"
PROPAGATION = "pulumi.com/deletionPropagationPolicy"


def metadata(values: Values) -> dict[str, Any]:
    """An object's metadata, empty where it is not known."""
    found = values.get("metadata")
    return found if isinstance(found, dict) else {}


def annotation(values: Values, name: str) -> str:
    """An annotation, empty where there is none or it is not known yet."""
    found = metadata(values).get("annotations")
    value = found.get(name, "") if isinstance(found, dict) else ""
    return "" if value is UNKNOWN else str(value)


def is_set(values: Values, name: str) -> bool:
    """Whether an annotation says true."""
    return annotation(values, name).lower() == "true"


def with_annotation(values: Values, name: str, value: str) -> Values:
    """The object with one more annotation."""
    found = metadata(values)
    annotations = {**(found.get("annotations") or {}), name: value}
    return {**values, "metadata": {**found, "annotations": annotations}}


def wait_for(values: Values) -> list[str]:
    """The expressions of pulumi.com/waitFor: one, or a JSON list of them."""
    text = annotation(values, WAIT_FOR).strip()
    if text.startswith("["):
        return [str(item) for item in json.loads(text)]
    return [text] if text else []
