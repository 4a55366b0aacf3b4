"""Handlers that work, raise, hang, die, take all memory, or can't be set up."""

from __future__ import annotations

import concurrent.futures
import json
import textwrap
from typing import TYPE_CHECKING, Any

import pytest

from local.triton.server import Triton
from release.schema import ImageInput, Tensor
from tests.transformer.echo import MAX_BATCH_SIZE, Echo
from tests.transformer.pictures import b64, encoded
from tests.transformer.server import ROOT, Transformer, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WORDS = Echo("words", (Tensor("IN", "INT64", (-1,)),))
PICTURES = Echo(
    "pictures",
    (Tensor("IN", "FP32", (3, 8, 8)),),
    image=ImageInput(width=8, height=8, mean=(0.0,) * 3, std=(1.0,) * 3),
)
DEADLINE = 3
VOCABULARY_PY = "def number(word):\n    return len(word)\n"
# An instance is a text. Words are padded to the longest of the request.
HANDLER_PY = """
import os
import time
from pathlib import Path

import numpy as np
import vocabulary


def setup(folder, parameters):
    global suffix
    assert (Path(folder) / "vocabulary.py").exists()
    suffix = parameters["suffix"]


def preprocess(instances):
    rows = [[vocabulary.number(word) for word in text.split()] for text in instances]
    for text in instances:
        fail(text, "before")
    made = np.zeros((len(rows), max(map(len, rows))), np.int32)
    for row, numbers in zip(made, rows):
        row[: len(numbers)] = numbers
    if "much" in instances:
        made = np.zeros((len(rows), 2**22 + 99), np.int64)
    if "wrong name" in instances:
        return {"X": made}
    if "wrong type" in instances:
        return {"IN": made.astype(np.float32)}
    return {"IN": made}


def postprocess(outputs, instances):
    for text in instances:
        fail(text, "after")
    outputs["OUT"] += 0  # It may write into its arrays.
    if "too few" in instances:
        return []
    return [{"text": t + suffix, "row": r} for t, r in zip(instances, outputs["OUT"])]


def fail(text, when):
    if text == f"raise {when}":
        raise ValueError("no such word: schön")
    if text == f"bug {when}":
        {}["key"]
    if text == f"divide {when}":
        1 / 0
    if text == f"exit {when}":
        os._exit(3)
    if text == f"leave {when}":
        raise SystemExit("bye")
    if text == f"hang {when}":
        time.sleep(3600)
    if text == f"memory {when}":
        kept = [np.ones(2**20) for _ in range(10_000)]
    if text == f"print {when}":
        print("said by the handler")
"""
MEMORY = 256
ENVIRONMENT = {"HANDLER_PARAMETERS": '{"suffix": "!"}', "HANDLER_MEMORY": str(MEMORY)}


@pytest.fixture(scope="module")
def echoes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Triton]:
    folder = tmp_path_factory.mktemp("echoes")
    for each in (WORDS, PICTURES):
        each.install(folder / "repository")
    with Triton(folder / "repository", log=folder / "triton.log") as server:
        yield server


def transformer(
    folder: Path,
    predictor: str,
    source: str = HANDLER_PY,
    echo: Echo = WORDS,
    *arguments: str,
    **options: Any,
) -> Transformer:
    handler = {"handler.py": textwrap.dedent(source), "vocabulary.py": VOCABULARY_PY}
    release = echo.release(folder, handler, parameters={"suffix": "?", "other": 1}, **options)
    return Transformer(
        predictor,
        folder,
        f"--max_batch_size={MAX_BATCH_SIZE}",
        *arguments,
        model=echo.name,
        release=release,
        env={**ENVIRONMENT, "HANDLER": str(folder / "handler")},
    )


@pytest.fixture(scope="module")
def words(echoes: Triton, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Transformer]:
    folder = tmp_path_factory.mktemp("words")
    with transformer(folder, echoes.http, HANDLER_PY, WORDS, "--deadline_seconds=55") as made:
        wait_until_ready(made)
        yield made


@pytest.fixture(scope="module")
def hasty(echoes: Triton, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Transformer]:
    """Over gRPC, with a short deadline."""
    folder = tmp_path_factory.mktemp("hasty")
    arguments = ("--predictor_protocol=grpc-v2", f"--deadline_seconds={DEADLINE}")
    with transformer(folder, echoes.grpc, HANDLER_PY, WORDS, *arguments) as made:
        wait_until_ready(made)
        yield made


def wait_until_ready(made: Transformer) -> None:
    eventually(lambda: made.ask("/v2/health/ready")[0] == 200)


def predict(made: Transformer, *texts: Any) -> tuple[int, Any]:
    return made.predict(json.dumps({"instances": texts}).encode())


def traces(made: Transformer) -> list[str]:
    return [line["trace"] for line in made.lines() if line.get("trace")]


def test_a_batch_is_padded_and_its_parameters_are_the_stacks(words: Transformer) -> None:
    status, answer = predict(words, "a bc", "def", "a b c d")
    assert status == 200
    assert answer["predictions"] == [
        {"text": "a bc!", "row": [1, 2, 0, 0]},
        {"text": "def!", "row": [3, 0, 0, 0]},
        {"text": "a b c d!", "row": [1, 1, 1, 1]},
    ]


def test_more_instances_than_a_batch_keep_their_order(words: Transformer) -> None:
    texts = ["x" * (1 + n % 9) for n in range(3 * MAX_BATCH_SIZE + 1)]
    status, answer = predict(words, *texts)
    assert status == 200
    assert [each["row"] for each in answer["predictions"]] == [[len(text)] for text in texts]


def test_a_body_as_large_as_allowed(words: Transformer) -> None:
    text = "x" * (31 * 2**20)
    status, answer = predict(words, text)
    assert (status, answer) == (200, {"predictions": [{"text": text + "!", "row": [len(text)]}]})


@pytest.mark.parametrize(
    ("texts", "status", "error"),
    [
        (["a", "raise before"], 400, "instances[1]: no such word: schön"),
        (["bug before", "a"], 400, "instances[0]: KeyError: 'key'"),
        # An AttributeError tells of a wrong handler.
        (["a", 7], 500, "instances[1]: handler: preprocess: AttributeError: "),
        (["a", "divide before"], 500, "instances[1]: handler: preprocess: ZeroDivisionError: "),
        (["a", "raise after"], 500, "instances[1]: handler: postprocess: no such word: schön"),
        (["divide after", "a"], 500, "instances[0]: handler: postprocess: ZeroDivisionError: "),
        (["leave before"], 500, "instances[0]: handler: preprocess: SystemExit: bye"),
        (["wrong name"], 500, "handler: preprocess: found 'X'; allowed: a dict with IN"),
        (["wrong type"], 500, "handler: preprocess: IN: found float32; allowed: int64"),
        (["much", "a"], 413, "handler: preprocess: it answers 64 MiB; allowed: 64 MiB; send fewer"),
        (["too few"], 500, "handler: postprocess: found 0 predictions; allowed: 1"),
    ],
)
def test_errors_name_the_instance_and_the_log_has_the_traceback(
    words: Transformer, texts: list[Any], status: int, error: str
) -> None:
    before = len(traces(words))
    found, answer = predict(words, *texts)
    assert found == status
    assert answer["error"].startswith(error)
    if "found" not in error and status != 413:
        eventually(lambda: any('handler.py", line ' in each for each in traces(words)[before:]))
    assert predict(words, "a")[0] == 200


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_process_that_ends_is_replaced(words: Transformer, when: str) -> None:
    function = "preprocess" if when == "before" else "postprocess"
    # More often than there are processes.
    for _ in range(4):
        status, answer = predict(words, f"exit {when}")
        assert status == 500
        assert answer["error"] == f"handler: {function}: its process ended with exit status 3"
    assert predict(words, "a")[0] == 200


@pytest.mark.parametrize("when", ["before", "after"])
def test_memory_is_bounded(words: Transformer, when: str) -> None:
    function = "preprocess" if when == "before" else "postprocess"
    status, answer = predict(words, f"memory {when}")
    assert status == 500
    assert f"handler: {function}: " in answer["error"]
    assert answer["error"].endswith(f"HANDLER_MEMORY allows {MEMORY} MiB")
    assert predict(words, "a")[0] == 200


def test_what_it_prints_is_in_the_log(words: Transformer) -> None:
    assert predict(words, "print before")[0] == 200
    eventually(lambda: "said by the handler" in words.log.read_text())


def test_tensors_of_v2_pass_it_by(words: Transformer) -> None:
    inputs = [{"name": "IN", "shape": [1, 2], "datatype": "INT64", "data": [5, 6]}]
    status, answer = words.infer(json.dumps({"inputs": inputs}).encode())
    assert (status, answer["outputs"][0]["data"]) == (200, [5, 6])


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_call_that_hangs_is_killed_and_stops_no_other(hasty: Transformer, when: str) -> None:
    function = "preprocess" if when == "before" else "postprocess"
    before = hasty.workers()
    with concurrent.futures.ThreadPoolExecutor() as pool:
        waiting = pool.submit(predict, hasty, f"hang {when}")
        while not waiting.done():
            assert hasty.ask("/v2/health/live")[0] == 200
            # 503: on a busy machine the one other process may take as long as the deadline.
            assert predict(hasty, "a")[0] in (200, 503)
    status, answer = waiting.result()
    assert status == 500
    assert answer["error"] == f"{DEADLINE} s passed before the handler's {function} returned"
    eventually(lambda: len(set(before) & set(hasty.workers())) < len(before))
    eventually(lambda: predict(hasty, "a")[0] == 200)


def test_calls_that_hang_in_all_processes_leave_health_alive(hasty: Transformer) -> None:
    count = 2 * len(hasty.workers())
    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        waiting = [pool.submit(predict, hasty, "hang before") for _ in range(count)]
        while not all(each.done() for each in waiting):
            assert hasty.ask("/v2/health/live")[0] == 200
    assert {each.result()[0] for each in waiting} == {500, 503}
    eventually(lambda: predict(hasty, "a")[0] == 200)


def test_it_is_ready_when_the_setup_is_done(echoes: Triton, tmp_path: Path) -> None:
    done = tmp_path / "done"
    source = f"""
        import pathlib, time, numpy

        def setup(folder, parameters):
            while not pathlib.Path({str(done)!r}).exists():
                time.sleep(0.01)

        def preprocess(instances):
            return {{"IN": numpy.zeros((len(instances), 1), numpy.int64)}}
    """
    with transformer(tmp_path, echoes.http, source, postprocess=False) as made:
        assert made.ask("/v2/health/live")[0] == 200
        assert made.ask("/v2/health/ready") == (503, {"ready": False})
        done.touch()
        wait_until_ready(made)
        assert predict(made, 1, 2) == (200, {"predictions": [{"OUT": [0]}, {"OUT": [0]}]})


BROKEN = [
    ("setup", "def setup(folder, parameters):\n    open('/nowhere')\n", "setup: FileNotFoundError"),
    ("import", "import a_library_that_is_not_there\n", "ModuleNotFoundError: No module named 'a_l"),
    ("syntax", "def preprocess(:\n", "SyntaxError: invalid syntax"),
    ("nothing", "x = 1\n", "has neither preprocess nor postprocess"),
    ("end", "import os\nos._exit(7)\n", "setup: its process ended with exit status 7"),
    ("memory", "import numpy\nx = numpy.ones(10**10)\n", f"HANDLER_MEMORY allows {MEMORY} MiB"),
]


@pytest.mark.parametrize(
    ("source", "error"), [case[1:] for case in BROKEN], ids=[case[0] for case in BROKEN]
)
def test_a_handler_that_cannot_be_set_up_ends_the_container(
    source: str, error: str, tmp_path: Path
) -> None:
    if source.startswith("def setup"):
        source += "def preprocess(instances):\n    return {}\n"
    made = transformer(tmp_path, "127.0.0.1:1", source, WORDS)
    made.run_to_its_end()
    assert made.process.returncode == 2
    text = made.log.read_text()
    assert any(line.startswith("transformer: ") and error in line for line in text.splitlines()), (
        text
    )
    assert ("Traceback" in text) == (error not in (BROKEN[3][2], BROKEN[4][2]))


def test_its_processes_end_with_a_server_that_is_killed(echoes: Triton, tmp_path: Path) -> None:
    with transformer(tmp_path, echoes.http) as made:
        wait_until_ready(made)
        pids = made.workers()
        assert pids
        made.process.kill()
        eventually(lambda: not any(_runs(pid) for pid in pids))


def test_only_postprocess_behind_the_built_in_pictures(echoes: Triton, tmp_path: Path) -> None:
    source = """
        def postprocess(outputs, instances):
            rows = zip(instances, outputs["OUT"])
            return [{"name": each["name"], "white": row.max()} for each, row in rows]
    """
    from PIL import Image

    data = b64(encoded(Image.new("RGB", (8, 8), "white"), "PNG"))
    with transformer(tmp_path, echoes.http, source, PICTURES, preprocess=False) as made:
        wait_until_ready(made)
        assert predict(made, {"name": "a", "image": {"b64": data}}) == (
            200,
            {"predictions": [{"name": "a", "white": 1.0}]},
        )
        status, answer = predict(made, {"name": "a", "image": {"b64": b64(b"no picture")}})
        assert (status, answer["error"][:28]) == (400, "instances[0]: not an image; ")


def test_its_own_modules_are_those_beside_it(words: Transformer) -> None:
    assert not (ROOT / "vocabulary.py").exists()
    assert predict(words, "four")[1]["predictions"][0]["row"] == [4]


def _runs(pid: int) -> bool:
    from pathlib import Path

    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"
