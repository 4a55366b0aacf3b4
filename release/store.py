"""The artefact bucket: releases by digest, the same bytes for every environment.

`releases/NAME/DIGEST/{model.pt,warmup/INPUT,release.json}`. release.json is written last and read
first: a release is there whole or not at all. Nothing is ever overwritten.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from google.api_core.exceptions import GoogleAPIError, NotFound, PreconditionFailed
from google.auth.exceptions import GoogleAuthError
from google.cloud import storage

from release.files import RELEASE_JSON, RELEASES, check, expected, located, replace
from release.schema import Release, ReleaseError, digest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_URL = re.compile(r"gs://(?P<bucket>[a-z0-9][a-z0-9._-]{1,220}[a-z0-9])(/(?P<prefix>[\w./-]+?))?/?")


@dataclass(frozen=True)
class Place:
    """A bucket, and a prefix inside it that ends in `/` or is empty."""

    bucket: str
    prefix: str

    @classmethod
    def parse(cls, url: str) -> Place:
        """Of `gs://BUCKET[/PREFIX]`; raises ReleaseError."""
        match = _URL.fullmatch(url)
        if not match:
            raise ReleaseError(f"found {url!r}; allowed: gs://BUCKET or gs://BUCKET/PREFIX")
        prefix = match["prefix"]
        return cls(match["bucket"], f"{prefix}/" if prefix else "")

    def of(self, name: str, release: str) -> str:
        """A release's folder in the bucket."""
        return f"{self.prefix}{RELEASES}/{name}/{release}/"


def bucket(name: str) -> Any:
    """Google's client, by the environment's own identity; follows STORAGE_EMULATOR_HOST."""
    try:
        found = storage.Client().bucket(name)
        if not found.exists():
            raise ReleaseError(f"bucket gs://{name}: not there, or not for this identity to see")
    except (GoogleAPIError, GoogleAuthError, OSError) as error:
        raise ReleaseError(
            f"bucket gs://{name} can't be reached: {error}; "
            "sign in: gcloud auth application-default login"
        ) from error
    return found


def push(folder: Path, wanted: str, url: str, say: Callable[[str], None]) -> str:
    """Upload a release, checked before and after; gives its address. Raises ReleaseError."""
    release = check(folder, wanted)
    place = Place.parse(url)
    there, path = bucket(place.bucket), place.of(release.name, wanted)
    for name in (*expected(release), RELEASE_JSON):
        _upload(there.blob(path + name), folder / name, say)
    return f"gs://{place.bucket}/{path}"


def _upload(blob: Any, file: Path, say: Callable[[str], None]) -> None:
    """Once: what is there already must be the same."""
    say(f"{file.name}: {file.stat().st_size:,} bytes")
    try:
        # The service compares the checksum before it keeps anything.
        blob.upload_from_filename(str(file), if_generation_match=0, checksum="crc32c")
    except PreconditionFailed:
        if blob.download_as_bytes(checksum="crc32c") != file.read_bytes():
            raise ReleaseError(
                f"gs://{blob.bucket.name}/{blob.name} has another content; nothing is overwritten: "
                "find out who wrote it, and remove it"
            ) from None


def pull(name: str, wanted: str, url: str, out: Path, say: Callable[[str], None]) -> Path:
    """Download a release unless it is here, checked to the last byte; raises ReleaseError."""
    here = located(out, name, wanted)
    if here is not None:
        check(here, wanted)
        return here
    place = Place.parse(url)
    there, path = bucket(place.bucket), place.of(name, wanted)
    text = _download(there, path + RELEASE_JSON)
    if digest(text) != wanted:
        raise ReleaseError(f"gs://{place.bucket}/{path} holds release {digest(text)[:16]}")
    folder = out / RELEASES / name / wanted
    for file, vouched in expected(Release.from_json(text)).items():
        content = _download(there, path + file)
        if digest(content) != vouched:
            raise ReleaseError(
                f"gs://{place.bucket}/{path}{file} has SHA-256 {digest(content)[:16]}, its release "
                f"says {vouched[:16]}: it was changed in the bucket; nothing was kept"
            )
        say(f"{file}: {len(content):,} bytes")
        replace(folder / file, content)
    replace(folder / RELEASE_JSON, text)
    return folder


def _download(there: Any, path: str) -> bytes:
    try:
        content: bytes = there.blob(path).download_as_bytes(checksum="crc32c")
    except NotFound:
        raise ReleaseError(
            f"gs://{there.name}/{path} is not there; push it from where it was built: "
            "python -m model push NAME --to URL"
        ) from None
    return content
