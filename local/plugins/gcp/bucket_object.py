"""`gcp:storage/bucketObject:BucketObject`."""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import TYPE_CHECKING
from urllib.parse import quote

from local.plugins.changes import Change, Difference, compare, refreshed, under
from local.plugins.resource import Checked, PluginError, Resource, State
from local.plugins.schema import Shape, unsupported
from local.plugins.wire import UNKNOWN, Asset, has_unknown

if TYPE_CHECKING:
    from local.plugins.gcp.storage import Remote, Storage
    from local.plugins.resource import Operation, Values

SHAPE: Shape = {
    "name": None,
    "bucket": None,
    "source": None,
    "content": None,
    "contentType": None,
    "contentDisposition": None,
    "contentEncoding": None,
    "contentLanguage": None,
    "cacheControl": None,
    "storageClass": None,
    "kmsKeyName": None,
    "metadata": {"*": None},
    "sourceMd5hash": None,
}
# A change of these needs a replacement.
_FIXED = tuple((key,) for key in SHAPE if key not in ("content", "metadata"))
# Attributes of the library's blob, by property.
_SETTINGS = {
    "contentType": "content_type",
    "contentDisposition": "content_disposition",
    "contentEncoding": "content_encoding",
    "contentLanguage": "content_language",
    "cacheControl": "cache_control",
    "storageClass": "storage_class",
    "metadata": "metadata",
}
_COMPUTED = ("md5hash", "md5hexhash", "detectMd5hash", "crc32c", "generation", "mediaLink")
# The hash of the uploaded content: if the object's hash differs, another client has changed it.
_UPLOADED = "__uploadedMd5hash"
# The hash of an imported object: a source with it needs no upload.
_IMPORTED = "__importedSha256"


class BucketObject(Resource):
    """An object. Its id is BUCKET-NAME; an import takes BUCKET/NAME too."""

    secret = ("content",)

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def check(self, inputs: Values) -> Checked:
        failures = unsupported(inputs, SHAPE, "a BucketObject")
        if "bucket" not in inputs:
            failures["bucket"] = "a BucketObject needs the name of its bucket"
        if "name" not in inputs:
            failures["name"] = "a BucketObject needs a name"
        if ("source" in inputs) == ("content" in inputs):
            failures["source"] = "a BucketObject needs one of source and content, and not both"
        return Checked(inputs, failures)

    def diff(self, old_inputs: Values, old_outputs: Values, inputs: Values) -> Difference:
        changes = compare(old_inputs, inputs)
        replaces = {path for path in changes if under(path, _FIXED)}
        source = inputs.get("source")
        if isinstance(source, Asset) and source.digest == old_outputs.get(_IMPORTED):
            changes.pop(("source",), None)
            replaces.discard(("source",))
        uploaded = old_outputs.get(_UPLOADED)
        if uploaded is not None and uploaded != old_outputs.get("md5hash"):
            changes["detectMd5hash",] = Change.UPDATED
            if "source" in inputs:
                replaces.add(("detectMd5hash",))
        return Difference(changes, frozenset(replaces), delete_first=True)

    def create(self, operation: Operation, inputs: Values) -> State:
        if operation.preview:
            outputs = _outputs(inputs, dict.fromkeys(_COMPUTED, UNKNOWN))
            return State("", {**outputs, **dict.fromkeys(_COMPUTED, UNKNOWN)})
        return self._upload(operation, inputs)

    def read(self, identifier: str, inputs: Values, outputs: Values) -> State | None:
        bucket, name = _place(identifier, outputs)
        remote = self._storage.object(bucket, name)
        if remote is None:
            return None
        if not inputs and not outputs:
            inputs = {"bucket": bucket, "name": name}
            found = {_IMPORTED: hashlib.sha256(self._storage.content(bucket, name)).hexdigest()}
            return State(f"{bucket}-{name}", _outputs(inputs, remote) | found, inputs)
        live = _outputs({**outputs, **inputs}, remote)
        live |= {key: outputs[key] for key in (_UPLOADED, _IMPORTED) if key in outputs}
        return State(identifier, live, refreshed(inputs, outputs, live))

    def update(self, operation: Operation, state: State, inputs: Values) -> Values:
        if operation.preview:
            return {**_outputs(inputs, {}), **dict.fromkeys(_COMPUTED, UNKNOWN)}
        return self._upload(operation, inputs).outputs

    def delete(self, state: State) -> None:
        self._storage.delete_object(*_place(state.id, state.outputs))

    def _upload(self, operation: Operation, inputs: Values) -> State:
        bucket, name = inputs["bucket"], inputs["name"]
        content = inputs.get("source")
        if not isinstance(content, Asset):
            content = Asset(text=inputs["content"])
        settings = {ours: inputs[key] for key, ours in _SETTINGS.items() if key in inputs}
        settings.setdefault("content_type", _content_type(inputs))
        remote = self._storage.upload(bucket, name, content, settings, operation.timeout)
        outputs = {**_outputs(inputs, remote), _UPLOADED: remote["md5hash"]}
        return State(f"{bucket}-{name}", outputs)


def _content_type(inputs: Values) -> str:
    return "text/plain; charset=utf-8" if "content" in inputs else "application/octet-stream"


def _place(identifier: str, outputs: Values) -> tuple[str, str]:
    if "bucket" in outputs and "name" in outputs:
        return outputs["bucket"], outputs["name"]
    bucket, slash, name = identifier.partition("/")
    if not slash:
        raise PluginError(f"to import an object give BUCKET/NAME; found {identifier!r}")
    return bucket, name


def _outputs(inputs: Values, remote: Remote) -> Values:
    """The emulator's values, and the inputs for those that it doesn't have."""
    outputs = inputs | {key: value for key, value in remote.items() if value is not None}
    if not outputs.get("metadata"):
        outputs.pop("metadata", None)
    bucket, name, md5 = outputs["bucket"], outputs["name"], remote.get("md5hash")
    if isinstance(md5, str):
        outputs["detectMd5hash"] = md5
        outputs["md5hexhash"] = binascii.hexlify(base64.b64decode(md5)).decode()
    outputs["outputName"] = name
    outputs["selfLink"] = UNKNOWN
    if not has_unknown([bucket, name]):
        path = f"{bucket}/o/{quote(name, safe='')}"
        outputs["selfLink"] = f"https://www.googleapis.com/storage/v1/b/{path}"
    return outputs
