"""Requests at a fixed rate while something else happens."""

from __future__ import annotations

import base64
import contextlib
import json
import signal
import subprocess
import tempfile
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from local.toolchain import tool
from tests.local.stack.conftest import release
from tests.local.stack.programs import in_its_network

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.local.stack.conftest import Stack

__all__ = ["Load", "load"]

# An answer that takes longer belongs to what goes wrong.
_SLOW_SECONDS = 0.5


@dataclass
class Load:
    """All requests, in the order in which they were sent; empty until the load has ended."""

    hits: list[dict[str, Any]] = field(default_factory=list)
    """vegeta's own records: `timestamp`, `latency` in nanoseconds, `code`, `error`, `body`."""

    @property
    def lost(self) -> list[str]:
        """What clients saw of the requests without a good answer."""
        return [
            f"{hit['code']} {hit['error']} {base64.b64decode(hit['body'] or '').decode()}"
            for hit in self.hits
            if hit["code"] != 200
        ]

    @property
    def slowest(self) -> float:
        """Seconds that the slowest answer took."""
        return max((hit["latency"] for hit in self.hits), default=0) / 1e9

    @property
    def healed(self) -> float:
        """Seconds from the first request that was lost or slow to the end of the last one."""
        bad = [
            (_sent(hit), _sent(hit) + hit["latency"] / 1e9)
            for hit in self.hits
            if hit["code"] != 200 or hit["latency"] > _SLOW_SECONDS * 1e9
        ]
        return max(end for _, end in bad) - bad[0][0] if bad else 0.0

    def answers(self) -> list[dict[str, Any]]:
        """The answers' JSON."""
        return [json.loads(base64.b64decode(hit["body"])) for hit in self.hits]


def _sent(hit: dict[str, Any]) -> float:
    return datetime.fromisoformat(hit["timestamp"]).timestamp()


@contextlib.contextmanager
def load(
    stack: Stack,
    rate: int = 60,
    service: str = "digits-transformer",
    model: str = "digits",
    *,
    pod: int | None = None,
) -> Iterator[Load]:
    """Send a sample `rate` times a second until the block ends; then its figures are there.

    `pod` is a process of a pod from which connections go straight to the Service, in mode Standard.
    """
    picture = {"image_bytes": {"b64": release(model)["samples"][0]["image"]}}
    body = json.dumps({"instances": [picture]}).encode()
    url, host = stack.target(service, model)
    if pod:
        found = stack.cluster.api.get(f"/api/v1/namespaces/{stack.namespace}/services/{service}")
        host = found["spec"]["clusterIP"]
        url = f"http://{host}/v1/models/{model}:predict"
    target = {
        "method": "POST",
        "url": url,
        "header": {"Host": [host], "Content-Type": ["application/json"]},
        "body": base64.b64encode(body).decode(),
    }
    program, made = str(tool("vegeta")), Load()
    with tempfile.TemporaryDirectory() as folder:
        targets, recording = Path(folder, "targets"), Path(folder, "hits")
        targets.write_text(json.dumps(target) + "\n")
        options = [f"-targets={targets}", f"-output={recording}", f"-rate={rate}", "-timeout=60s"]
        before = in_its_network(pod) if pod else []
        words = [*before, program, "attack", "-format=json", "-duration=0", *options]
        attack = subprocess.Popen(words)
        try:
            yield made
        finally:
            attack.send_signal(signal.SIGINT)
            attack.wait(90)
        encode = [program, "encode", "-to=json", str(recording)]
        done = subprocess.run(encode, capture_output=True, text=True, check=True)
        hits = [json.loads(line) for line in done.stdout.splitlines()]
        # They are written as they are answered.
        made.hits = sorted(hits, key=lambda hit: hit["seq"])
