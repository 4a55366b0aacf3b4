"""The storage emulator, through `google-cloud-storage`."""

from __future__ import annotations

import contextlib
import os
from threading import Lock
from typing import TYPE_CHECKING, Any

from local.plugins.resource import PluginError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from local.plugins.wire import Asset

VARIABLE = "STORAGE_EMULATOR_HOST"
# As in the official plugin.
TOKEN_VARIABLE = "GOOGLE_OAUTH_ACCESS_TOKEN"
# Of two that read the same policy, the second to write it is refused, and tries again.
POLICY_ATTEMPTS = 20
# The official plugin's timeout for an object.
UPLOAD_SECONDS = 240.0
CALL_SECONDS = 30.0

Remote = dict[str, Any]


class Storage:
    """Buckets and objects as the JSON API describes them. Every method raises PluginError."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._connection: Any = None

    @property
    def _client(self) -> Any:
        # On demand: it is slow to import, and most previews don't need it.
        with self._lock:
            self._connection = self._connection or _connected()
            return self._connection

    def bindings(self, bucket: str) -> list[Remote] | None:
        """The bindings of a bucket's policy; None where there is no bucket."""
        with _failures(f"reading the IAM policy of bucket {bucket}"):
            if self._client.lookup_bucket(bucket, timeout=CALL_SECONDS) is None:
                return None
            return list(self._policy(bucket).bindings)

    def change_bindings(self, bucket: str, change: Callable[[list[Remote]], list[Remote]]) -> None:
        """Replace the bindings of a bucket's policy by what `change` makes of them."""
        from google.api_core.exceptions import PreconditionFailed  # noqa: PLC0415

        with _failures(f"changing the IAM policy of bucket {bucket}"):
            for left in reversed(range(POLICY_ATTEMPTS)):
                policy = self._policy(bucket)
                policy.bindings, policy.version = change(list(policy.bindings)), 3
                try:
                    self._client.bucket(bucket).set_iam_policy(policy, timeout=CALL_SECONDS)
                except PreconditionFailed:
                    if not left:
                        raise
                else:
                    return

    def _policy(self, bucket: str) -> Any:
        place = self._client.bucket(bucket)
        return place.get_iam_policy(requested_policy_version=3, timeout=CALL_SECONDS)

    def bucket(self, name: str) -> Remote | None:
        """A bucket, or None."""
        with _failures(f"reading bucket {name}"):
            found = self._client.lookup_bucket(name, timeout=CALL_SECONDS)
        return None if found is None else {"timeCreated": found.time_created.isoformat()}

    def create_bucket(self, name: str, storage_class: str) -> None:
        """Create a bucket. It must not exist."""
        with _failures(f"creating bucket {name}"):
            bucket = self._client.bucket(name)
            bucket.storage_class = storage_class
            bucket.create(timeout=CALL_SECONDS)

    def delete_bucket(self, name: str, force: bool) -> None:
        """Delete a bucket, with `force` its objects first."""
        with _failures(f"deleting bucket {name}"):
            if force:
                for blob in list(self._client.list_blobs(name, timeout=CALL_SECONDS)):
                    blob.delete(timeout=CALL_SECONDS)
            self._client.bucket(name).delete(timeout=CALL_SECONDS)

    def is_empty(self, name: str) -> bool:
        """Whether a bucket has no objects."""
        with _failures(f"listing bucket {name}"):
            return not list(self._client.list_blobs(name, max_results=1, timeout=CALL_SECONDS))

    def object(self, bucket: str, name: str) -> Remote | None:
        """An object, or None."""
        with _failures(f"reading gs://{bucket}/{name}"):
            blob = self._client.bucket(bucket).get_blob(name, timeout=CALL_SECONDS)
        return None if blob is None else _described(blob)

    def content(self, bucket: str, name: str) -> bytes:
        """The content of an object."""
        with _failures(f"downloading gs://{bucket}/{name}"):
            blob = self._client.bucket(bucket).blob(name)
            return bytes(blob.download_as_bytes(timeout=UPLOAD_SECONDS))

    def upload(
        self, bucket: str, name: str, content: Asset, settings: dict[str, Any], seconds: float
    ) -> Remote:
        """Upload an object, in chunks if it is large, and compare checksums."""
        with _failures(f"uploading gs://{bucket}/{name}"):
            blob = self._client.bucket(bucket).blob(name)
            for key, value in settings.items():
                setattr(blob, key, value)
            options = {"timeout": seconds or UPLOAD_SECONDS, "checksum": "crc32c"}
            if content.path:
                blob.upload_from_filename(content.path, blob.content_type, **options)
            else:
                blob.upload_from_string(content.read(), blob.content_type, **options)
            return _described(blob)

    def delete_object(self, bucket: str, name: str) -> None:
        """Delete an object. If it doesn't exist, that is no error."""
        with _failures(f"deleting gs://{bucket}/{name}"):
            self._client.bucket(bucket).delete_blobs(
                [name], on_error=lambda _: None, timeout=CALL_SECONDS
            )


def require_emulator() -> None:
    """Raise PluginError where this could reach the real Cloud Storage."""
    if not os.environ.get(VARIABLE):
        raise PluginError(
            f"this project's own gcp plugin uses the storage emulator only, and {VARIABLE} is not "
            "set; for the local stack run `make up`, or set up the shell with "
            '`eval "$(make -s env)"`; a cloud stack needs the official gcp plugin'
        )


def _connected() -> Any:
    from google.auth.credentials import AnonymousCredentials  # noqa: PLC0415
    from google.cloud import storage  # noqa: PLC0415
    from google.oauth2.credentials import Credentials  # noqa: PLC0415

    token = os.environ.get(TOKEN_VARIABLE)
    credentials = Credentials(token) if token else AnonymousCredentials()
    return storage.Client(project="local", credentials=credentials)


def _described(blob: Any) -> Remote:
    return {
        "contentType": blob.content_type,
        "metadata": dict(blob.metadata or {}),
        "md5hash": blob.md5_hash,
        "crc32c": blob.crc32c,
        "generation": blob.generation,
        "mediaLink": blob.media_link,
        "storageClass": blob.storage_class,
    }


@contextlib.contextmanager
def _failures(doing: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        # The library's own errors, those of requests below it, and of the file system.
        raise PluginError(f"{doing}: {error}") from error
