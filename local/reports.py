"""Pages of load tests: results from the storage emulator, beside those of the previous release."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import urllib3

from local.errors import LocalError
from local.layout import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from local.layout import Layout

__all__ = ["fetch", "page"]


def fetch(layout: Layout, place: str) -> dict[str, Any] | None:
    """The result at `gs://BUCKET/OBJECT`; None if it was deleted."""
    bucket, _, name = place.removeprefix("gs://").partition("/")
    return _get(layout, f"{bucket}/o/{quote(name, safe='')}?alt=media")


def page(layout: Layout, name: str, place: str) -> Path:
    """Write the page of a result under .local/. Raises LocalError."""
    current = fetch(layout, place)
    if current is None:
        raise LocalError(f"{place} is no longer in the bucket; run: make up")
    folder = layout.base / "reports" / name
    folder.mkdir(parents=True, exist_ok=True)
    arguments = [str(_write(folder / "result.json", current))]
    arguments += ["--out", str(folder / "report.html")]
    previous = _previous(layout, place, current)
    if previous:
        arguments += ["--previous", str(_write(folder / "previous.json", previous))]
    python = ROOT / ".venv-model" / "bin" / "python"
    command = [str(python), "-m", "jobs", "report", *arguments]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=False)
    if done.returncode:
        raise LocalError(f"writing the page of {name} failed, see above")
    return folder / "report.html"


def _previous(layout: Layout, place: str, current: dict[str, Any]) -> dict[str, Any] | None:
    """The newest result of another release of the same model."""
    bucket, _, name = place.removeprefix("gs://").partition("/")
    prefix = "/".join(name.split("/")[:2]) + "/"
    listed = _get(layout, f"{bucket}/o?prefix={quote(prefix, safe='')}") or {}
    items = [each for each in listed.get("items", []) if each["name"].endswith("/result.json")]
    for each in sorted(items, key=lambda item: str(item["timeCreated"]), reverse=True):
        found = fetch(layout, f"gs://{bucket}/{each['name']}")
        if found and found["release_digest"] != current["release_digest"]:
            return found
    return None


def _get(layout: Layout, path: str) -> dict[str, Any] | None:
    url = f"{layout.storage()}/storage/v1/b/{path}"
    answer = urllib3.request("GET", url, headers=layout.owner(), timeout=10)
    if answer.status == 404:
        return None
    if answer.status != 200:
        raise LocalError(f"the storage emulator answers {answer.status} for {path}")
    found: dict[str, Any] = answer.json()
    return found


def _write(path: Path, document: dict[str, Any]) -> Path:
    path.write_text(json.dumps(document))
    return path
