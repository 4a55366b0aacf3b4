"""The transformer as the Jobs ask it: V1 predictions of the release's images.

The server here answers as a transformer would that knows the samples by heart; the real one has
its own tests.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.jobs.server import Asked, Server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from release.schema import Release

PREDICT = "/v1/models/digits:predict"


class ByHeart:
    """Knows the samples' scores; `wrong` is what it adds to the first one of each."""

    def __init__(self, release: Release) -> None:
        self.release = release
        self.known = {sample.image: sample.outputs[0] for sample in release.samples}
        self.wrong = 0.0
        self.ready = True
        self.server = Server(self._answer)

    def _answer(self, asked: Asked) -> tuple[int, bytes]:
        if asked.path == "/v2/health/ready":
            return (200 if self.ready else 503), b"{}"
        if asked.path != PREDICT:
            return 404, b'{"error": "no such path"}'
        images = [item["image_bytes"]["b64"] for item in json.loads(asked.body)["instances"]]
        if not set(images) <= set(self.known):
            return 500, b'{"error": "never seen that"}'
        return 200, json.dumps({"predictions": [self._prediction(i) for i in images]}).encode()

    def _prediction(self, image: str) -> dict[str, Any]:
        first, *others = self.known[image]
        index = int(np.argmax(self.known[image]))
        label = self.release.labels[index]
        return {"index": index, "label": label, "scores": [first + self.wrong, *others]}


@pytest.fixture
def transformer(release: Release) -> Iterator[ByHeart]:
    made = ByHeart(release)
    with made.server:
        yield made


def test_collocated_placement_is_verified_by_the_transformer_alone(
    transformer: ByHeart, verify_job: dict[str, Any], run: Any
) -> None:
    job = verify_job | {"transformer_url": transformer.server.url}
    status, words = run("verify", job)
    assert status == 0, words
    assert "transformer ready, 10 samples answered" in words


def test_other_scores_fail(transformer: ByHeart, verify_job: dict[str, Any], run: Any) -> None:
    transformer.wrong = 1.0
    job = verify_job | {"transformer_url": transformer.server.url, "deadline_seconds": 1}
    status, words = run("verify", job)
    assert (status, "transformer, sample 0: scores are [" in words) == (1, True)


def test_transformer_that_is_not_ready_is_not_asked(
    transformer: ByHeart, verify_job: dict[str, Any], run: Any
) -> None:
    transformer.ready = False
    job = verify_job | {"transformer_url": transformer.server.url, "deadline_seconds": 1}
    status, words = run("verify", job)
    assert (status, "/v2/health/ready: status 503" in words) == (1, True)
    assert {asked.path for asked in transformer.server.asked} == {"/v2/health/ready"}


def test_load_sends_every_image_in_turn(
    transformer: ByHeart, load_job: dict[str, Any], run: Any
) -> None:
    job = load_job | {"url": transformer.server.url, "target": "transformer", "rate": 20}
    status, words = run("load", job | {"duration_seconds": 1})
    assert status == 0, words
    asked = transformer.server.asked
    assert len(asked) == 1 + 20
    assert len({item.body for item in asked}) == 10
    assert {item.headers["Content-Type"] for item in asked} == {"application/json"}


def test_objective_of_success_counts_every_other_status(
    transformer: ByHeart, load_job: dict[str, Any], run: Any
) -> None:
    first = transformer.release.samples[0].image
    transformer.known = {first: transformer.known[first]}  # It fails on every other image.
    job = load_job | {"url": transformer.server.url, "target": "transformer", "rate": 20}
    status, words = run("load", job | {"duration_seconds": 1})
    assert status == 1
    assert "success_ratio: found 0.1, wanted at least 0.999: MISSED" in words
    assert words.endswith("18 × 500 Internal Server Error")
