"""A storage emulator for tests, and the programs that tests need."""

from __future__ import annotations

import contextlib
import subprocess
import threading
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from local.errors import LocalError
from local.ports import free_port
from local.storage.policies import Policies
from local.storage.server import StorageServer
from local.toolchain import tool

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


def require(name: str) -> str:
    """The path of a built program; without it the test is skipped."""
    try:
        return str(tool(name))
    except LocalError as error:
        pytest.skip(str(error))


@dataclass(frozen=True)
class Storage:
    """A storage emulator with the server that enforces IAM in front of it."""

    address: str
    emulator: str
    """The emulator's own address, which lets everybody do everything."""
    policies: Policies


@contextlib.contextmanager
def storage_with_iam(root: Path, members: Mapping[str, str]) -> Iterator[Storage]:
    """Run both with their files under `root`; `members` are the callers by their tokens."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    with storage_emulator(root / "gcs", address) as emulator:
        policies = Policies(root / "iam")
        server = StorageServer(("127.0.0.1", port), emulator, policies, members.get)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield Storage(address, emulator, policies)
        finally:
            server.shutdown()
            server.server_close()


@contextlib.contextmanager
def storage_emulator(root: Path, clients_see: str = "") -> Iterator[str]:
    """Run one with its files under `root`. Its address, if its answers don't contain another."""
    executable, port = require("fake-gcs-server"), free_port()
    address = f"http://127.0.0.1:{port}"
    seen = clients_see or address
    command = [executable, "-scheme", "http", "-host", "127.0.0.1", "-port", str(port)]
    command += ["-backend", "filesystem", "-filesystem-root", str(root)]
    command += ["-external-url", seen, "-public-host", seen.removeprefix("http://")]
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
