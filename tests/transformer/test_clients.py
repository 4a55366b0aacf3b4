"""The HTTP clients that people have, with their defaults: three requests on a kept connection."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
import requests

from tests.transformer.pictures import b64, encoded, noise
from tests.transformer.server import instances

if TYPE_CHECKING:
    from tests.transformer.server import Transformer

CLIENTS = Path(__file__).parent / "clients"
REQUESTS = 3
# A compiler on a busy machine takes its time.
SECONDS = 120
PROGRAMS = {
    "Java's HttpClient": ["java", f"{CLIENTS}/Client.java", "{url}", "{file}"],
    "Java's HttpClient, chunked": ["java", f"{CLIENTS}/Client.java", "{url}", "{file}", "chunked"],
    "Go's net/http": ["go", "run", f"{CLIENTS}/client.go", "{url}", "{file}"],
    "Node's fetch": ["node", f"{CLIENTS}/client.mjs", "{url}", "{file}"],
    "curl": ["curl", "-sS", "-w", "\\n", "--data-binary", "@{file}", *["{url}"] * REQUESTS],
    "curl --http2": [
        *("curl", "--http2", "-sS", "-w", "\\n", "--data-binary", "@{file}"),
        *["{url}"] * REQUESTS,
    ],
}
# The first one comes in one segment with its headers, the second one doesn't.
SIDES = (32, 300)


@pytest.fixture(params=SIDES)
def body(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    picture = encoded(noise("RGB", request.param, request.param), "PNG")
    file = tmp_path / "body.json"
    file.write_bytes(instances([b64(picture)]))
    return file


def check(transformer: Transformer, body: Path, answers: list[Any]) -> None:
    status, expected = transformer.predict(body.read_bytes())
    assert status == 200
    for answer in answers:
        (found,) = answer["predictions"]
        assert found["label"] == expected["predictions"][0]["label"]
        assert found["scores"] == pytest.approx(expected["predictions"][0]["scores"], abs=1e-4)
    assert len(answers) == REQUESTS


@pytest.mark.parametrize("line", PROGRAMS.values(), ids=PROGRAMS)
def test_programs(over_http: Transformer, body: Path, line: list[str]) -> None:
    if not shutil.which(line[0]):
        pytest.skip(f"{line[0]} is not installed")
    url = f"{over_http.url}/v1/models/digits:predict"
    words = [word.format(url=url, file=body) for word in line]
    done = subprocess.run(words, capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0, done.stderr
    check(over_http, body, [json.loads(each) for each in done.stdout.splitlines()])


def test_requests(over_http: Transformer, body: Path) -> None:
    url = f"{over_http.url}/v1/models/digits:predict"
    with requests.Session() as session:
        document = json.loads(body.read_bytes())
        found = [session.post(url, json=document, timeout=SECONDS) for _ in range(REQUESTS)]
    check(over_http, body, [each.json() for each in found])


def test_aiohttp(over_http: Transformer, body: Path) -> None:
    async def ask() -> list[Any]:
        async with aiohttp.ClientSession(over_http.url) as session:
            return [
                await (
                    await session.post("/v1/models/digits:predict", data=body.read_bytes())
                ).json()
                for _ in range(REQUESTS)
            ]

    check(over_http, body, asyncio.run(ask()))
