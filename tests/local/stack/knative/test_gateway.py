"""Several models in one stack behind Knative's gateway, asked as the walk-through asks."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from local.endpoints import endpoint
from local.layout import ROOT
from tests.local.stack.conftest import floats, release, release_path
from tests.local.stack.test_models import close, ints

if TYPE_CHECKING:
    from pathlib import Path

    from tests.local.stack.knative.conftest import KnativeStack

_MODELS: dict[str, Any] = {
    "digits": {},
    "ratings": {"transformer": {"enabled": False}, "protocol": "grpc"},
    "topics": {},
}
_CLIENT = (".venv-model/bin/python", "-m", "tests.local.stack.knative.client")


@pytest.fixture(scope="module")
def served(knative: KnativeStack) -> KnativeStack:
    knative.deploy(models=_MODELS)
    return knative


def test_each_model_is_verified_and_load_tested(served: KnativeStack) -> None:
    outputs = served.outputs()
    assert {name: model["ready"] for name, model in outputs["models"].items()} == dict.fromkeys(
        _MODELS, True
    )
    assert {name: perf["verdict"] for name, perf in outputs["perf"].items()} == dict.fromkeys(
        _MODELS, "pass"
    )


def test_v1_at_the_gateway_by_the_header_host(served: KnativeStack, tmp_path: Path) -> None:
    url = f"http://{served.gateway}/v1/models/digits:predict"
    answer = _curl(url, _picture(), tmp_path, "-H", f"Host: {served.host('digits-transformer')}")
    _check(answer)


def test_v2_json_at_the_gateway_by_the_header_host(served: KnativeStack, tmp_path: Path) -> None:
    url = f"http://{served.gateway}/v2/models/digits/infer"
    host = f"Host: {served.host('digits-predictor')}"
    answer = _curl(url, _client("digits", "json"), tmp_path, "-H", host)
    (found,) = answer["outputs"]
    assert found["data"] == pytest.approx(floats(release()["samples"][0]["outputs"][0]), abs=1e-3)


def test_a_handlers_answer_at_the_gateway(served: KnativeStack, tmp_path: Path) -> None:
    exchange = release("topics")["exchanges"][1]
    url = f"http://{served.gateway}/v1/models/topics:predict"
    host = f"Host: {served.host('topics-transformer')}"
    answer = _curl(url, {"instances": exchange["instances"]}, tmp_path, "-H", host)
    assert answer["predictions"] == close(exchange["predictions"])


def test_grpc_at_the_gateway_by_the_authority(served: KnativeStack) -> None:
    found = _client("ratings", "grpc", served.gateway, served.host("ratings-predictor"))
    probabilities, stars, _ = release("ratings")["samples"][0]["outputs"]
    assert found["OUTPUT__0"] == pytest.approx(floats(probabilities), abs=1e-3)
    assert found["OUTPUT__1"] == ints(stars)


def test_the_address_on_this_machine_needs_no_header(served: KnativeStack, tmp_path: Path) -> None:
    predict = endpoint(served.service(), served.cluster.layout.services())["predict"]
    assert predict
    _check(_curl(predict, _picture(), tmp_path))


def test_the_url_of_the_outputs_has_the_host_of_the_header(
    served: KnativeStack, tmp_path: Path
) -> None:
    url = served.outputs()["models"]["digits"]["url"]
    assert urlsplit(url).hostname == served.host("digits-transformer")
    # The program doesn't know the gateway's address.
    _check(_curl(url, _picture(), tmp_path, "--connect-to", f"::{served.gateway}"))


def _picture() -> dict[str, Any]:
    return {"instances": [{"image_bytes": {"b64": release()["samples"][0]["image"]}}]}


def _check(answer: dict[str, Any]) -> None:
    """As the release says that its network answers."""
    (found,) = answer["predictions"]
    wanted = floats(release()["samples"][0]["outputs"][0])
    assert found["scores"] == pytest.approx(wanted, abs=1e-3)
    assert found["index"] == wanted.index(max(wanted))


def _curl(url: str, body: dict[str, Any], folder: Path, *options: str) -> dict[str, Any]:
    """`curl -d @FILE`, with curl's own Content-Type, that of a form."""
    path = folder / "input.json"
    path.write_text(json.dumps(body))
    line = ["curl", "-sS", "--max-time", "60", *options, "-d", f"@{path}", url]
    return _output(line)


def _client(model: str, *arguments: str) -> dict[str, Any]:
    """What Triton's own client makes of a release's first sample."""
    return _output([*_CLIENT, str(release_path(model)), *arguments])


def _output(line: list[str]) -> dict[str, Any]:
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False, timeout=90)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found
