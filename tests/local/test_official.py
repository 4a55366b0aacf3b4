"""The official CLI is taken only whole and as published; its place is a server of the test's."""

from __future__ import annotations

import hashlib
import io
import platform
import tarfile
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from local.official import UnavailableError, fetch

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_VERSION = "v3.259.0"
_MACHINE = {"x86_64": "x64", "aarch64": "arm64"}[platform.machine()]
_ARCHIVE = f"pulumi-{_VERSION}-linux-{_MACHINE}.tar.gz"


@pytest.fixture
def releases(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """An address, and the folder behind it."""
    folder = tmp_path / "releases"
    (folder / _VERSION).mkdir(parents=True)
    handler = partial(SimpleHTTPRequestHandler, directory=str(folder))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}", folder / _VERSION
    server.shutdown()
    server.server_close()


def _publish(folder: Path, digest: str | None = None) -> None:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as archive:
        for name in ("pulumi", "pulumi-language-python"):
            member = tarfile.TarInfo(f"pulumi/{name}")
            member.mode, member.size = 0o755, 2
            archive.addfile(member, io.BytesIO(b"#!"))
    (folder / _ARCHIVE).write_bytes(made.getvalue())
    digest = digest or hashlib.sha256(made.getvalue()).hexdigest()
    lines = f"{digest}  {_ARCHIVE}\n{'0' * 64}  another.tar.gz\n"
    (folder / "pulumi-3.259.0-checksums.txt").write_text(lines)


def test_is_there_whole_and_executable(releases: tuple[str, Path], tmp_path: Path) -> None:
    _publish(releases[1])
    fetch(_VERSION, tmp_path / "cli", releases[0])
    assert sorted(each.name for each in (tmp_path / "cli").iterdir()) == [
        "pulumi",
        "pulumi-language-python",
    ]
    assert (tmp_path / "cli" / "pulumi").stat().st_mode & 0o111


def test_another_digest_than_published_leaves_nothing(
    releases: tuple[str, Path], tmp_path: Path
) -> None:
    _publish(releases[1], "f" * 64)
    with pytest.raises(UnavailableError, match="SHA-256"):
        fetch(_VERSION, tmp_path / "cli", releases[0])
    assert not (tmp_path / "cli").exists()


def test_says_what_it_did_not_find(releases: tuple[str, Path], tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match=r"checksums.txt: HTTP status 404"):
        fetch(_VERSION, tmp_path / "cli", releases[0])


def test_nobody_there_is_no_drama(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="Error"):
        fetch(_VERSION, tmp_path / "cli", "http://127.0.0.1:9")
