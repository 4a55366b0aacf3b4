"""The HTTP clients that people have, with their defaults: three requests on a kept connection."""

from __future__ import annotations

import asyncio
import functools
import json
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
import requests

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["CLIENTS", "REQUESTS"]

REQUESTS = 3
_FOLDER = Path(__file__).parent
# A compiler on a busy machine takes its time.
_SECONDS = 120


def _program(*line: str) -> Callable[[str, Path], list[Any]]:
    return functools.partial(_run, line)


def _run(line: tuple[str, ...], url: str, file: Path) -> list[Any]:
    if not shutil.which(line[0]):
        pytest.skip(f"{line[0]} is not installed")
    words = [word.format(folder=_FOLDER, url=url, file=file) for word in line]
    done = subprocess.run(words, capture_output=True, text=True, timeout=_SECONDS)
    assert done.returncode == 0, done.stderr
    return [json.loads(each) for each in done.stdout.splitlines()]


def _requests(url: str, file: Path) -> list[Any]:
    with requests.Session() as session:
        document = json.loads(file.read_bytes())
        found = [session.post(url, json=document, timeout=_SECONDS) for _ in range(REQUESTS)]
    return [each.json() for each in found]


def _aiohttp(url: str, file: Path) -> list[Any]:
    async def ask() -> list[Any]:
        async with aiohttp.ClientSession() as session:
            return [
                await (await session.post(url, data=file.read_bytes())).json()
                for _ in range(REQUESTS)
            ]

    return asyncio.run(ask())


_CURL = ("-sS", "-w", "\\n", "--data-binary", "@{file}", *["{url}"] * REQUESTS)
CLIENTS = {
    "Java's HttpClient": _program("java", "{folder}/Client.java", "{url}", "{file}"),
    "Java's HttpClient, chunked": _program(
        "java", "{folder}/Client.java", "{url}", "{file}", "chunked"
    ),
    "Go's net/http": _program("go", "run", "{folder}/client.go", "{url}", "{file}"),
    "Node's fetch": _program("node", "{folder}/client.mjs", "{url}", "{file}"),
    "curl": _program("curl", *_CURL),
    "curl --http2": _program("curl", "--http2", *_CURL),
    "Python's requests": _requests,
    "Python's aiohttp": _aiohttp,
}
"""Called with a URL and the file of a body, they return the answers' JSON."""
