"""The artefact bucket: releases by digest, the same bytes for every environment.

`releases/NAME/DIGEST/{model.pt,warmup/INPUT,release.json}`. release.json is written last and read
first, so that a release is there whole or not at all. Nothing is overwritten.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from google.api_core.exceptions import Forbidden, GoogleAPIError, NotFound, PreconditionFailed
from google.auth.exceptions import GoogleAuthError
from google.cloud import storage
from google.oauth2.credentials import Credentials

from release import files
from release.files import RELEASE_JSON, RELEASES
from release.schema import Release, ReleaseError, digest, short

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# That of Pulumi's gcp plugin, so both are the same caller. Google's library doesn't read it.
_TOKEN = "GOOGLE_OAUTH_ACCESS_TOKEN"
_SIGN_IN = "sign in: gcloud auth application-default login"
_URL = re.compile(r"gs://(?P<bucket>[a-z0-9][a-z0-9._-]{1,220}[a-z0-9])(/(?P<prefix>[\w./-]+?))?/?")


@dataclass(frozen=True)
class Location:
    """A bucket, and a prefix inside it that ends in `/` or is empty."""

    bucket: str
    prefix: str

    @classmethod
    def parse(cls, url: str) -> Location:
        """Parse `gs://BUCKET[/PREFIX]`; raises ReleaseError."""
        match = _URL.fullmatch(url)
        if not match:
            raise ReleaseError(f"found {url!r}; allowed: gs://BUCKET or gs://BUCKET/PREFIX")
        prefix = match["prefix"]
        return cls(match["bucket"], f"{prefix}/" if prefix else "")

    def folder(self, name: str, release: str) -> str:
        """The folder of a release in the bucket."""
        return f"{self.prefix}{RELEASES}/{name}/{release}/"


def open_bucket(name: str) -> Any:
    """Google's client, with the environment's identity; follows STORAGE_EMULATOR_HOST."""
    token = os.environ.get(_TOKEN)
    try:
        # No request here needs a project.
        client = storage.Client(project=None, credentials=Credentials(token) if token else None)
        bucket = client.bucket(name)
        # Who may read releases may list them, but not ask whether the bucket exists.
        next(iter(bucket.list_blobs(max_results=1)), None)
    except NotFound as error:
        raise ReleaseError(f"bucket gs://{name}: not there") from error
    except Forbidden as error:
        raise ReleaseError(
            f"bucket gs://{name}: {error}; it takes storage.objects.list, which "
            "roles/storage.objectViewer on the bucket has"
        ) from error
    except (GoogleAPIError, GoogleAuthError, OSError) as error:
        remedy = f"renew or unset {_TOKEN}" if token else _SIGN_IN
        raise ReleaseError(f"bucket gs://{name} can't be reached: {error}; {remedy}") from error
    return bucket


def push(folder: Path, wanted: str, url: str, report: Callable[[str], None]) -> str:
    """Upload a release, checked before and after; returns its URL. Raises ReleaseError."""
    release = files.check(folder, wanted)
    location = Location.parse(url)
    bucket, path = open_bucket(location.bucket), location.folder(release.name, wanted)
    for name in (*release.files, RELEASE_JSON):
        _upload(bucket.blob(path + name), folder / name, report)
    return f"gs://{location.bucket}/{path}"


def _upload(blob: Any, file: Path, report: Callable[[str], None]) -> None:
    """Upload a file unless it is there. Raises ReleaseError if it is refused, or another is there.

    To who may only add, Google may refuse an object that is there for the permission that replacing
    it needs, before it looks at the precondition.
    """
    report(f"{file.name}: {file.stat().st_size:,} bytes")
    try:
        # The service compares the checksum before it keeps anything.
        blob.upload_from_filename(str(file), if_generation_match=0, checksum="crc32c")
    except (Forbidden, PreconditionFailed) as error:
        if not blob.exists():
            raise ReleaseError(f"gs://{blob.bucket.name}/{blob.name}: {error}") from error
        if blob.download_as_bytes(checksum="crc32c") != file.read_bytes():
            raise ReleaseError(
                f"gs://{blob.bucket.name}/{blob.name} has another content; nothing is overwritten: "
                "find out who wrote it, and remove it"
            ) from None


def pull(name: str, wanted: str, url: str, out: Path, report: Callable[[str], None]) -> Path:
    """Download a release unless it is here; every digest is checked. Raises ReleaseError."""
    here = files.find(out, name, wanted)
    if here is not None:
        files.check(here, wanted)
        return here
    location = Location.parse(url)
    bucket, path = open_bucket(location.bucket), location.folder(name, wanted)
    text = _download(bucket, path + RELEASE_JSON, wanted)
    folder = out / RELEASES / name / wanted
    for file, sha256 in Release.from_json(text).files.items():
        content = _download(bucket, path + file, sha256)
        report(f"{file}: {len(content):,} bytes")
        files.write(folder / file, content)
    files.write(folder / RELEASE_JSON, text)
    return folder


def _download(bucket: Any, path: str, sha256: str) -> bytes:
    url = f"gs://{bucket.name}/{path}"
    try:
        content: bytes = bucket.blob(path).download_as_bytes(checksum="crc32c")
    except NotFound:
        raise ReleaseError(
            f"{url} is not there; push it from where it was built: "
            "python -m model push NAME --to URL"
        ) from None
    if digest(content) != sha256:
        raise ReleaseError(
            f"{url} has SHA-256 {short(digest(content))}, wanted {short(sha256)}: "
            "it was changed in the bucket; nothing was kept"
        )
    return content
