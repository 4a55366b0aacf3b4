"""What a request to Cloud Storage's JSON API needs: permissions, each on a bucket or an object."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote, urlsplit

from local.storage.iam import Resource

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["BadRequestError", "Call", "Need", "read"]

_PATH = re.compile(
    r"/(?:(?P<kind>upload|download)/)?storage/v1/b"
    r"(?:/(?P<bucket>[^/]+)(?:/(?P<part>iam|o)(?:/(?P<object>[^/]+))?)?)?/?"
)
_BUCKET_NAME = re.compile(r"[a-z0-9][a-z0-9._-]+")
_BUCKET = {
    "GET": "storage.buckets.get",
    "PATCH": "storage.buckets.update",
    "PUT": "storage.buckets.update",
    "DELETE": "storage.buckets.delete",
}
_IAM = {"GET": "storage.buckets.getIamPolicy", "PUT": "storage.buckets.setIamPolicy"}
_OBJECT = {
    "GET": "storage.objects.get",
    "HEAD": "storage.objects.get",
    "PATCH": "storage.objects.update",
    "PUT": "storage.objects.update",
    "DELETE": "storage.objects.delete",
}
_BUCKETS = {"GET": "storage.buckets.list", "POST": "storage.buckets.create"}


class BadRequestError(Exception):
    """A request whose needs can't be told; the message says why."""


@dataclass(frozen=True)
class Need:
    """A permission on a resource; one in the project has an empty bucket."""

    permission: str
    resource: Resource


@dataclass(frozen=True)
class Call:
    """What a request asks for. `iam` is the bucket whose policy it reads or writes."""

    needs: tuple[Need, ...]
    iam: str = ""
    deletes: str = ""
    """The bucket that it deletes."""

    @property
    def creates(self) -> list[Resource]:
        """Objects that it creates. To replace one, Google asks for `storage.objects.delete` too."""
        return [n.resource for n in self.needs if n.permission == "storage.objects.create"]


def read(method: str, target: str, content_type: str, head: bytes) -> Call | None:
    """The call of a request; `head` is the beginning of its body. None: no part of the API here.

    Raises BadRequestError.
    """
    url = urlsplit(target)
    match = _PATH.fullmatch(url.path)
    if match is None:
        return None
    bucket, name = (unquote(match[group] or "") for group in ("bucket", "object"))
    if bucket and not _BUCKET_NAME.fullmatch(bucket):
        raise BadRequestError(f"invalid bucket name: {bucket!r}")
    if match["kind"] == "upload" and match["part"] == "o" and not name:
        query = parse_qs(url.query)
        if method in ("PUT", "DELETE") and "upload_id" in query:
            # A piece of an upload: its id is a secret, and stands for the right to this upload.
            return Call(())
        names = _uploaded(bucket, query, content_type, head)
        create = "storage.objects.create"
        return Call(tuple(Need(create, Resource(bucket, each)) for each in names))
    if name:
        return _call(_OBJECT.get(method), Resource(bucket, name))
    if match["part"] == "o":
        return _call({"GET": "storage.objects.list"}.get(method), Resource(bucket))
    if match["part"] == "iam":
        return _call(_IAM.get(method), Resource(bucket), iam=bucket)
    if bucket:
        deletes = bucket if method == "DELETE" else ""
        return _call(_BUCKET.get(method), Resource(bucket), deletes=deletes)
    return _call(_BUCKETS.get(method), Resource(""))


def _call(
    permission: str | None, resource: Resource, *, iam: str = "", deletes: str = ""
) -> Call | None:
    return Call((Need(permission, resource),), iam, deletes) if permission else None


def _uploaded(
    bucket: str, query: Mapping[str, list[str]], content_type: str, head: bytes
) -> list[str]:
    """Names of the object, in the address, and in the metadata before or instead of the content."""
    names = set(query.get("name", []))
    kind, text = query.get("uploadType", [""])[0], b""
    if kind == "resumable":
        text = head
    elif kind == "multipart" and content_type.startswith("multipart/related"):
        # Boundary, headers of the part, an empty line, the metadata, and the next boundary.
        text = head.partition(b"\r\n\r\n")[2].partition(b"\r\n--")[0]
    if text.strip():
        try:
            metadata = json.loads(text)
            names |= {metadata.get("name")} - {None}
            # The emulator would upload to that one.
            elsewhere = metadata.get("bucket", bucket) != bucket
        except (ValueError, TypeError, AttributeError) as error:
            raise BadRequestError(f"the upload's metadata can't be read: {error}") from error
        if elsewhere:
            raise BadRequestError(f"the upload's metadata name another bucket than {bucket}")
    if not names:
        raise BadRequestError("an upload needs the object's name")
    return sorted(names)
