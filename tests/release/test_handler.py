"""Handlers in process, as the build runs them, and the forms of V1 that need none."""

from __future__ import annotations

import re
import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from release.handler import Handler, HandlerError, InstanceError, load
from release.schema import File, ImageInput, Release, Tensor, Warmup
from tests.transformer.pictures import b64, encoded

if TYPE_CHECKING:
    from pathlib import Path

IDS = Tensor("IDS", "INT64", (-1,))
TEXT = Tensor("TEXT", "BYTES", (1,))
SCORES = Tensor("SCORES", "FP32", (2,))


def release(*inputs: Tensor, outputs: tuple[Tensor, ...] = (SCORES,), **more: Any) -> Release:
    return Release(
        name="m",
        format="onnx",
        model=File("0" * 64, 1),
        torch="2.12.1",
        inputs=inputs,
        outputs=outputs,
        samples=(),
        warmup={each.name: Warmup("0" * 64, (1,) * len(each.dims)) for each in inputs},
        **more,
    )


def handler(
    folder: Path, source: str, served: Release | None = None, parameters: Any = None, **files: str
) -> Handler:
    for name, text in {"handler": source, **files}.items():
        (folder / f"{name}.py").write_text(textwrap.dedent(text))
    return load(folder, served or release(IDS), parameters or {})


ROWS = """
    import numpy as np

    def preprocess(instances):
        return {"IDS": np.array([[int(each["id"])] for each in instances])}
"""


def test_setup_is_called_once_with_the_folder_and_the_parameters(tmp_path: Path) -> None:
    source = """
        import numpy as np
        calls = []

        def setup(folder, parameters):
            calls.append((folder, parameters))

        def preprocess(instances):
            return {"IDS": np.full((len(instances), 1), len(calls))}

        def postprocess(outputs, instances):
            return [[str(folder), parameters] for folder, parameters in calls]
    """
    made = handler(tmp_path, source, parameters={"k": 1})
    assert (made.own_preprocess, made.own_postprocess) == (True, True)
    assert made.preprocess([1, 2])["IDS"].tolist() == [[1], [1]]
    assert made.postprocess({}, [1]) == [[str(tmp_path), {"k": 1}]]


def test_modules_beside_it_are_its_own_though_another_handlers_have_the_same_names(
    tmp_path: Path,
) -> None:
    source = """
        import numpy as np
        import words

        def preprocess(instances):
            from words import NUMBER
            return {"IDS": np.full((len(instances), 1), NUMBER + words.NUMBER)}
    """
    for number in (1, 2):
        folder = tmp_path / str(number)
        folder.mkdir()
        made = handler(folder, source, words=f"NUMBER = {number}")
        assert made.preprocess([None])["IDS"].tolist() == [[2 * number]]


def test_a_safe_cast_is_made_and_another_refused(tmp_path: Path) -> None:
    source = """
        import numpy as np

        def preprocess(instances):
            return {"IDS": np.ones((len(instances), 2), instances[0])}
    """
    made = handler(tmp_path, source)
    for dtype in ("int8", "uint32", "bool", "int64"):
        assert made.preprocess([dtype])["IDS"].dtype == np.int64
    for dtype in ("float32", "uint64", "object"):
        message = f"IDS: found {dtype}; allowed: int64, or what fits into it: .astype(np.int64)"
        with pytest.raises(HandlerError, match=re.escape(message)):
            made.preprocess([dtype])


WRONG = [
    ("7", "found int; allowed: a dict with IDS"),
    ("{}", "found no inputs; allowed: a dict with IDS"),
    ("{'X': 1, 'IDS': 1}", "found 'X', 'IDS'; allowed: a dict with IDS"),
    ("{'IDS': [[1], [2]]}", "IDS: found list; allowed: a numpy array"),
    ("{'IDS': np.ones(2, int)}", "IDS: found the shape [2]; allowed: [2, -1]"),
    ("{'IDS': np.ones((3, 1), int)}", "IDS: found the shape [3, 1]; allowed: [2, -1]"),
]


@pytest.mark.parametrize(("answer", "message"), WRONG, ids=[message for _, message in WRONG])
def test_wrong_inputs_are_named(tmp_path: Path, answer: str, message: str) -> None:
    source = f"""
        import numpy as np

        def preprocess(instances):
            return {answer}
    """
    with pytest.raises(HandlerError) as error:
        handler(tmp_path, source).preprocess([1, 2])
    assert str(error.value) == f"handler: preprocess: {message}"


def test_texts_are_str_on_both_sides(tmp_path: Path) -> None:
    source = """
        import numpy as np

        def preprocess(instances):
            made = np.empty((len(instances), 1), object)
            made[:, 0] = instances
            return {"TEXT": made if len(instances) > 1 else made.astype(str)}

        def postprocess(outputs, instances):
            return [type(each).__name__ for each in outputs["TEXT"][:, 0]]
    """
    made = handler(tmp_path, source, release(TEXT, outputs=(TEXT,)))
    assert made.preprocess(["ü"])["TEXT"].tolist() == [["ü"]]
    assert made.preprocess(["ü", "x"])["TEXT"].tolist() == [["ü"], ["x"]]
    with pytest.raises(HandlerError, match="TEXT: found object; allowed: texts"):
        made.preprocess(["ü", 7])
    given = np.array([[b"\xff"], ["y"]], object)
    assert made.postprocess({"TEXT": given}, [1, 2]) == ["str", "str"]


def test_an_error_names_the_first_instance_that_fails_by_itself(tmp_path: Path) -> None:
    made = handler(tmp_path, ROWS)
    for instances, message in [
        ([{"id": "1"}, {}, {}], "instances[1]: KeyError: 'id'"),
        ([{"id": "x"}], "instances[0]: invalid literal for int() with base 10: 'x'"),
        ([{"id": 1}, 7], "instances[1]: TypeError: 'int' object is not subscriptable"),
    ]:
        with pytest.raises(InstanceError) as error:
            made.preprocess(instances)
        assert str(error.value) == message
        assert error.value.__cause__ is not None
        assert error.value.__cause__.__traceback__ is not None


def test_an_error_of_all_instances_together_names_none(tmp_path: Path) -> None:
    source = """
        def preprocess(instances):
            if len(instances) > 1:
                raise ValueError("one at a time")

        def postprocess(outputs, instances):
            assert len(instances) == 1
    """
    made = handler(tmp_path, source)
    with pytest.raises(InstanceError, match=r"^instances: one at a time$"):
        made.preprocess([1, 2])
    with pytest.raises(HandlerError, match=r"^instances: handler: postprocess: AssertionError$"):
        made.postprocess({"SCORES": np.zeros((2, 2))}, [1, 2])


def test_an_error_behind_the_network_names_its_row(tmp_path: Path) -> None:
    source = """
        def postprocess(outputs, instances):
            return [1 / int(row[0]) for row in outputs["SCORES"]]
    """
    scores = np.array([[1, 1], [0, 1], [0, 0]], np.float32)
    message = r"instances\[1\]: handler: postprocess: ZeroDivisionError: division by zero"
    with pytest.raises(HandlerError, match=message):
        handler(tmp_path, source).postprocess({"SCORES": scores}, [1, 2, 3])


def test_predictions_are_checked(tmp_path: Path) -> None:
    source = """
        def postprocess(outputs, instances):
            return instances[0]
    """
    made = handler(tmp_path, source)
    for answer, message in [
        (7, "found int; allowed: a list of predictions"),
        ([1, 2], "found 2 predictions; allowed: 1, one for each instance"),
        ([{3}], "predictions[0]: found set; allowed: values of JSON, numpy arrays"),
    ]:
        with pytest.raises(HandlerError) as error:
            made.postprocess({}, [answer])
        assert str(error.value) == f"handler: postprocess: {message}"
    assert made.postprocess({}, [np.array([[1.5, np.nan]])]) == [[1.5, None]]


BROKEN = [
    ("def preprocess(:", "SyntaxError: "),
    ("import not_there", "ModuleNotFoundError: No module named 'not_there'"),
    ("raise SystemExit(3)", "SystemExit: 3"),
    ("", "has neither preprocess nor postprocess; allowed: "),
    ("def preprocess(i): ...\ndef setup(f, p): p['k']", "setup: KeyError: 'k'"),
]


@pytest.mark.parametrize(("source", "message"), BROKEN, ids=[message for _, message in BROKEN])
def test_a_handler_that_cannot_be_loaded_is_named(
    tmp_path: Path, source: str, message: str
) -> None:
    with pytest.raises(HandlerError) as error:
        handler(tmp_path, source)
    assert str(error.value).startswith(f"{tmp_path / 'handler.py'}: {message}")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(HandlerError, match=r"handler\.py: FileNotFoundError"):
        load(tmp_path, release(IDS), {})


def test_a_missing_postprocess_is_built_in(tmp_path: Path) -> None:
    made = handler(tmp_path, ROWS)
    assert not made.own_postprocess
    outputs = {"SCORES": np.array([[1, 2]], np.float32)}
    assert made.postprocess(outputs, [1]) == [{"SCORES": [1.0, 2.0]}]
    labelled = Tensor("SCORES", "FP32", (2,), ("a", "b"))
    made = handler(tmp_path, ROWS, release(IDS, outputs=(labelled, TEXT)))
    expected = [{"label": "b", "index": 1, "scores": [1.0, 2.0]}]
    assert made.postprocess(outputs, [1]) == expected


def test_named_tensors_are_built_in() -> None:
    made = load(None, release(IDS, TEXT), {})
    found = made.preprocess([{"IDS": [1, 2], "TEXT": ["a"]}, {"IDS": [3, 4], "TEXT": ["b"]}])
    assert {name: array.tolist() for name, array in found.items()} == {
        "IDS": [[1, 2], [3, 4]],
        "TEXT": [["a"], ["b"]],
    }
    one = load(None, release(IDS), {})
    assert one.preprocess([[1, 2]])["IDS"].tolist() == [[1, 2]]
    for instances, message in [
        ([[1]], "instances[0]: allowed: an object with IDS, TEXT"),
        ([{"IDS": [1]}], "instances[0]: found 'IDS'; allowed: IDS, TEXT"),
        (
            [{"IDS": [1], "TEXT": "a"}],
            "instances[0]: TEXT has the shape []; allowed: [1]",
        ),
        (
            [{"IDS": [1], "TEXT": ["a"]}, {"IDS": [1, 2], "TEXT": ["a"]}],
            "instances[1]: IDS has the shape [2], in instances[0] [1]; allowed: one shape in a "
            "request; pad them, or send them apart",
        ),
    ]:
        with pytest.raises(InstanceError) as error:
            made.preprocess(instances)
        assert str(error.value) == message


def test_pictures_are_built_in() -> None:
    how = ImageInput(width=2, height=2, mean=(0.0,) * 3, std=(1.0,) * 3)
    made = load(None, release(Tensor("IN", "FP32", (3, 2, 2)), image=how), {})
    picture = b64(encoded(Image.new("RGB", (2, 2), "white"), "PNG"))
    for key in ("image", "image_bytes"):
        assert (made.preprocess([{key: {"b64": picture}}])["IN"] == 1).all()
    for instance, message in [
        ({}, "no image_bytes.b64; allowed: "),
        ({"image": "x"}, "image has no text 'b64'; allowed: "),
        ({"image": {"b64": b64(b"no picture")}}, "not a picture: "),
    ]:
        with pytest.raises(InstanceError) as error:
            made.preprocess([instance])
        assert str(error.value).startswith(f"instances[0]: {message}")


def test_without_a_batch_the_tensors_are_whole(tmp_path: Path) -> None:
    whole = release(IDS, outputs=(Tensor("SCORES", "FP32", (-1,)),), batching=False)
    built_in = load(None, whole, {})
    assert built_in.preprocess([[1, 2, 3]])["IDS"].tolist() == [1, 2, 3]
    scores = {"SCORES": np.array([1, 2], np.float32)}
    assert built_in.postprocess(scores, [1]) == [{"SCORES": [1.0, 2.0]}]
    source = """
        import numpy as np

        def preprocess(instances):
            return {"IDS": np.arange(5)}
    """
    made = handler(tmp_path, source, whole)
    assert made.preprocess([1, 2])["IDS"].tolist() == [0, 1, 2, 3, 4]
