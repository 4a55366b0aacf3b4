"""A storage emulator for tests, and the programs that tests need."""

from __future__ import annotations

import contextlib
import subprocess
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

import pytest

from local.errors import LocalError
from local.ports import free_port
from local.toolchain import tool

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def require(name: str) -> str:
    """The path of a built program; without it the test is skipped."""
    try:
        return str(tool(name))
    except LocalError as error:
        pytest.skip(str(error))


@contextlib.contextmanager
def storage_emulator(root: Path) -> Iterator[str]:
    """Run one with its files under `root`. Its address."""
    executable, port = require("fake-gcs-server"), free_port()
    address = f"http://127.0.0.1:{port}"
    command = [executable, "-scheme", "http", "-host", "127.0.0.1", "-port", str(port)]
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
