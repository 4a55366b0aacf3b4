"""The zip archives of torch.jit.save and torch.export.save: the same bytes on every machine."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["rewrite"]

# torch's reader maps tensor data in place where it is aligned to this many bytes.
ALIGNMENT = 64


def rewrite(archive: bytes, change: Callable[[str, bytes], bytes | None]) -> bytes:
    """The archive with what `change` makes of each file: new content, or None to leave it out.

    An identity made over the files, paths of the source among them, is left out: no reader needs
    it.
    """
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as source, zipfile.ZipFile(made, "w") as target:
        for item in source.infolist():
            inner = item.filename.split("/", 1)[1]
            content = change(inner, source.read(item))
            if content is None or inner == ".data/serialization_id":
                continue
            entry = zipfile.ZipInfo(f"model/{inner}", date_time=(1980, 1, 1, 0, 0, 0))
            header = 30 + len(entry.filename.encode())
            # An extra field of zeros (id, length, padding) puts the data on the boundary.
            padding = -(made.tell() + header + 4) % ALIGNMENT
            entry.extra = b"FB" + padding.to_bytes(2, "little") + bytes(padding)
            target.writestr(entry, content)
    return made.getvalue()
