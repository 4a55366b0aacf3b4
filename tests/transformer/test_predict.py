"""Good requests, compared with the eager network in torch."""

from __future__ import annotations

import base64
import io
import json
import shutil
import subprocess
import urllib.request
from codecs import BOM_UTF8
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from PIL import ExifTags, Image

from model.networks import TutorialNetwork
from tests.transformer.pictures import b64, encoded
from tests.transformer.server import RELEASE, Transformer, instances

if TYPE_CHECKING:
    from pathlib import Path

    from local.triton.server import Triton
    from release.schema import Release

Samples = list[dict[str, Any]]
# How an upright picture is turned to be stored with an EXIF orientation: the inverse of what a
# viewer does with it.
BACK = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


@pytest.fixture(scope="session")
def eager(release: Release) -> TutorialNetwork:
    """The network in eager mode, with the weights of the release."""
    network = TutorialNetwork(len(release.labels))
    network.load_state_dict(torch.jit.load(RELEASE.with_name("model.pt")).state_dict())
    return network.eval()


@pytest.fixture
def expected(eager: TutorialNetwork, samples: Samples) -> list[list[float]]:
    """Its logits of the samples, with torchvision's ToTensor and Normalize written in torch."""
    batch = [_tensor(base64.b64decode(sample["image"])) for sample in samples]
    with torch.no_grad():
        made: list[list[float]] = eager(torch.stack(batch)).tolist()
    return made


def _tensor(data: bytes) -> torch.Tensor:
    with Image.open(io.BytesIO(data)) as image:
        pixels = torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1)
    return pixels.to(torch.float32).div(255).sub(0.5).div(0.5)


def check(predictions: list[dict[str, Any]], expected: list[list[float]]) -> None:
    assert len(predictions) == len(expected)
    for prediction, scores in zip(predictions, expected, strict=True):
        assert prediction["scores"] == pytest.approx(scores, abs=1e-4)
        assert prediction["index"] == max(range(10), key=scores.__getitem__)
        assert prediction["label"] == str(prediction["index"])


def curl(url: str, body: Path, content_type: str | None = None) -> Any:
    """`curl -d @FILE`, by default with curl's own Content-Type."""
    if not shutil.which("curl"):
        sent_type = "application/x-www-form-urlencoded" if content_type is None else content_type
        request = urllib.request.Request(url, body.read_bytes(), {"Content-Type": sent_type})
        with urllib.request.urlopen(request) as answer:
            return json.loads(answer.read())
    given = [] if content_type is None else ["-H", f"Content-Type: {content_type}"]
    line = ["curl", "-sS", *given, "-d", f"@{body}", url]
    return json.loads(subprocess.run(line, capture_output=True, check=True).stdout)


@pytest.mark.parametrize("key", ["image_bytes", "image"])
@pytest.mark.parametrize("count", [1, 7])
def test_curl_with_its_own_content_type(
    transformer: Transformer,
    samples: Samples,
    expected: list[list[float]],
    count: int,
    key: str,
    tmp_path: Path,
) -> None:
    body = tmp_path / "input.json"
    body.write_bytes(instances([item["image"] for item in samples[:count]], key))
    url = f"{transformer.url}/v1/models/digits:predict"
    answer = curl(url, body)
    assert set(answer) == {"predictions"}
    check(answer["predictions"], expected[:count])


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", "image/png", ""])
def test_any_content_type(
    transformer: Transformer,
    samples: Samples,
    expected: list[list[float]],
    content_type: str,
    tmp_path: Path,
) -> None:
    body = tmp_path / "input.json"
    body.write_bytes(instances([samples[0]["image"]]))
    url = f"{transformer.url}/v1/models/digits:predict"
    check(curl(url, body, content_type)["predictions"], expected[:1])


def test_more_images_than_a_batch_keep_their_order(
    transformer: Transformer, samples: Samples, expected: list[list[float]]
) -> None:
    many = [samples[index % len(samples)] for index in range(101)]
    status, answer = transformer.predict(instances([item["image"] for item in many]))
    assert status == 200
    check(answer["predictions"], [expected[index % len(samples)] for index in range(101)])


def test_as_many_instances_as_are_allowed(transformer: Transformer, samples: Samples) -> None:
    status, answer = transformer.predict(instances([samples[1]["image"]] * 1024))
    assert status == 200
    assert [item["label"] for item in answer["predictions"]] == [samples[1]["label"]] * 1024


def test_other_keys_of_an_instance_are_welcome(
    transformer: Transformer, samples: Samples, expected: list[list[float]]
) -> None:
    body = {"instances": [{"image": {"b64": samples[0]["image"]}, "caption": "schön"}]}
    status, answer = transformer.predict(json.dumps(body, ensure_ascii=False).encode())
    assert status == 200
    check(answer["predictions"], expected[:1])


@pytest.mark.parametrize("form", ["data URI", "base64url", "without padding", "with line breaks"])
def test_base64_as_browsers_and_phones_send_it(
    transformer: Transformer, samples: Samples, expected: list[list[float]], form: str
) -> None:
    data = base64.b64decode(samples[0]["image"])
    text = {
        "data URI": f"data:image/png;base64,{samples[0]['image']}",
        "base64url": base64.urlsafe_b64encode(data).decode(),
        "without padding": samples[0]["image"].rstrip("="),
        "with line breaks": base64.encodebytes(data).decode(),
    }[form]
    status, answer = transformer.predict(instances([text]))
    assert status == 200
    check(answer["predictions"], expected[:1])
    pictures = {"name": "image_bytes", "shape": [1], "datatype": "BYTES", "data": [text]}
    status, answer = transformer.infer(json.dumps({"inputs": [pictures]}).encode())
    assert status == 200
    assert answer["outputs"][0]["data"] == pytest.approx(expected[0], abs=1e-4)


def test_a_byte_order_mark_is_ignored(
    transformer: Transformer, samples: Samples, expected: list[list[float]]
) -> None:
    status, answer = transformer.predict(BOM_UTF8 + instances([samples[0]["image"]]))
    assert status == 200
    check(answer["predictions"], expected[:1])
    pictures = {"shape": [1], "datatype": "BYTES", "data": [samples[0]["image"]]}
    body = json.dumps({"inputs": [pictures | {"name": "image_bytes"}]}).encode()
    assert transformer.infer(BOM_UTF8 + body)[0] == 200


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_picture_gets_the_answer_of_the_upright_one(
    transformer: Transformer, samples: Samples, expected: list[list[float]], orientation: int
) -> None:
    with Image.open(io.BytesIO(base64.b64decode(samples[0]["image"]))) as upright:
        turned = upright.transpose(BACK[orientation]) if orientation > 1 else upright
        exif = Image.Exif()
        exif[ExifTags.Base.Orientation] = orientation
        data = encoded(turned, "PNG", exif=exif)
    status, answer = transformer.predict(instances([b64(data)]))
    assert status == 200
    check(answer["predictions"], expected[:1])


def test_other_models_are_not_found(transformer: Transformer) -> None:
    status, answer = transformer.ask("/v1/models/cifar10:predict", b"{}")
    assert status == 404
    assert "the model is digits" in answer["error"]
    assert transformer.ask("/v2/models/cifar10")[0] == 404
    assert transformer.ask("/nowhere")[0] == 404
    assert transformer.ask("/v1/models/digits:predict")[0] == 405


def test_health_and_metadata(transformer: Transformer) -> None:
    assert transformer.ask("/v1/models") == (200, {"models": ["digits"]})
    assert transformer.ask("/v1/models/digits") == (200, {"name": "digits", "ready": True})
    assert transformer.ask("/v2/models/digits/ready") == (200, {"name": "digits", "ready": True})
    assert transformer.ask("/v2/health/ready") == (200, {"ready": True})
    assert transformer.ask("/v2/health/live") == (200, {"live": True})
    assert set(transformer.ask("/v2")[1]) == {"name", "version", "extensions"}
    status, model = transformer.ask("/v2/models/digits")
    assert status == 200
    assert model["inputs"] == [{"name": "image_bytes", "datatype": "BYTES", "shape": [-1]}]
    assert model["outputs"] == [{"name": "OUTPUT__0", "datatype": "FP32", "shape": [-1, 10]}]


def test_good_requests_are_counted_and_not_logged(
    triton: Triton, samples: Samples, tmp_path: Path
) -> None:
    with Transformer(triton.http, tmp_path) as made:
        for _ in range(3):
            assert made.predict(instances([samples[0]["image"]]))[0] == 200
        assert made.predict(b"nothing")[0] == 400
        text = made.ask("/metrics")[1]
    values = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert float(values['transformer_request_seconds_count{model="digits",status="200"}']) == 3
    assert float(values['transformer_request_seconds_count{model="digits",status="400"}']) == 1
    assert float(values['transformer_stage_seconds_count{model="digits",stage="decode"}']) == 3
    assert float(values['transformer_stage_seconds_count{model="digits",stage="predict"}']) == 3
    assert float(values['transformer_requests_in_flight{model="digits"}']) == 0
    (failure,) = [line for line in made.lines() if "status" in line]
    assert failure["status"] == 400
    assert "not JSON" in failure["message"]
