"""Official releases of programs.

Each is fetched from its project's releases and checked against the checksums published with it. If
that fails, `local.building` builds the program.
"""

from __future__ import annotations

import hashlib
import io
import tarfile
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3

if TYPE_CHECKING:
    from local.catalogue import Release

__all__ = ["UnavailableError", "fetch"]

_CONNECT_SECONDS, _READ_SECONDS = 3.0, 60.0


class UnavailableError(Exception):
    """A release can't be fetched; the message has the reason."""


def fetch(release: Release, version: str, target: Path) -> None:
    """Make `target`, a folder with the files of a release. Raises UnavailableError."""
    url = release.filled(release.url, version)
    name = url.rpartition("/")[2]
    wanted = _published(_get(release.filled(release.checksums, version)).decode(), name)
    if wanted is None:
        raise UnavailableError(f"the release's checksums don't contain {name}")
    data = _get(url)
    found = hashlib.sha256(data).hexdigest()
    if found != wanted:
        raise UnavailableError(f"{name}: SHA-256 {found}, published {wanted}")
    _unpack(data, name, target)


def _published(checksums: str, name: str) -> str | None:
    """The digest of a file: the single one, or the one on the line with the file's name."""
    lines = [line.split() for line in checksums.splitlines() if line.strip()]
    if len(lines) == 1 and len(lines[0]) == 1:
        return lines[0][0]
    digests = {line[1].removeprefix("*").removeprefix("./"): line[0] for line in lines if line[1:]}
    return digests.get(name)


def _get(url: str) -> bytes:
    timeout = urllib3.Timeout(connect=_CONNECT_SECONDS, read=_READ_SECONDS)
    retries = urllib3.Retry(0, redirect=5)
    try:
        answer = _pool(url).request("GET", url, timeout=timeout, retries=retries)
    except urllib3.exceptions.HTTPError as error:
        raise UnavailableError(f"{url}: {type(error).__name__}") from error
    if answer.status != 200:
        raise UnavailableError(f"{url}: HTTP status {answer.status}")
    return answer.data


def _pool(url: str) -> urllib3.PoolManager:
    """Connections to a URL, through the environment's proxy where it names one for it."""
    parts = urlsplit(url)
    proxy = getproxies().get(parts.scheme)
    if proxy and not proxy_bypass(parts.netloc):
        user = urllib3.util.parse_url(proxy).auth
        headers = urllib3.make_headers(proxy_basic_auth=unquote(user)) if user else None
        return urllib3.ProxyManager(proxy, proxy_headers=headers)
    return urllib3.PoolManager()


def _unpack(data: bytes, name: str, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".fetching-", dir=target.parent) as scratch:
        whole = Path(scratch, "whole")
        whole.mkdir()
        try:
            if name.endswith(".tar.gz"):
                with tarfile.open(fileobj=io.BytesIO(data)) as archive:
                    archive.extractall(whole, filter="data")
            else:
                (whole / name).write_bytes(data)
                (whole / name).chmod(0o755)
            whole.rename(target)
        except (tarfile.TarError, OSError) as error:
            raise UnavailableError(f"{name} can't be unpacked: {error}") from error
