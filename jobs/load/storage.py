"""Storage of a load test's result and page: files, or objects in a bucket."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from jobs.http_client import Response, UnreachableError, request
from jobs.load.vegeta import LoadError

__all__ = ["report_place", "store", "store_page"]

STORAGE = "https://storage.googleapis.com"
METADATA_HOST = "metadata.google.internal"
TOKEN_PATH = "/computeMetadata/v1/instance/service-accounts/default/token"
TIMEOUT_SECONDS = 30.0
# The load is never repeated; its upload is.
PAUSES_SECONDS = (0.0, 1.0, 3.0)


def store(document: dict[str, Any], place: str) -> None:
    """Write result.json to /PATH or gs://BUCKET/OBJECT. Raises LoadError with the cause."""
    text = json.dumps(document, indent=1, sort_keys=True) + "\n"
    _store(text.encode(), place, "application/json")


def store_page(text: str, place: str) -> None:
    """Write a page likewise."""
    _store(text.encode(), place, "text/html; charset=utf-8")


def report_place(place: str) -> str:
    """The place of a result's page: …/report.html for …/result.json."""
    folder, slash, name = place.rpartition("/")
    stem = name.removesuffix(".json")
    return f"{folder}{slash}{'report' if stem == 'result' else stem}.html"


def _store(text: bytes, place: str, kind: str) -> None:
    if place.startswith("gs://"):
        _upload(text, place, kind)
        return
    try:
        Path(place).write_bytes(text)
    except OSError as error:
        raise LoadError(f"the result can't be written to {place}: {error.strerror}") from error


def _upload(text: bytes, place: str, kind: str) -> None:
    bucket, _, name = place.removeprefix("gs://").partition("/")
    if not bucket or not name:
        raise LoadError(f"result: found {place}; allowed: gs://BUCKET/OBJECT")
    query = urlencode({"uploadType": "media", "name": name})
    cause = ""
    for pause in PAUSES_SECONDS:
        time.sleep(pause)
        try:
            url = f"{_server()}/upload/storage/v1/b/{quote(bucket)}/o?{query}"
            answer = _post(url, text, kind)
        except UnreachableError as error:
            cause = str(error)
            continue
        if answer.status == 200:
            return
        cause = str(answer)
        if answer.status < 500:
            break
    raise LoadError(f"the result can't be uploaded to {place}: {cause}")


def _post(url: str, text: bytes, kind: str) -> Response:
    headers = {"Content-Type": kind} | _authorization()
    return request(url, body=text, headers=headers, timeout=TIMEOUT_SECONDS)


def _server() -> str:
    emulator = os.environ.get("STORAGE_EMULATOR_HOST", "").rstrip("/")
    if not emulator:
        return STORAGE
    return emulator if "://" in emulator else f"http://{emulator}"


def _authorization() -> dict[str, str]:
    """A token of the pod's Google service account; an emulator needs none."""
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
        raise LoadError(f"no token from the metadata server: {answer}") from error
