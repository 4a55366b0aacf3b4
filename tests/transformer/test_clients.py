"""The HTTP clients that people have get the right answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.transformer.clients import CLIENTS, REQUESTS
from tests.transformer.pictures import b64, encoded, noise
from tests.transformer.server import instances

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.transformer.server import Transformer

# The first one comes in one segment with its headers, the second one doesn't.
SIDES = (32, 300)


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("ask", CLIENTS.values(), ids=CLIENTS)
def test_clients(
    over_http: Transformer, tmp_path: Path, ask: Callable[[str, Path], list[Any]], side: int
) -> None:
    body = instances([b64(encoded(noise("RGB", side, side), "PNG"))])
    file = tmp_path / "body.json"
    file.write_bytes(body)
    status, expected = over_http.predict(body)
    assert status == 200
    answers = ask(f"{over_http.url}/v1/models/digits:predict", file)
    for answer in answers:
        (found,) = answer["predictions"]
        assert found["label"] == expected["predictions"][0]["label"]
        assert found["scores"] == pytest.approx(expected["predictions"][0]["scores"], abs=1e-4)
    assert len(answers) == REQUESTS
