"""Inputs of Kubernetes objects: checked, completed, sent, and read back."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from local.plugins.kubernetes import annotations as notes
from local.plugins.kubernetes import requirement
from local.plugins.kubernetes.cluster import Place
from local.plugins.resource import Checked
from local.plugins.schema import misfits
from local.plugins.wire import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Callable

    from local.plugins.kubernetes.cluster import Object
    from local.plugins.kubernetes.kinds import Kind
    from local.plugins.resource import Naming, Values

NAME_DIGITS = 8
# Only the object that will be made has these.
_PER_OBJECT = ("uid", "creationTimestamp", "generation")
# Defaults that an import would otherwise find in the program's place.
_OF_THE_SERVER = ("kubectl.kubernetes.io/last-applied-configuration",)


def checked(
    kind: Kind, inputs: Values, old_inputs: Values, naming: Naming, namespace: Callable[[], str]
) -> Checked:
    """Inputs with apiVersion, kind, name and namespace, and what is wrong with them."""
    failures = misfits(inputs, kind.shape, f"a {kind.name}")
    for key, value in (("apiVersion", kind.api_version), ("kind", kind.name)):
        if inputs.get(key, value) not in (value, UNKNOWN):
            failures[key] = f"found {inputs[key]!r}; it can only be {value!r}"
    failures |= _bad_annotations(inputs)
    completed = {**inputs, "apiVersion": kind.api_version, "kind": kind.name}
    if inputs.get("metadata") is UNKNOWN:
        return Checked(completed, failures)
    completed = _named(completed, old_inputs, naming)
    metadata = completed["metadata"]
    if kind.namespaced:
        completed["metadata"] = {"namespace": namespace(), **metadata}
    elif "namespace" in metadata:
        failures["metadata.namespace"] = f"a {kind.name} is in no namespace"
    return Checked(completed, failures)


def _named(inputs: Values, old_inputs: Values, naming: Naming) -> Values:
    if "name" in notes.metadata(inputs):
        return inputs
    name = notes.metadata(old_inputs).get("name")
    if name is None or not notes.is_set(old_inputs, notes.AUTONAMED):
        name = naming.automatic(NAME_DIGITS)
    marked = notes.with_annotation(inputs, notes.AUTONAMED, "true")
    return {**marked, "metadata": {**marked["metadata"], "name": name}}


def _bad_annotations(inputs: Values) -> dict[str, str]:
    failures: dict[str, str] = {}
    try:
        for text in notes.wait_for(inputs):
            requirement.parse(text)
    except ValueError as error:
        failures[f'metadata.annotations["{notes.WAIT_FOR}"]'] = str(error)
    timeout = notes.annotation(inputs, notes.TIMEOUT)
    if timeout and not timeout.isdecimal():
        place = f'metadata.annotations["{notes.TIMEOUT}"]'
        failures[place] = f"found {timeout!r}; allowed: seconds, such as 600"
    return failures


def place_of(inputs: Values) -> list[str]:
    """Namespace (empty for none) and name, as they stand in the inputs."""
    metadata = notes.metadata(inputs)
    return [metadata.get("namespace", ""), metadata.get("name", UNKNOWN)]


def parse_id(kind: Kind, identifier: str, namespace: Callable[[], str]) -> Place:
    """The place of an id: NAMESPACE/NAME, or NAME."""
    scope, slash, name = identifier.rpartition("/")
    if kind.namespaced and not slash:
        scope = namespace()
    return Place(kind, scope, name)


def body(kind: Kind, inputs: Values) -> Object:
    """What the server gets. A Secret's stringData goes as data, so that a key can go again."""
    if kind.name != "Secret" or "stringData" not in inputs:
        return inputs
    texts = inputs["stringData"]
    encoded = {key: base64.b64encode(str(text).encode()).decode() for key, text in texts.items()}
    sent = {key: value for key, value in inputs.items() if key != "stringData"}
    return {**sent, "data": {**inputs.get("data", {}), **encoded}}


def with_string_data(outputs: Values, inputs: Values) -> Values:
    """A Secret's outputs with stringData, read back from data, where the inputs have it."""
    if not isinstance(inputs.get("stringData"), dict):
        return outputs
    data = outputs.get("data") or {}
    texts = {
        key: base64.b64decode(data[key]).decode(errors="replace")
        for key in inputs["stringData"]
        if key in data
    }
    return {**outputs, "stringData": texts}


def bare(kind: Kind, place: Place) -> Object:
    """An object without anything."""
    metadata = {"name": place.name}
    if kind.namespaced:
        metadata["namespace"] = place.namespace
    return {"apiVersion": kind.api_version, "kind": kind.name, "metadata": metadata}


def not_yet(values: Values) -> Values:
    """What a preview knows of an object, without what only the object itself will have."""
    known = {key: value for key, value in values.items() if key not in ("status", "__fieldManager")}
    if values.get("metadata") is UNKNOWN:
        return known
    own = dict.fromkeys(_PER_OBJECT, UNKNOWN)
    return {**known, "metadata": {**notes.metadata(values), **own}}


def from_live(kind: Kind, live: Object) -> Values:
    """The inputs that an import finds."""
    metadata = {
        key: live["metadata"][key] for key in kind.shape["metadata"] if key in live["metadata"]
    }
    kept = {
        key: value
        for key, value in (metadata.pop("annotations", None) or {}).items()
        if key not in _OF_THE_SERVER
    }
    found = {key: live[key] for key in kind.properties if key in live}
    metadata |= {"annotations": kept} if kept else {}
    return {"apiVersion": kind.api_version, "kind": kind.name, "metadata": metadata, **found}
