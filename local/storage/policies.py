"""The policies of the buckets, as files."""

from __future__ import annotations

import hashlib
import json
import threading
from typing import TYPE_CHECKING, Any

from local.layout import write_atomically
from local.storage.iam import Binding, parse

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["ConflictError", "Policies"]

_PROJECT = "project"


class ConflictError(Exception):
    """A policy was changed since it was read."""


class Policies:
    """One file a bucket. `project.json`, if it is there, holds for all buckets."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._lock = folder, threading.Lock()

    def bindings(self, bucket: str) -> list[Binding]:
        """All that hold for a bucket; those of the project for an empty name."""
        found = parse(self._read(self._folder / f"{_PROJECT}.json"))
        return found + parse(self._read(self._file(bucket))) if bucket else found

    def get(self, bucket: str) -> dict[str, Any]:
        """A bucket's policy as the API has it."""
        stored = self._read(self._file(bucket))
        text = json.dumps(stored, sort_keys=True)
        return {
            "kind": "storage#policy",
            "resourceId": f"projects/_/buckets/{bucket}",
            "version": 3 if any("condition" in each for each in stored["bindings"]) else 1,
            "etag": hashlib.sha256(text.encode()).hexdigest()[:16],
            "bindings": stored["bindings"],
        }

    def set(self, bucket: str, policy: dict[str, Any]) -> dict[str, Any]:
        """Replace a bucket's policy. Raises PolicyError and ConflictError."""
        bindings = [
            {key: each[key] for key in ("role", "members", "condition") if each.get(key)}
            for each in policy.get("bindings", [])
            if each.get("members")
        ]
        parse({"bindings": bindings})
        with self._lock:
            if policy.get("etag") not in (None, self.get(bucket)["etag"]):
                raise ConflictError(f"the policy of bucket {bucket} was changed meanwhile")
            write_atomically(self._file(bucket), json.dumps({"bindings": bindings}))
            return self.get(bucket)

    def forget(self, bucket: str) -> None:
        """A bucket was deleted."""
        self._file(bucket).unlink(missing_ok=True)

    def _file(self, bucket: str) -> Path:
        return self._folder / "buckets" / f"{bucket}.json"

    def _read(self, path: Path) -> dict[str, Any]:
        try:
            found: dict[str, Any] = json.loads(path.read_text())
        except FileNotFoundError:
            return {"bindings": []}
        return found
