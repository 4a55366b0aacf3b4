"""V2's infer: JSON and the binary form, by Triton's own client, in front of the real Triton."""

from __future__ import annotations

import base64
import concurrent.futures
import contextlib
import http.client
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tritonclient.http as client
from tritonclient.utils import InferenceServerException

from local.triton.server import Triton
from release.schema import ImageInput, Tensor
from tests.transformer.echo import EVERY_TYPE, MAX_BATCH_SIZE, Echo
from tests.transformer.pictures import b64, encoded, noise
from tests.transformer.server import Transformer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Arrays = dict[str, "np.ndarray[Any, Any]"]
Samples = list[dict[str, Any]]

EVERY = Echo("every", EVERY_TYPE)
WHOLE = Echo("whole", (Tensor("IN", "FP32", (-1, 2)),), batching=False)
SCORES = Echo(
    "scores",
    (Tensor("IN", "FP32", (4,)), Tensor("IN_INT32", "INT32", (4,))),
    labels=("a", "b", "c", "d"),
)
HALF = Echo(
    "half",
    (Tensor("IN", "FP16", (3, 8, 8)),),
    image=ImageInput(width=8, height=8, mean=(0.5,) * 3, std=(0.5,) * 3),
)
MODELS = (EVERY, WHOLE, SCORES, HALF)
PROTOCOLS = ["v2", "grpc-v2"]
MAX_MIB = 512


@pytest.fixture(scope="module")
def echoes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Triton]:
    folder = tmp_path_factory.mktemp("echoes")
    for each in MODELS:
        each.install(folder / "repository")
    with Triton(folder / "repository", log=folder / "triton.log") as server:
        yield server


@pytest.fixture(scope="module", params=PROTOCOLS)
def served(
    request: pytest.FixtureRequest, echoes: Triton, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Transformer]]:
    """A transformer for each model."""
    address = echoes.http if request.param == "v2" else echoes.grpc
    with contextlib.ExitStack() as stack:
        yield {
            each.name: stack.enter_context(prepare(each, address, tmp_path_factory, request))
            for each in MODELS
        }


def prepare(echo: Echo, address: str, folders: pytest.TempPathFactory, request: Any) -> Transformer:
    folder = folders.mktemp(echo.name)
    arguments = (
        f"--predictor_protocol={request.param}",
        f"--max_batch_size={MAX_BATCH_SIZE}",
        "--deadline_seconds=55",
    )
    release = echo.release(folder)
    return Transformer(address, folder, *arguments, model=echo.name, release=release)


def infer(
    server: str, model: str, inputs: Arrays, *, binary: bool, outputs: Any = None, id: str = ""
) -> Any:
    """The answer that Triton's own client gets."""
    given = []
    for name, array in inputs.items():
        dtype = "BYTES" if array.dtype == object else client.np_to_triton_dtype(array.dtype)
        each = client.InferInput(name, list(array.shape), dtype)
        each.set_data_from_numpy(array, binary_data=binary)
        given.append(each)
    with client.InferenceServerClient(server) as connection:
        return connection.infer(model, given, outputs=outputs, request_id=id)


def address(served: dict[str, Transformer], model: str) -> str:
    return f"127.0.0.1:{served[model].port}"


def every_type(rows: int, length: int = 3) -> Arrays:
    order = np.random.default_rng(rows)
    made: Arrays = {}
    for tensor in EVERY_TYPE:
        numbers = order.integers(0, 100, (rows, length))
        if tensor.dtype == "BYTES":
            texts = [f"ü{number}".encode() for number in numbers.flat]
            made[tensor.name] = np.array(texts, object).reshape(rows, length)
        else:
            kind = {"FP": "float", "UI": "uint", "IN": "int", "BO": "bool"}[tensor.dtype[:2]]
            bits = "" if kind == "bool" else tensor.dtype.lstrip("UINTFP")
            made[tensor.name] = (numbers - 50 * (kind == "int")).astype(f"{kind}{bits}")
    return made


@pytest.mark.parametrize("rows", [1, MAX_BATCH_SIZE, 3 * MAX_BATCH_SIZE + 1])
def test_every_type_is_passed_on_in_binary(served: dict[str, Transformer], rows: int) -> None:
    given = every_type(rows)
    answer = infer(address(served, "every"), "every", given, binary=True, id="seven")
    assert answer.get_response()["id"] == "seven"
    for name, array in given.items():
        found = answer.as_numpy(name.replace("IN", "OUT", 1))
        assert found.dtype == array.dtype
        np.testing.assert_array_equal(found, array)


def test_every_type_is_passed_on_in_json(served: dict[str, Transformer]) -> None:
    inputs, expected = [], {}
    for (name, array), tensor in zip(every_type(2).items(), EVERY_TYPE, strict=True):
        texts = [[text.decode() for text in row] for row in array] if array.dtype == object else []
        data = texts or array.tolist()
        inputs.append({"name": name, "shape": [2, 3], "datatype": tensor.dtype, "data": data})
        expected[name.replace("IN", "OUT", 1)] = [value for row in data for value in row]
    status, answer = served["every"].infer(json.dumps({"inputs": inputs}).encode())
    assert status == 200
    assert {output["name"]: output["data"] for output in answer["outputs"]} == expected


def test_an_output_without_rows_and_empty_texts_are_passed_on(
    served: dict[str, Transformer],
) -> None:
    given = {name: array[:, :1] for name, array in every_type(1).items()}
    given["IN_BYTES"] = np.array([[b""]], object)
    answer = infer(address(served, "every"), "every", given, binary=True)
    assert answer.as_numpy("OUT_BYTES").tolist() == [[b""]]


def test_a_model_without_a_batch_gets_its_whole_tensors(served: dict[str, Transformer]) -> None:
    given = np.arange(40, dtype=np.float32).reshape(20, 2)
    answer = infer(address(served, "whole"), "whole", {"IN": given}, binary=True)
    np.testing.assert_array_equal(answer.as_numpy("OUT"), given)
    instances = json.dumps({"instances": [given.tolist()]}).encode()
    assert served["whole"].predict(instances) == (200, {"predictions": [{"OUT": given.tolist()}]})
    status, answer = served["whole"].predict(b'{"instances": [[[1, 2]], [[1, 2]]]}')
    assert status == 400
    assert answer["error"] == "instances: found 2; allowed: one, since the model has no batch"


def test_only_requested_outputs_are_answered_as_requested(served: dict[str, Transformer]) -> None:
    outputs = [
        client.InferRequestedOutput("OUT_FP32", binary_data=False),
        client.InferRequestedOutput("OUT_INT8", binary_data=True),
    ]
    given = every_type(2)
    answer = infer(address(served, "every"), "every", given, binary=True, outputs=outputs)
    described = answer.get_response()["outputs"]
    assert [(each["name"], "data" in each) for each in described] == [
        ("OUT_FP32", True),
        ("OUT_INT8", False),
    ]
    np.testing.assert_array_equal(answer.as_numpy("OUT_INT8"), given["IN_INT8"])


def test_the_largest_requests_at_the_same_time_take_little_memory(
    served: dict[str, Transformer],
) -> None:
    raw = np.zeros((3 * 2**20, 2), np.float32)
    rows = [[0, 1]] * 2**18
    data = {"name": "IN", "shape": [2**18, 2], "datatype": "FP32", "data": rows}
    json_v2 = json.dumps({"inputs": [data]}).encode()
    json_v1 = json.dumps({"instances": [rows]}).encode()
    many = json.dumps({"instances": [[0] * 2**21]}).encode()

    def binary() -> int:
        answer = infer(address(served, "whole"), "whole", {"IN": raw}, binary=True)
        return 200 if answer.as_numpy("OUT").shape == raw.shape else 0

    asked: list[Callable[[], int]] = [
        binary,
        lambda: served["whole"].infer(json_v2)[0],
        lambda: served["whole"].predict(json_v1)[0],
        lambda: served["whole"].predict(many)[0],
    ]
    with concurrent.futures.ThreadPoolExecutor() as pool:
        found = [pool.submit(ask) for ask in asked * 4]
        assert [each.result() for each in found] == [200, 200, 200, 413] * 4
    assert served["whole"].peak_mib() < MAX_MIB


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("classes", [1, 3, 9])
@pytest.mark.parametrize("output", ["OUT", "OUT_INT32"])
def test_classes_are_those_of_triton(
    served: dict[str, Transformer], echoes: Triton, classes: int, output: str, binary: bool
) -> None:
    scores = np.array([[0.25, -3, 1e6, 7], [1, 2, 3, 4.123456789]], np.float32)
    given = {"IN": scores, "IN_INT32": scores.astype(np.int32)}
    ours, tritons = (
        infer(
            server,
            "scores",
            given,
            binary=True,
            outputs=[client.InferRequestedOutput(output, binary_data=binary, class_count=classes)],
        )
        for server in (address(served, "scores"), echoes.http)
    )
    assert ours.as_numpy(output).tolist() == tritons.as_numpy(output).tolist()
    assert ours.get_output(output)["datatype"] == "BYTES"


def test_the_built_in_v1_forms_of_named_tensors(served: dict[str, Transformer]) -> None:
    instances = [{"IN": [1, 2, 4, 3], "IN_INT32": [0, 0, 0, 0]}] * (MAX_BATCH_SIZE + 1)
    status, answer = served["scores"].predict(json.dumps({"instances": instances}).encode())
    assert status == 200
    expected = {"label": "c", "index": 2, "scores": [1, 2, 4, 3]}
    assert answer["predictions"] == [expected] * (MAX_BATCH_SIZE + 1)


def test_instances_of_different_lengths_are_refused_by_the_built_in_form(
    served: dict[str, Transformer],
) -> None:
    instances = [
        {
            tensor.name: ["x" if tensor.dtype == "BYTES" else tensor.dtype == "BOOL"] * length
            if tensor.dtype in ("BYTES", "BOOL")
            else [1] * length
            for tensor in EVERY_TYPE
        }
        for length in (2, 2, 3)
    ]
    status, answer = served["every"].predict(json.dumps({"instances": instances}).encode())
    assert status == 400
    assert answer["error"].startswith(
        "instances[2]: IN_BOOL has the shape [3], in instances[0] [2]"
    )


def test_what_the_network_refuses_is_500_with_its_reason(served: dict[str, Transformer]) -> None:
    given = {"IN": np.full((1, 4), 666, np.float32), "IN_INT32": np.zeros((1, 4), np.int32)}
    with pytest.raises(InferenceServerException) as error:
        infer(address(served, "scores"), "scores", given, binary=True)
    assert error.value.status() == "500"
    assert "index out of range" in error.value.message()


def test_pictures_of_a_network_in_half_precision(served: dict[str, Transformer]) -> None:
    data = encoded(noise("RGB", 8, 8), "PNG")
    given = np.array([data] * 3, object)
    answer = infer(address(served, "half"), "half", {"image_bytes": given}, binary=True)
    found = answer.as_numpy("OUT")
    assert (found.dtype, found.shape) == (np.float16, (3, 3, 8, 8))
    status, v1 = served["half"].predict(
        json.dumps({"instances": [{"image": {"b64": b64(data)}}]}).encode()
    )
    assert status == 200
    np.testing.assert_array_equal(np.array(v1["predictions"][0]["OUT"], np.float16), found[0])


@pytest.mark.parametrize("binary", [True, False])
def test_pictures_get_the_scores_of_v1(
    transformer: Transformer, samples: Samples, binary: bool
) -> None:
    count = 67
    pictures = [base64.b64decode(samples[n % len(samples)]["image"]) for n in range(count)]
    given = pictures if binary else [base64.b64encode(each) for each in pictures]
    outputs = [client.InferRequestedOutput("OUTPUT__0", binary_data=binary)]
    answer = infer(
        f"127.0.0.1:{transformer.port}",
        "digits",
        {"image_bytes": np.array(given, object)},
        binary=binary,
        outputs=outputs,
    )
    expected = [samples[n % len(samples)]["scores"] for n in range(count)]
    np.testing.assert_allclose(answer.as_numpy("OUTPUT__0"), expected, atol=1e-4)


def test_labels_of_pictures(transformer: Transformer, samples: Samples) -> None:
    answer = infer(
        f"127.0.0.1:{transformer.port}",
        "digits",
        {"image_bytes": np.array([base64.b64decode(samples[1]["image"])], object)},
        binary=True,
        outputs=[client.InferRequestedOutput("OUTPUT__0", class_count=1)],
    )
    ((found,),) = answer.as_numpy("OUTPUT__0").tolist()
    assert found.decode().rpartition(":")[2] == samples[1]["label"]


def test_an_image_model_takes_its_own_tensors_too(transformer: Transformer) -> None:
    zeros = np.zeros((40, 3, 32, 32), np.float32)
    server = f"127.0.0.1:{transformer.port}"
    answer = infer(server, "digits", {"INPUT__0": zeros}, binary=True)
    assert answer.as_numpy("OUTPUT__0").shape == (40, 10)


@pytest.mark.parametrize("path", ["/v2/models/digits/infer", "/v2/models/digits/versions/1/infer"])
@pytest.mark.parametrize(
    "header", ["Inference-Header-Content-Length", "inference-HEADER-content-length"]
)
def test_headers_of_other_clients(
    transformer: Transformer, samples: Samples, path: str, header: str
) -> None:
    picture = base64.b64decode(samples[0]["image"])
    raw = len(picture).to_bytes(4, "little") + picture
    head = json.dumps(
        {
            "inputs": [
                {
                    "name": "image_bytes",
                    "shape": [1],
                    "datatype": "BYTES",
                    "parameters": {"binary_data_size": len(raw)},
                }
            ],
            "parameters": {"binary_data_output": True},
        }
    ).encode()
    connection = http.client.HTTPConnection("127.0.0.1", transformer.port, timeout=60)
    headers = {"Content-Type": "application/octet-stream", header: str(len(head))}
    connection.request("POST", path, head + raw, headers)
    answer = connection.getresponse()
    content = answer.read()
    assert (answer.status, answer.getheader("content-type")) == (200, "application/octet-stream")
    start = int(answer.getheader("Inference-Header-Content-Length") or 0)
    assert json.loads(content[:start])["outputs"][0]["parameters"] == {"binary_data_size": 40}
    scores = np.frombuffer(content[start:], np.float32)
    np.testing.assert_allclose(scores, samples[0]["scores"], atol=1e-4)


def test_metadata_is_what_tritons_client_understands(served: dict[str, Transformer]) -> None:
    with client.InferenceServerClient(address(served, "every")) as connection:
        assert connection.is_server_live() and connection.is_server_ready()
        assert connection.is_model_ready("every") and connection.is_model_ready("every", "1")
        assert "classification" in connection.get_server_metadata()["extensions"]
        found = connection.get_model_metadata("every", "1")
    assert [(each["name"], each["datatype"], each["shape"]) for each in found["inputs"]] == [
        (tensor.name, tensor.dtype, [-1, -1]) for tensor in EVERY_TYPE
    ]
