"""The official Pulumi CLI with its language hosts, where the network allows.

It is fetched from the project's releases and checked against the checksums published with it.
Where that fails, for whatever reason, the CLI is built from its module (`local.building`).
"""

from __future__ import annotations

import hashlib
import io
import platform
import tarfile
import tempfile
from pathlib import Path

import urllib3

__all__ = ["RELEASES", "UnavailableError", "fetch"]

RELEASES = "https://github.com/pulumi/pulumi/releases/download"
_MACHINES = {"x86_64": "x64", "aarch64": "arm64"}
_CONNECT_SECONDS, _READ_SECONDS = 3.0, 60.0


class UnavailableError(Exception):
    """It can't be had here; the message says why."""


def fetch(version: str, target: Path, releases: str = RELEASES) -> None:
    """Make `target`, a folder with `pulumi` and its language hosts. Raises UnavailableError.

    `version` is the release's, such as v3.259.0.
    """
    archive = (
        f"pulumi-{version}-linux-{_MACHINES.get(platform.machine(), platform.machine())}.tar.gz"
    )
    checksums = _get(f"{releases}/{version}/pulumi-{version.removeprefix('v')}-checksums.txt")
    wanted = {
        name: digest
        for digest, name in (line.split() for line in checksums.decode().splitlines() if line)
    }.get(archive)
    if wanted is None:
        raise UnavailableError(f"its checksums don't name {archive}")
    data = _get(f"{releases}/{version}/{archive}")
    found = hashlib.sha256(data).hexdigest()
    if found != wanted:
        raise UnavailableError(f"{archive}: SHA-256 {found}, published {wanted}")
    _unpack(data, target)


def _get(url: str) -> bytes:
    timeout = urllib3.Timeout(connect=_CONNECT_SECONDS, read=_READ_SECONDS)
    try:
        answer = urllib3.request("GET", url, timeout=timeout, retries=urllib3.Retry(0, redirect=5))
    except urllib3.exceptions.HTTPError as error:
        raise UnavailableError(f"{url}: {type(error).__name__}") from error
    if answer.status != 200:
        raise UnavailableError(f"{url}: HTTP status {answer.status}")
    return answer.data


def _unpack(data: bytes, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".building-", dir=target.parent) as scratch:
        try:
            with tarfile.open(fileobj=io.BytesIO(data)) as archive:
                archive.extractall(scratch, filter="data")
            Path(scratch, "pulumi").rename(target)
        except (tarfile.TarError, OSError) as error:
            raise UnavailableError(f"its archive can't be unpacked: {error}") from error
