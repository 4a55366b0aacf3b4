"""Plugins and what they speak to."""

from __future__ import annotations

import os
import subprocess
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

import pytest

from tests.local.plugins.api_server import ApiServer, NoProgramError, api_server, program
from tests.local.plugins.names import fresh
from tests.local.plugins.ports import free_ports
from tests.local.plugins.protocol import OFFICIAL, Plugin, State

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a storage emulator of the session's own."""
    executable = _program("fake-gcs-server")
    root, port = tmp_path_factory.mktemp("gcs"), free_ports(1)[0]
    address = f"http://127.0.0.1:{port}"
    command = [executable, "-scheme", "http", "-host", "127.0.0.1", "-port", str(port)]
    command += ["-backend", "filesystem", "-filesystem-root", str(root)]
    command += ["-external-url", address, "-public-host", f"127.0.0.1:{port}"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        _wait(f"{address}/storage/v1/b?project=p")
        yield address
        process.terminate()


def _program(name: str) -> str:
    try:
        return program(name)
    except NoProgramError as error:
        pytest.skip(str(error))


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
    if OFFICIAL:
        pytest.skip("the official gcp plugin doesn't get on with the emulators")
    plugin = Plugin("gcp", {"STORAGE_EMULATOR_HOST": emulator})
    plugin.configure(project="local-project")
    yield plugin
    plugin.close()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """An API server of the session's own."""
    _program("kube-apiserver")
    with api_server(tmp_path_factory.mktemp("api-server")) as running:
        yield running


@pytest.fixture(scope="session")
def kubernetes(server: ApiServer) -> Iterator[Plugin]:
    """The kubernetes plugin, configured."""
    plugin = Plugin("kubernetes")
    plugin.configure(kubeconfig=server.kubeconfig())
    yield plugin
    plugin.close()


@pytest.fixture
def bucket(gcp: Plugin) -> State:
    """A bucket of the test's own."""
    inputs = {"name": fresh("bucket"), "location": "EU"}
    return gcp.deploy("gcp:storage/bucket:Bucket", "models", inputs).state


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
