"""The transformer as the Jobs ask it: V1 predictions, and V2 tensors.

The server here knows the predictions by heart and passes tensors to the real Triton; the real
transformer has its own tests.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from jobs.http_client import request
from jobs.protocols import HEADER_LENGTH
from jobs.samples import exchanges
from release.schema import Exchange, File, Handler, Release, Sample, digest
from release.tensors import array
from tests.jobs.server import Asked, Server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from local.triton.server import Triton
    from tests.jobs.server import Answer


class ByHeart:
    """Answers instances with the predictions of a release's exchanges, others with 500.

    `change` is what it makes of a prediction.
    """

    def __init__(self, release: Release, triton: str) -> None:
        self.release, self.triton = release, triton
        self.known = {
            json.dumps(instance): prediction
            for each in exchanges(release)
            for instance, prediction in zip(each.instances, each.predictions, strict=True)
        }
        self.change: Callable[[Any], Any] = lambda prediction: prediction
        self.ready = True
        self.server = Server(self._answer)

    def _answer(self, asked: Asked) -> Answer:
        if asked.path == "/v2/health/ready":
            return (200 if self.ready else 503), b"{}"
        if asked.path == f"/v2/models/{self.release.name}/infer":
            url = f"http://{self.triton}{asked.path}"
            answer = request(url, body=asked.body, headers=asked.headers, timeout=5)
            headers = {HEADER_LENGTH: answer.headers[HEADER_LENGTH.lower()]}
            return answer.status, answer.body, headers
        if asked.path != f"/v1/models/{self.release.name}:predict":
            return 404, b'{"error": "no such path"}'
        instances = [json.dumps(each) for each in json.loads(asked.body)["instances"]]
        if not set(instances) <= set(self.known):
            return 500, b'{"error": "never seen that"}'
        predictions = [self.change(self.known[each]) for each in instances]
        return 200, json.dumps({"predictions": predictions}).encode()


@pytest.fixture
def serve(triton: Triton) -> Iterator[Callable[[Release], ByHeart]]:
    """Starts a transformer of a release."""
    running: list[ByHeart] = []

    def start(release: Release) -> ByHeart:
        running.append(ByHeart(release, triton.http))
        running[-1].server.__enter__()
        return running[-1]

    yield start
    for each in running:
        each.server.__exit__()


@pytest.fixture
def transformer(serve: Any, release: Release) -> ByHeart:
    """The image model's."""
    made: ByHeart = serve(release)
    return made


@pytest.fixture
def handled(releases: dict[str, Release]) -> Release:
    """`every`, with a handler and what it answers."""
    return replace(
        releases["every"],
        handler=Handler({"handler.py": File(digest(b"def"), 3)}),
        exchanges=(
            Exchange(({"text": "a"}, {"text": "b"}), ({"boxes": [{"score": 0.5}]}, {"boxes": []})),
            Exchange(({"text": "c"},), ({"boxes": [{"score": 1.0}, {"score": 0.25}]},)),
        ),
    )


def test_collocated_placement_is_verified_by_the_transformer_alone(
    transformer: ByHeart, verify_job: dict[str, Any], run: Any
) -> None:
    job = verify_job | {"transformer_url": transformer.server.url}
    status, text = run("verify", job)
    assert status == 0, text
    assert "transformer ready, 5 samples answered within 0.001" in text
    # All pictures are one request.
    assert [each.path for each in transformer.server.asked] == [
        "/v2/health/ready",
        "/v1/models/picture:predict",
    ]


@pytest.mark.parametrize("name", ["every", "whole", "rows"])
def test_tensors_are_verified_by_the_built_in_v1_form(
    serve: Any, releases: dict[str, Release], verify_job: dict[str, Any], run: Any, name: str
) -> None:
    transformer = serve(releases[name])
    job = verify_job | {"transformer_url": transformer.server.url, "model": name}
    status, text = run("verify", job, releases[name])
    assert status == 0, text
    assert {each.path for each in transformer.server.asked} == {
        "/v2/health/ready",
        f"/v1/models/{name}:predict",
    }


def test_numbers_that_json_has_not_are_verified_by_v2(
    serve: Any, releases: dict[str, Release], verify_job: dict[str, Any], run: Any
) -> None:
    values = (
        array(np.array([[np.nan]], "float16"), "FP16"),
        array(np.array([[7]], "int32"), "INT32"),
    )
    sample = Sample((values[1], values[0]), (values[1], values[0]))
    given = replace(releases["rows"], samples=(*releases["rows"].samples, sample))
    transformer = serve(given)
    job = verify_job | {"transformer_url": transformer.server.url, "model": "rows"}
    status, text = run("verify", job, given)
    assert status == 0, text
    assert "4 samples answered" in text
    assert "/v2/models/rows/infer" in {each.path for each in transformer.server.asked}


def test_handlers_exchanges_and_tensors_are_verified(
    serve: Any, handled: Release, verify_job: dict[str, Any], run: Any
) -> None:
    transformer = serve(handled)
    job = verify_job | {"transformer_url": transformer.server.url, "model": "every"}
    status, text = run("verify", job, handled)
    assert status == 0, text
    assert "transformer ready, 4 samples and 2 exchanges answered within 0.001" in text
    paths = [each.path for each in transformer.server.asked]
    assert paths.count("/v1/models/every:predict") == 2
    assert paths.count("/v2/models/every/infer") == 4


def test_other_prediction_is_named_by_its_path(
    serve: Any, handled: Release, verify_job: dict[str, Any], run: Any
) -> None:
    transformer = serve(handled)
    transformer.change = lambda each: json.loads(json.dumps(each).replace("0.25", "0.75"))
    job = verify_job | {"transformer_url": transformer.server.url, "model": "every"}
    status, text = run("verify", job | {"deadline_seconds": 1}, handled)
    assert status == 1
    assert (
        "transformer, request 1: predictions[0].boxes[1].score is 0.75, the release's 0.25: "
        "0.5 apart, allowed 0.001"
    ) in text


def test_predictions_of_other_parameters_are_not_compared(
    serve: Any, handled: Release, verify_job: dict[str, Any], run: Any
) -> None:
    transformer = serve(handled)
    transformer.change = lambda _: "something else"
    job = verify_job | {"transformer_url": transformer.server.url, "model": "every"}
    status, text = run("verify", job | {"predictions": "any"}, handled)
    assert status == 0, text
    assert "4 samples and 2 exchanges (not compared) answered" in text
    transformer.known.clear()
    job |= {"deadline_seconds": 1, "predictions": "any"}
    status, text = run("verify", job, handled)
    assert (status, "never seen that" in text) == (1, True)


def test_a_server_of_the_users_own_is_only_asked_whether_it_is_ready(
    transformer: ByHeart, triton: Triton, verify_job: dict[str, Any], run: Any
) -> None:
    transformer.known.clear()
    job = verify_job | {"transformer_url": transformer.server.url, "predictions": "none"}
    status, text = run("verify", job)
    assert (status, "transformer ready, after" in text) == (0, True)
    status, text = run("verify", job | {"predictor_url": f"http://{triton.http}"})
    assert status == 0
    assert "predictor and transformer ready, signature equal, 5 samples answered" in text
    assert {each.path for each in transformer.server.asked} == {"/v2/health/ready"}


def test_other_scores_fail(transformer: ByHeart, verify_job: dict[str, Any], run: Any) -> None:
    transformer.change = lambda each: (
        each | {"scores": [each["scores"][0] + 1, *each["scores"][1:]]}
    )
    job = verify_job | {"transformer_url": transformer.server.url, "deadline_seconds": 1}
    status, text = run("verify", job)
    assert (status, "transformer, request 0: predictions[0].scores[0] is" in text) == (1, True)


def test_transformer_that_is_not_ready_is_not_asked(
    transformer: ByHeart, verify_job: dict[str, Any], run: Any
) -> None:
    transformer.ready = False
    job = verify_job | {"transformer_url": transformer.server.url, "deadline_seconds": 1}
    status, text = run("verify", job)
    assert (status, "/v2/health/ready: status 503" in text) == (1, True)
    assert {asked.path for asked in transformer.server.asked} == {"/v2/health/ready"}


def test_load_sends_every_image_in_turn(
    transformer: ByHeart, load_job: dict[str, Any], run: Any
) -> None:
    job = load_job | {"url": transformer.server.url, "target": "transformer", "rate": 20}
    status, text = run("load", job | {"duration_seconds": 1})
    assert status == 0, text
    asked = transformer.server.asked
    assert len({item.body for item in asked}) == 5
    assert {item.headers["Content-Type"] for item in asked} == {"application/json"}


def test_load_sends_every_instance_of_a_handler_in_turn(
    serve: Any, handled: Release, load_job: dict[str, Any], run: Any
) -> None:
    transformer = serve(handled)
    job = load_job | {"url": transformer.server.url, "target": "transformer", "rate": 20}
    status, text = run("load", job | {"duration_seconds": 1, "model": "every"}, handled)
    assert status == 0, text
    bodies = {item.body for item in transformer.server.asked}
    sent = [json.loads(body)["instances"] for body in bodies]
    assert sorted(sent, key=str) == [[{"text": "a"}], [{"text": "b"}], [{"text": "c"}]]


def test_load_of_a_handler_without_exchanges_sends_tensors(
    serve: Any, handled: Release, load_job: dict[str, Any], run: Any
) -> None:
    given = replace(handled, exchanges=())
    transformer = serve(given)
    job = load_job | {"url": transformer.server.url, "target": "transformer", "rate": 20}
    status, text = run("load", job | {"duration_seconds": 1, "model": "every"}, given)
    assert status == 0, text
    assert {each.path for each in transformer.server.asked} == {"/v2/models/every/infer"}


def test_objective_of_success_counts_every_other_status(
    transformer: ByHeart, load_job: dict[str, Any], run: Any
) -> None:
    first = next(iter(transformer.known))
    transformer.known = {first: transformer.known[first]}  # It fails on every other image.
    job = load_job | {"url": transformer.server.url, "target": "transformer", "rate": 20}
    status, text = run("load", job | {"duration_seconds": 1})
    assert status == 1
    assert re.search(r"success_ratio: found 0\.[1-5]\d*, wanted at least 0.999: MISSED", text)
    assert text.endswith(" × 500 Internal Server Error")


def test_what_clients_outside_ask_is_verified_too(
    serve: Any, release: Release, verify_job: dict[str, Any], run: Any
) -> None:
    inside, outside = serve(release), serve(release)
    urls = {"transformer_url": inside.server.url, "outer_url": outside.server.url}
    status, text = run("verify", verify_job | urls)
    assert status == 0, text
    assert f"{outside.server.url} too" in text
    assert _paths(outside) == _paths(inside) != []


def _paths(transformer: ByHeart) -> list[str]:
    return [each.path for each in transformer.server.asked]


def test_a_gateway_that_leads_elsewhere_is_named(
    serve: Any, release: Release, verify_job: dict[str, Any], run: Any
) -> None:
    inside, outside = serve(release), serve(release)
    outside.change = lambda prediction: prediction | {"index": -1}
    urls = {"transformer_url": inside.server.url, "outer_url": outside.server.url}
    status, text = run("verify", verify_job | urls | {"deadline_seconds": 2})
    assert status == 1
    assert "outside the cluster, " in text


def test_triton_is_asked_from_outside_where_it_has_no_transformer(
    triton: Triton, verify_job: dict[str, Any], run: Any
) -> None:
    url = f"http://{triton.http}"
    status, text = run("verify", verify_job | {"predictor_url": url, "outer_url": url})
    assert status == 0, text
    # Nobody listens there.
    nobody = {"outer_url": "http://127.0.0.1:9", "deadline_seconds": 2}
    status, text = run("verify", verify_job | {"predictor_url": url} | nobody)
    assert status == 1
    assert "outside the cluster, http://127.0.0.1:9" in text
