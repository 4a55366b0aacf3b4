"""Plugins and what they speak to."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

import pytest

from tests.local.plugins.protocol import Plugin

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a storage emulator of the session's own."""
    program = os.environ.get("FAKE_GCS_SERVER") or shutil.which("fake-gcs-server")
    if program is None:
        pytest.skip("fake-gcs-server is not there")
    root, port = tmp_path_factory.mktemp("gcs"), _free_port()
    address = f"http://127.0.0.1:{port}"
    command = [program, "-scheme", "http", "-host", "127.0.0.1", "-port", str(port)]
    command += ["-backend", "filesystem", "-filesystem-root", str(root)]
    command += ["-external-url", address, "-public-host", f"127.0.0.1:{port}"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        _wait(f"{address}/storage/v1/b?project=p")
        yield address
        process.terminate()


def _wait(url: str) -> None:
    deadline = time.monotonic() + 10
    while True:
        try:
            urllib.request.urlopen(url, timeout=1).close()
            return
        except (urllib.error.URLError, ConnectionError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


@pytest.fixture(scope="session")
def gcp(emulator: str) -> Iterator[Plugin]:
    """The gcp plugin, configured."""
    plugin = Plugin("gcp", {"STORAGE_EMULATOR_HOST": emulator})
    plugin.configure(project="local-project")
    yield plugin
    plugin.close()


@pytest.fixture
def big_file(tmp_path: Path) -> Iterator[Path]:
    """200 MB, as large as a model may be."""
    path = tmp_path / "model.pt"
    block = os.urandom(1 << 20)
    with path.open("wb") as file:
        for _ in range(200):
            file.write(block)
    yield path
    path.unlink()
