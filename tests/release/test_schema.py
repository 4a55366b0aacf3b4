"""release.json: what is read and written, and which message a wrong one gets."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from release import files
from release.schema import MAX_RELEASE_BYTES, Release, ReleaseError, Tensor, digest
from tests.release.examples import image, tensors, texts

if TYPE_CHECKING:
    from pathlib import Path

Change = tuple[Callable[[Any], Any], str]
KINDS = {"image": image(), "tensors": tensors(), "texts": texts()}


def put(**fields: Any) -> Callable[[Any], Any]:
    """A change of fields of release.json."""
    return lambda raw: raw.update(fields)


def first(section: str, **fields: Any) -> Callable[[Any], Any]:
    """A change of the first of a list."""
    return lambda raw: raw[section][0].update(fields)


IMAGE: list[Change] = [
    (lambda raw: raw.pop("name"), "name: missing"),
    (put(schema=1), "schema: found 1; allowed: 2"),
    (put(colour="red"), "colour: no such field; allowed: schema, name, "),
    (put(name="Digits"), "model name 'Digits'; allowed: 1 to 38 of a-z"),
    (put(name="m" * 39), "; allowed: 1 to 38 of a-z"),
    (put(name="digits-predictor"), "at the end none of -canary, -pods, -predictor, -transformer"),
    (put(name=7), "name: found 7; allowed: a string"),
    (put(format="caffe"), "format: found 'caffe'; allowed: 'torchscript' or 'onnx' or 'aoti'"),
    (put(metrics={"accuracy": float("nan")}), "metrics.accuracy: found nan; allowed: a number"),
    (put(held_out=True), "held_out: found True; allowed: an integer"),
    (put(outputs=[]), "one input and one output at least"),
    (put(batching=False), "one of FP32 or FP16 [3, 8, 8], and a batch"),
    (put(exchanges=[{"instances": [1], "predictions": [1]}]), "exchanges: allowed: only with a"),
    (first("inputs", dtype="FP8"), "tensor INPUT__0: dtype 'FP8'; allowed in torchscript: "),
    (first("inputs", dtype="UINT64"), "dtype 'UINT64'; allowed in torchscript: "),
    (first("inputs", dtype="INT32"), "image: the inputs are INPUT__0 INT32 [3, 8, 8]; allowed"),
    (first("inputs", name="x__0"), "'x__0'; allowed: INPUT__0 in this place, in torchscript"),
    (first("inputs", dims=[0]), "tensor INPUT__0: dims [0]; allowed: "),
    (first("outputs", labels="012"), "outputs[0].labels: found '012'; allowed: a list"),
    (first("outputs", labels=["a\nb", "c", "d"]), "tensor OUTPUT__0: a line break in a label"),
    (first("outputs", labels=["a"]), "OUTPUT__0 FP32 [3]: 1 labels; allowed: one for each"),
    (lambda raw: raw["model"].update(sha256="0"), "sha256 '0'; allowed: 64 hexadecimal digits"),
    (
        lambda raw: raw["warmup"].update({"../x": {"sha256": "0", "shape": [1]}}),
        "warmup: found '../x'; allowed: names of",
    ),
    (put(warmup={}), "warmup: INPUT__0 missing; allowed: one of each input"),
    (put(samples=[]), "samples: none; allowed: one or more"),
    (lambda raw: raw["image"].update(mean=[0.5]), "image.mean: found [0.5]; allowed: a list of 3"),
    (lambda raw: raw["image"].update(std=[0, 1, 1]), "std positive"),
    (lambda raw: raw["image"].update(width=0), "image: 0×8; allowed: 1 or more"),
    (lambda raw: raw["image"].update(shorter=9), "image: shorter 9 with resize stretch; allowed"),
    (lambda raw: raw["image"].update(background=[0, 0, 256]), "allowed: 0 to 255 each"),
    (first("samples", image=None), "samples[0]: allowed: a picture with an image block"),
    (first("samples", outputs=[]), "samples[0]: 0 inputs and 0 outputs; allowed: 0 and 1"),
]
TENSORS: list[Change] = [
    (lambda raw: raw["outputs"][1].update(name="OUTPUT__0"), "allowed: each name once"),
    (lambda raw: raw["inputs"].reverse(), "'INPUT__1'; allowed: INPUT__0 in this place"),
    (
        lambda raw: raw.update(format="aoti") or raw["outputs"][2].update(name="OUTPUT__3"),
        "'OUTPUT__3'; allowed: OUTPUT__2 in this place, in aoti",
    ),
    (lambda raw: raw["outputs"][0].update(dims=[2]), "scalar; allowed: [1]"),
    (put(batching=False), "scalar; allowed: [1], in a release with batching"),
    (first("samples", inputs=[]), "samples[0]: 0 inputs and 3 outputs; allowed: 2 and 3"),
    (
        lambda raw: raw["samples"][1]["outputs"][0].update(shape=["1"]),
        "samples[1].outputs[0].shape[0]: found '1'; allowed: an integer",
    ),
]
TEXTS: list[Change] = [
    (lambda raw: raw["handler"]["files"].pop("handler.py"), "handler.files: handler.py is missing"),
    (
        lambda raw: raw["handler"]["files"].update({"../x": {"sha256": "0" * 64, "bytes": 1}}),
        "handler.files: found '../x'; allowed: a path below handler/",
    ),
    (put(handler=None), "exchanges: allowed: only with a handler"),
    (first("inputs", name="a b"), "tensor name 'a b'; allowed: letters, digits and"),
]
WRONG = [
    pytest.param(kind, change, message, id=f"{kind}: {message}")
    for kind, changes in (("image", IMAGE), ("tensors", TENSORS), ("texts", TEXTS))
    for change, message in changes
]


@pytest.mark.parametrize("kind", KINDS)
def test_a_release_reads_back_as_the_same_bytes(kind: str) -> None:
    text = KINDS[kind].to_json()
    release = Release.from_json(text)
    assert release == KINDS[kind]
    assert release.to_json() == text
    assert release.digest == digest(text)


def test_an_integer_where_a_float_is_allowed_leaves_the_digest_as_it_was() -> None:
    found = image()
    assert found.image
    whole = replace(found, image=replace(found.image, mean=(0, 0, 0)))
    assert Release.from_json(whole.to_json()).digest == whole.digest


@pytest.mark.parametrize("kind", KINDS)
def test_files_are_the_model_its_warmup_and_the_handler(kind: str) -> None:
    release = KINDS[kind]
    handled = ["handler/handler.py", "handler/words.txt"] if release.handler else []
    warmup = [f"warmup/{tensor.name}" for tensor in release.inputs]
    assert list(release.files) == [release.model_file, *warmup, *handled]


@pytest.mark.parametrize(("kind", "change", "message"), WRONG)
def test_a_wrong_field_is_named_with_what_is_allowed(
    tmp_path: Path, kind: str, change: Callable[[Any], Any], message: str
) -> None:
    raw = json.loads(KINDS[kind].to_json())
    change(raw)
    path = tmp_path / "release.json"
    path.write_text(json.dumps(raw))
    with pytest.raises(ReleaseError) as error:
        files.read(path)
    assert str(error.value).startswith(f"{path}: ")
    assert message in str(error.value)
    assert "build it again: python -m model build" in str(error.value)


@pytest.mark.parametrize("text", [b"", b"\xff", b"[]", b"{}", b"[" * 100_000])
def test_a_file_that_is_no_release_is_refused(text: bytes) -> None:
    with pytest.raises(ReleaseError, match="build it again"):
        Release.from_json(text)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match=r"none\.json: No such file or directory"):
        files.read(tmp_path / "none.json")


def test_a_release_that_no_config_map_holds_is_not_written() -> None:
    large = replace(image().samples[0], image="A" * MAX_RELEASE_BYTES)
    with pytest.raises(ReleaseError, match="give fewer or smaller samples"):
        image(samples=(large,)).to_json()


@pytest.mark.parametrize("name", ["../x", "a/../b", "//x", "a//b", "a/", "..", "", "x" * 129])
def test_a_tensors_name_is_no_path_out_of_the_release(name: str) -> None:
    with pytest.raises(ReleaseError, match="tensor name"):
        replace(tensors(), format="onnx", inputs=(Tensor(name, "FP32", (1,)),))


@pytest.mark.parametrize("name", ["x", "/model/Add_output_0", "serving:0", "x" * 128])
def test_an_onnx_tensor_has_any_other_name(name: str) -> None:
    outputs = (*tensors().outputs[:-1], Tensor(name, "FP32", (1,)))
    assert replace(tensors(), format="onnx", outputs=outputs).outputs[-1].name == name
