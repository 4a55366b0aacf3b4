"""Models that are no image classifiers, by the definitions of the tutorials, on KServe and Triton.

The tutorials deploy the same ones over the other protocol: tests/local/docs.
"""

from __future__ import annotations

import base64
from array import array
from typing import TYPE_CHECKING, Any

import pytest

from tests.local.stack.conftest import floats, release

if TYPE_CHECKING:
    from tests.local.stack.conftest import Stack

_MODELS: dict[str, Any] = {
    "ratings": {"transformer": {"enabled": False}},
    "topics": {},
    # Its handler is too large for a ConfigMap.
    "topics-large": {},
    "boxes": {"protocol": "grpc"},
    # Compiled by a Job of the stack. The container is the first that batches this format.
    "houses-aoti": {"transformer": {"enabled": False}, "triton": {"container": "26.06-py3"}},
}
# Eight pods, and those of the models before them, on two cores.
_SMALL = {"cpu": "100m", "memory": "2Gi"}


@pytest.fixture(scope="module")
def served(stack: Stack) -> Stack:
    """The stack with all of them: each verified and loaded, with a verdict."""
    stack.deploy(models=_MODELS, predictor=_SMALL, transformer={"cpu": "100m"})
    outputs = stack.outputs()
    assert all(outputs["models"][name]["ready"] is True for name in _MODELS)
    assert all(outputs["perf"][name]["verdict"] == "pass" for name in _MODELS)
    return stack


def test_several_inputs_and_outputs_without_a_transformer(served: Stack) -> None:
    about = release("ratings")
    sample = about["samples"][0]
    features, categories = sample["inputs"]
    body = {
        "inputs": [
            {"name": "INPUT__0", "datatype": "FP32", "shape": [1, 8], "data": floats(features)},
            {"name": "INPUT__1", "datatype": "INT64", "shape": [1, 2], "data": ints(categories)},
        ]
    }
    url = f"{served.address('ratings-predictor')}/v2/models/ratings/infer"
    found = {each["name"]: each for each in served.ask(url, body)["outputs"]}
    assert {name: each["datatype"] for name, each in found.items()} == {
        "OUTPUT__0": "FP32",
        "OUTPUT__1": "INT64",
        "OUTPUT__2": "BOOL",
    }
    probabilities, stars, _ = sample["outputs"]
    assert found["OUTPUT__0"]["data"] == pytest.approx(floats(probabilities), abs=1e-3)
    assert found["OUTPUT__1"]["data"] == ints(stars)
    assert found["OUTPUT__2"]["shape"] == [1, 1]


def test_a_compiled_program_answers_as_the_network(served: Stack) -> None:
    sample = release("houses-aoti")["samples"][0]
    rows = floats(sample["inputs"][0])
    tensor = {"name": "INPUT__0", "datatype": "FP32", "shape": [1, 4], "data": rows}
    url = f"{served.address('houses-aoti-predictor')}/v2/models/houses-aoti/infer"
    (found,) = served.ask(url, {"inputs": [tensor]})["outputs"]
    assert found["data"] == pytest.approx(floats(sample["outputs"][0]), rel=1e-4)


@pytest.mark.parametrize("name", ["topics", "topics-large", "boxes"])
def test_a_handlers_answers_are_those_of_the_release(served: Stack, name: str) -> None:
    for exchange in release(name)["exchanges"]:
        body = {"instances": exchange["instances"]}
        found = served.ask(served.url(f"{name}-transformer", name), body)["predictions"]
        assert found == close(exchange["predictions"])


def test_a_text_gets_the_same_answer_alone_and_beside_a_longer_one(served: Stack) -> None:
    exchange = release("topics")["exchanges"][1]
    url = served.url("topics-transformer", "topics")
    for instance, wanted in zip(exchange["instances"], exchange["predictions"], strict=True):
        (found,) = served.ask(url, {"instances": [instance]})["predictions"]
        assert found == close(wanted)


def test_a_large_handler_comes_from_the_bucket(served: Stack) -> None:
    """By KServe's storage initializer, as the model does."""
    (pod,) = [
        each
        for each in served.list("pods")
        if each["metadata"]["name"].startswith("topics-large-transformer")
        and "deletionTimestamp" not in each["metadata"]
    ]
    names = {each["name"] for each in pod["spec"]["initContainers"]}
    assert "storage-initializer" in names


def ints(stored: dict[str, Any]) -> list[int]:
    """The values of an INT64 tensor of a release."""
    return array("q", base64.b64decode(stored["data"])).tolist()


def close(value: Any) -> Any:
    """What equals the same with other floats, as far as processors agree."""
    if isinstance(value, float):
        return pytest.approx(value, abs=1e-3)
    if isinstance(value, list):
        return [close(each) for each in value]
    return {key: close(each) for key, each in value.items()} if isinstance(value, dict) else value
