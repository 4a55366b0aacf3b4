"""Fetching official releases, from a server of the test."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import tarfile
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from local import building, proxies, toolchain
from local.catalogue import TOOLS, Release, Tool
from local.official import UnavailableError, fetch

if TYPE_CHECKING:
    from collections.abc import Iterator

_OFFICIAL = [each for each in TOOLS if toolchain.official(each)]
_PUBLISHERS = [each for each in _OFFICIAL if toolchain.published(each) is each]


class _Handler(SimpleHTTPRequestHandler):
    """Serves files; as a proxy it is asked for whole URLs, and serves their paths.

    The proxy's user is `me`, the password `a@b`.
    """

    def do_GET(self) -> None:
        if "://" in self.path and self.headers["Proxy-Authorization"] != "Basic bWU6YUBi":
            self.send_error(407)
        else:
            super().do_GET()

    def translate_path(self, path: str) -> str:
        return super().translate_path(urlsplit(path).path)


@dataclasses.dataclass(frozen=True)
class Server:
    """A web server with releases at their real paths."""

    address: str
    folder: Path

    def of(self, tool: Tool) -> Release:
        """The program's release, moved to this server."""
        assert tool.release is not None
        return dataclasses.replace(
            tool.release,
            url=self._moved(tool.release.url),
            checksums=self._moved(tool.release.checksums),
        )

    def _moved(self, url: str) -> str:
        return f"{self.address}{urlsplit(url).path}"

    def publish(self, tool: Tool, digest: str | None = None) -> None:
        """Publish a release whose programs are scripts that print their names."""
        release, version = self.of(tool), toolchain.version_of(tool)
        url, checksums = (
            release.filled(each, version) for each in (release.url, release.checksums)
        )
        names = [each.name for each in TOOLS if toolchain.published(each) is tool]
        data = _script(tool.name)
        if url.endswith(".tar.gz"):
            data = _archive(names, release.filled(release.folder, version))
        self._write(url, data)
        digest = digest or hashlib.sha256(data).hexdigest()
        lines = f"{digest}  {url.rpartition('/')[2]}\n{'0' * 64}  another.tar.gz\n"
        alone = checksums.endswith(".sha256")
        self._write(checksums, (digest if alone else lines).encode())

    def _write(self, url: str, data: bytes) -> None:
        path = Path(f"{self.folder}{urlsplit(url).path}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def _script(name: str) -> bytes:
    return f"#!/bin/sh\necho {name}\n".encode()


def _archive(names: list[str], folder: str) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as archive:
        for name in names:
            member = tarfile.TarInfo(f"{folder}/{name}")
            member.mode, member.size = 0o755, len(_script(name))
            archive.addfile(member, io.BytesIO(_script(name)))
    return made.getvalue()


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """Nothing is on PATH or in the cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", "/nowhere")
    toolchain.tool.cache_clear()
    folder = tmp_path / "releases"
    folder.mkdir()
    handler = partial(_Handler, directory=str(folder))
    running = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    yield Server(f"http://127.0.0.1:{running.server_address[1]}", folder)
    running.shutdown()
    running.server_close()
    toolchain.tool.cache_clear()


def test_the_large_programs_have_official_releases() -> None:
    assert {each.name for each in _OFFICIAL} == {
        "etcd",
        "kube-apiserver",
        "kube-controller-manager",
        "kube-scheduler",
        "pulumi",
        "pulumi-language-python",
        "pulumi-resource-kubernetes",
    }


@pytest.mark.parametrize("tool", _OFFICIAL, ids=lambda each: each.name)
def test_is_found_at_its_path_in_the_release(server: Server, tool: Tool) -> None:
    owner = toolchain.published(tool)
    server.publish(owner)
    fetch(server.of(owner), toolchain.version_of(owner), toolchain.official_folder(owner))
    found = toolchain.tool(tool.name)
    assert found.read_bytes() == _script(tool.name)
    assert found.stat().st_mode & 0o111


def test_nothing_is_built_if_everything_is_published(
    server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for each in _PUBLISHERS:
        server.publish(each)
    moved = [
        dataclasses.replace(each, release=server.of(each)) if each.release else each
        for each in _OFFICIAL
    ]
    monkeypatch.setattr(toolchain, "TOOLS", tuple(moved))
    building.build_missing(tuple(moved))
    assert "building" not in capsys.readouterr().out
    assert not building.missing(tuple(moved))


@pytest.mark.parametrize("tool", _PUBLISHERS, ids=lambda each: each.name)
def test_a_wrong_digest_leaves_nothing(server: Server, tool: Tool) -> None:
    server.publish(tool, "f" * 64)
    target = toolchain.official_folder(tool)
    with pytest.raises(UnavailableError, match="SHA-256"):
        fetch(server.of(tool), toolchain.version_of(tool), target)
    assert not target.exists()


def test_reports_a_missing_release(server: Server, tmp_path: Path) -> None:
    tool = _PUBLISHERS[0]
    with pytest.raises(UnavailableError, match="HTTP status 404"):
        fetch(server.of(tool), toolchain.version_of(tool), tmp_path / "made")


def test_reports_an_unreachable_server(tmp_path: Path) -> None:
    release = Release("http://127.0.0.1:9/a.tar.gz", "http://127.0.0.1:9/sums")
    with pytest.raises(UnavailableError, match="Error"):
        fetch(release, "v1.2.3", tmp_path / "made")


def test_fetches_through_the_proxy_of_the_environment(
    server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The server is the proxy."""
    tool = next(each for each in _PUBLISHERS if each.name == "kube-scheduler")
    server.publish(tool)
    monkeypatch.setenv("http_proxy", server.address.replace("//", "//me:a%40b@"))
    assert tool.release is not None
    outside = dataclasses.replace(
        tool.release,
        url=f"http://releases.invalid{urlsplit(tool.release.url).path}",
        checksums=f"http://releases.invalid{urlsplit(tool.release.checksums).path}",
    )
    fetch(outside, toolchain.version_of(tool), tmp_path / "made")
    assert (tmp_path / "made" / tool.name).read_bytes() == _script(tool.name)


def test_loopback_is_not_asked_through_a_proxy(
    server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in proxies.exceptions({}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    tool = _PUBLISHERS[0]
    server.publish(tool)
    fetch(server.of(tool), toolchain.version_of(tool), tmp_path / "made")
