"""Storage of a load test's result and page: files, or objects in a bucket."""

from __future__ import annotations

import io
import json
import time
from pathlib import Path
from typing import Any

from jobs import gcs
from jobs.http_client import UnreachableError
from jobs.load.vegeta import LoadError

__all__ = ["report_place", "store", "store_page"]

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
    cause = ""
    for pause in PAUSES_SECONDS:
        time.sleep(pause)
        try:
            answer = gcs.upload(io.BytesIO(text), place, kind)
        except gcs.StorageError as error:
            raise LoadError(f"result: {error}") from error
        except UnreachableError as error:
            cause = str(error)
            continue
        # There already: an earlier attempt of this Job stored it, whose answer was lost.
        if answer.status == 200 or gcs.is_there(answer):
            return
        cause = str(answer)
        if answer.status < 500:
            break
    raise LoadError(f"the result can't be uploaded to {place}: {cause}")
