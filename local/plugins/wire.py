"""Property values between Pulumi's wire format and Python.

The wire format is a protobuf Struct in which secrets, assets, resource references and output
values are objects with a signature, and unknown values are one of seven strings (pulumi/pulumi,
`sdk/go/common/resource/plugin/rpc.go`). In Python

* an unknown value is `UNKNOWN`;
* an asset is an `Asset`;
* secrets are plain values; their paths are in `Properties.secrets`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path as File
from typing import Any, Final

from google.protobuf import struct_pb2

Path = tuple[str | int, ...]

_SIGNATURE: Final = "4dabf18193072939515e22adb298388d"
_SECRET: Final = "1b47061264138c4ac30d75fd1eb44270"
_ASSET: Final = "c44067f5952c0a294b673a41bacd8c17"
_ARCHIVE: Final = "0def7320c3a5731c473e5ecbe6d01bc7"
_REFERENCE: Final = "5cf8f73096256a8f31e491e813e4eb8e"
_OUTPUT: Final = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
_UNKNOWN_STRING: Final = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
_UNKNOWNS: Final = frozenset(
    {
        _UNKNOWN_STRING,
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",  # a boolean
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",  # a number
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",  # an array
        "030794c1-ac77-496b-92df-f27374a8bd58",  # an asset
        "e48ece36-62e2-4504-bad9-02848725956a",  # an archive
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",  # an object
    }
)


class Unknown:
    """A value that is known only after the deployment."""

    def __repr__(self) -> str:
        return "(not known yet)"


UNKNOWN: Final = Unknown()


@dataclass(frozen=True)
class Asset:
    """A file or a text of a program, with the SHA-256 that the engine computed."""

    path: str = ""
    text: str = ""
    hash: str = ""

    def read(self) -> bytes:
        """The content. Raises OSError."""
        return File(self.path).read_bytes() if self.path else self.text.encode()

    @property
    def is_elided(self) -> bool:
        """Whether the engine sent only the hash, as it does for a diff."""
        nothing = not self.path and not self.text
        return nothing and self.hash not in ("", hashlib.sha256(b"").hexdigest())

    @property
    def digest(self) -> str:
        """SHA-256 of the content, computed if the engine sent none."""
        return self.hash or hashlib.sha256(self.read()).hexdigest()


@dataclass(frozen=True)
class Properties:
    """A resource's values, and the paths of those that are secret."""

    values: dict[str, Any] = field(default_factory=dict)
    secrets: frozenset[Path] = frozenset()


def decode(struct: struct_pb2.Struct) -> Properties:
    """Decode values from the engine. Nulls in objects are left out."""
    secrets: set[Path] = set()
    values = _object(struct, (), secrets)
    return Properties(values, frozenset(secrets))


def _object(struct: struct_pb2.Struct, path: Path, secrets: set[Path]) -> dict[str, Any]:
    found = {key: _value(value, (*path, key), secrets) for key, value in struct.fields.items()}
    return {key: value for key, value in found.items() if value is not None}


def _value(value: struct_pb2.Value, path: Path, secrets: set[Path]) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        signature = value.struct_value.fields.get(_SIGNATURE)
        if signature is not None:
            return _signed(signature.string_value, value.struct_value, path, secrets)
        return _object(value.struct_value, path, secrets)
    if kind == "list_value":
        items = value.list_value.values
        return [_value(item, (*path, index), secrets) for index, item in enumerate(items)]
    if kind == "string_value":
        return UNKNOWN if value.string_value in _UNKNOWNS else value.string_value
    if kind == "number_value":
        number = value.number_value
        return int(number) if number.is_integer() else number
    return value.bool_value if kind == "bool_value" else None


def _signed(signature: str, struct: struct_pb2.Struct, path: Path, secrets: set[Path]) -> Any:
    fields = struct.fields
    if signature == _SECRET:
        secrets.add(path)
        return _value(fields["value"], path, secrets)
    if signature == _OUTPUT:
        if "secret" in fields and fields["secret"].bool_value:
            secrets.add(path)
        return _value(fields["value"], path, secrets) if "value" in fields else UNKNOWN
    if signature == _REFERENCE:
        reference = _value(fields["id" if "id" in fields else "urn"], path, secrets)
        return UNKNOWN if reference == "" else reference
    if signature == _ASSET and "uri" not in fields:
        texts = {key: fields[key].string_value for key in ("path", "text", "hash") if key in fields}
        return Asset(**texts)
    what = {_ASSET: "remote assets", _ARCHIVE: "archives"}.get(signature, "this kind of value")
    raise ValueError(f"{show(path)}: {what} are not supported here")


def encode(properties: Properties) -> struct_pb2.Struct:
    """Encode values for the engine. A secret path without a value is ignored."""
    struct = struct_pb2.Struct()
    for key, value in properties.values.items():
        _fill(struct.fields[key], value, (key,), properties.secrets)
    return struct


def _fill(target: struct_pb2.Value, value: Any, path: Path, secrets: frozenset[Path]) -> None:
    if path in secrets:
        fields = target.struct_value.fields
        fields[_SIGNATURE].string_value = _SECRET
        target = fields["value"]
    if isinstance(value, dict):
        target.struct_value.SetInParent()
        for key, item in value.items():
            _fill(target.struct_value.fields[key], item, (*path, key), secrets)
    elif isinstance(value, list | tuple):
        target.list_value.SetInParent()
        for index, item in enumerate(value):
            _fill(target.list_value.values.add(), item, (*path, index), secrets)
    else:
        _fill_scalar(target, value)


def _fill_scalar(target: struct_pb2.Value, value: Any) -> None:
    if value is None:
        target.null_value = struct_pb2.NULL_VALUE
    elif value is UNKNOWN:
        target.string_value = _UNKNOWN_STRING
    elif isinstance(value, bool):
        target.bool_value = value
    elif isinstance(value, int | float):
        target.number_value = value
    elif isinstance(value, Asset):
        fields = target.struct_value.fields
        fields[_SIGNATURE].string_value = _ASSET
        fields["hash"].string_value = value.digest
        if value.path:
            fields["path"].string_value = value.path
        elif value.text or not value.is_elided:
            fields["text"].string_value = value.text
    else:
        target.string_value = str(value)


def has_unknown(value: Any) -> bool:
    """Whether any part of a value is unknown."""
    if isinstance(value, dict):
        return any(has_unknown(item) for item in value.values())
    if isinstance(value, list):
        return any(has_unknown(item) for item in value)
    return value is UNKNOWN


def show(path: Path) -> str:
    """A path in Pulumi's format: `spec.containers[0]["odd.key"]`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif part.isidentifier() or part.replace("-", "_").isidentifier():
            text += f".{part}" if text else part
        else:
            quoted = part.replace('"', '\\"')
            text += f'["{quoted}"]'
    return text
