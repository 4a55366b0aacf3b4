"""Google Cloud Storage's JSON API, as far as the Jobs need it; an emulator's too."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from jobs.http_client import request

if TYPE_CHECKING:
    from typing import BinaryIO

    from jobs.http_client import Response

__all__ = ["StorageError", "download", "is_there", "upload"]

STORAGE = "https://storage.googleapis.com"
METADATA_HOST = "metadata.google.internal"
TOKEN_PATH = "/computeMetadata/v1/instance/service-accounts/default/token"
# Without any byte; a file of any size may take longer.
TIMEOUT_SECONDS = 30.0
_REPLACE = b"storage.objects.delete"
_PLACE = re.compile(r"gs://([^/]+)/(.+)")


class StorageError(Exception):
    """An address is invalid, or there is no token; the message says which."""


def download(place: str, into: BinaryIO) -> Response:
    """GET gs://BUCKET/OBJECT into a file. Raises StorageError and UnreachableError."""
    bucket, name = _split(place)
    url = f"{_server()}/storage/v1/b/{quote(bucket)}/o/{quote(name, safe='')}?alt=media"
    return request(url, headers=_authorization(), timeout=TIMEOUT_SECONDS, sink=into)


def upload(body: BinaryIO, place: str, kind: str) -> Response:
    """POST a new object to gs://BUCKET/OBJECT; `is_there` tells whether it is there already.

    `kind` is its Content-Type. Raises StorageError and UnreachableError.
    """
    bucket, name = _split(place)
    asked = {"uploadType": "media", "name": name, "ifGenerationMatch": "0"}
    url = f"{_server()}/upload/storage/v1/b/{quote(bucket)}/o?{urlencode(asked)}"
    size = body.seek(0, os.SEEK_END)
    body.seek(0)
    # Without a length urllib would send chunks.
    headers = {"Content-Type": kind, "Content-Length": str(size)} | _authorization()
    return request(url, body=body, headers=headers, timeout=TIMEOUT_SECONDS)


def is_there(answer: Response) -> bool:
    """Whether an upload was refused because the object is there.

    By the precondition; or, to who may only create, for the permission that replacing it needs.
    """
    return answer.status == 412 or (answer.status == 403 and _REPLACE in answer.body)


def _split(place: str) -> tuple[str, str]:
    match = _PLACE.fullmatch(place)
    if not match:
        raise StorageError(f"found {place}; allowed: gs://BUCKET/OBJECT")
    return match[1], match[2]


def _server() -> str:
    """As Google's client libraries: an emulator needs no token, another endpoint does."""
    emulator = os.environ.get("STORAGE_EMULATOR_HOST", "").rstrip("/")
    if not emulator:
        return os.environ.get("API_ENDPOINT_OVERRIDE", STORAGE).rstrip("/")
    return emulator if "://" in emulator else f"http://{emulator}"


def _authorization() -> dict[str, str]:
    """A token of the pod's identity; an emulator needs none."""
    if os.environ.get("STORAGE_EMULATOR_HOST"):
        return {}
    # The variable that Google's client libraries read.
    host = os.environ.get("GCE_METADATA_HOST") or METADATA_HOST
    answer = request(
        f"http://{host}{TOKEN_PATH}", headers={"Metadata-Flavor": "Google"}, timeout=5.0
    )
    try:
        return {"Authorization": f"Bearer {answer.json()['access_token']}"}
    except (ValueError, KeyError, TypeError) as error:
        raise StorageError(f"no token from the metadata server: {answer}") from error
