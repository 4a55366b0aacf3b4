"""Good requests, against real Triton and the eager network's answers in the release."""

from __future__ import annotations

import json
import subprocess
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest

from tests.transformer.server import Transformer, instances

if TYPE_CHECKING:
    from pathlib import Path

    from tests.triton import Triton

Samples = list[dict[str, Any]]


def check(predictions: list[dict[str, Any]], samples: Samples) -> None:
    assert len(predictions) == len(samples)
    for prediction, sample in zip(predictions, samples, strict=True):
        expected = sample["outputs"][0]
        assert prediction["scores"] == pytest.approx(expected, abs=1e-4)
        assert prediction["index"] == max(range(10), key=expected.__getitem__)
        assert prediction["label"] == str(prediction["index"])


@pytest.mark.parametrize("count", [1, 7])
def test_answers_are_the_eager_networks(
    transformer: Transformer, samples: Samples, count: int
) -> None:
    status, answer = transformer.predict(instances([item["image"] for item in samples[:count]]))
    assert status == 200
    assert set(answer) == {"predictions"}
    check(answer["predictions"], samples[:count])


@pytest.mark.parametrize("count", [1, 7])
def test_curl_with_its_own_content_type(
    transformer: Transformer, samples: Samples, count: int, tmp_path: Path
) -> None:
    body = tmp_path / "input.json"
    body.write_bytes(instances([item["image"] for item in samples[:count]], "image"))
    made = subprocess.run(
        ["curl", "-sS", "-d", f"@{body}", f"{transformer.url}/v1/models/digits:predict"],
        capture_output=True,
        check=True,
    )
    check(json.loads(made.stdout)["predictions"], samples[:count])


def test_plain_tensors(transformer: Transformer, samples: Samples) -> None:
    body = instances([item["image"] for item in samples[:3]])
    status, answer = transformer.predict(body, "?format=v2")
    assert status == 200
    (output,) = answer["outputs"]
    assert answer["model_name"] == "digits"
    assert (output["name"], output["shape"], output["datatype"]) == ("OUTPUT__0", [3, 10], "FP32")
    expected = [value for item in samples[:3] for value in item["outputs"][0]]
    assert output["data"] == pytest.approx(expected, abs=1e-4)


def test_unknown_format_is_refused(transformer: Transformer) -> None:
    status, answer = transformer.predict(b"{}", "?format=v3")
    assert status == 400
    assert "allowed: v1, v2" in answer["error"]


def test_more_images_than_a_batch_keep_their_order(
    transformer: Transformer, samples: Samples
) -> None:
    many = [samples[index % len(samples)] for index in range(101)]
    status, answer = transformer.predict(instances([item["image"] for item in many]))
    assert status == 200
    check(answer["predictions"], many)


def test_as_many_instances_as_are_allowed(transformer: Transformer, samples: Samples) -> None:
    status, answer = transformer.predict(instances([samples[1]["image"]] * 1024))
    assert status == 200
    assert [item["label"] for item in answer["predictions"]] == [samples[1]["label"]] * 1024


def test_other_keys_of_an_instance_are_welcome(transformer: Transformer, samples: Samples) -> None:
    body = {"instances": [{"image": {"b64": samples[0]["image"]}, "caption": "schön"}]}
    status, answer = transformer.predict(json.dumps(body, ensure_ascii=False).encode())
    assert status == 200
    check(answer["predictions"], samples[:1])


def test_other_models_are_not_found(transformer: Transformer) -> None:
    status, answer = transformer.ask("/v1/models/cifar10:predict", b"{}")
    assert status == 404
    assert "the model is digits" in answer["error"]
    assert transformer.ask("/v2/models/cifar10")[0] == 404
    assert transformer.ask("/nowhere")[0] == 404
    assert transformer.ask("/v1/models/digits:predict")[0] == 405


def test_health_and_metadata(transformer: Transformer) -> None:
    assert transformer.ask("/v1/models/digits") == (200, {"name": "digits", "ready": True})
    assert transformer.ask("/v2/models/digits/ready") == (200, {"name": "digits", "ready": True})
    assert transformer.ask("/v2/health/ready") == (200, {"ready": True})
    assert transformer.ask("/v2/health/live") == (200, {"live": True})
    assert set(transformer.ask("/v2")[1]) == {"name", "version", "extensions"}
    status, model = transformer.ask("/v2/models/digits")
    assert status == 200
    assert model["outputs"] == [{"name": "OUTPUT__0", "datatype": "FP32", "shape": [-1, 10]}]


def test_good_requests_are_counted_and_not_logged(
    triton: Triton, samples: Samples, tmp_path: Path
) -> None:
    with Transformer(triton.http, tmp_path) as made:
        for _ in range(3):
            assert made.predict(instances([samples[0]["image"]]))[0] == 200
        assert made.predict(b"nothing")[0] == 400
        text = made.ask("/metrics")[1]
        lines = made.lines()
    values = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert float(values['transformer_requests_total{model="digits",status="200"}']) == 3
    assert float(values['transformer_requests_total{model="digits",status="400"}']) == 1
    assert float(values['transformer_stage_seconds_count{model="digits",stage="decode"}']) == 3
    assert float(values['transformer_stage_seconds_count{model="digits",stage="predict"}']) == 3
    assert float(values['transformer_requests_in_flight{model="digits"}']) == 0
    (failure,) = [line for line in lines if "status" in line]
    assert failure["status"] == 400
    assert "not JSON" in failure["message"]


def test_workers_count_together(triton: Triton, samples: Samples, tmp_path: Path) -> None:
    body = instances([samples[0]["image"]])
    with Transformer(triton.http, tmp_path, "--workers=2") as made:
        for _ in range(20):
            assert made.predict(body)[0] == 200
        for _ in range(4):
            with urllib.request.urlopen(f"{made.url}/metrics") as answer:
                text = answer.read().decode()
            assert 'transformer_requests_total{model="digits",status="200"} 20.0' in text
