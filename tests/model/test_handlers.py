"""Handlers: their files are released, and their exchanges are run at build."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from release import files
from release.schema import digest
from tests.model.definitions import forward, run, write

if TYPE_CHECKING:
    from pathlib import Path

HANDLER = """
import numpy as np
from words import WORDS

SCALE = {}

def setup(folder, parameters):
    SCALE["by"] = parameters["scale"]
    SCALE["suffix"] = (folder / "data" / "suffix.txt").read_text()

def preprocess(instances):
    rows = [[WORDS[each["word"]], 0, 0, 0] for each in instances]
    return {"INPUT__0": np.array(rows, np.float32) * SCALE["by"]}

def postprocess(outputs, instances):
    return [
        {"word": each["word"] + SCALE["suffix"], "value": row[0]}
        for each, row in zip(instances, outputs["OUTPUT__0"])
    ]
"""
EXCHANGES = "exchanges=[[{'word': 'two'}], [{'word': 'one'}, {'word': 'two'}]]"


def write_all(folder: Path, handler: str = HANDLER, more: str = EXCHANGES) -> Path:
    more = f"{more}{', ' if more else ''}parameters={{'scale': 3}}"
    write(folder, "mine/__init__.py", forward("return x * 2, x[:, 0]", more))
    for name, text in {
        "handler.py": handler,
        "words.py": "WORDS = {'one': 1, 'two': 2}\n",
        "data/suffix.txt": "!",
        ".hidden": "",
        "__pycache__/old.pyc": "",
    }.items():
        path = folder / "mine" / "handler" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def test_a_handler_is_released_with_its_predictions(tmp_path: Path) -> None:
    write_all(tmp_path)
    assert run(tmp_path, "build", "mine") == 0
    release = files.read_build(tmp_path / "build", "mine")
    assert release.handler is not None
    assert list(release.handler.files) == ["data/suffix.txt", "handler.py", "words.py"]
    assert release.handler.parameters == {"scale": 3}
    assert release.handler.preprocess
    assert release.handler.postprocess
    assert [exchange.predictions for exchange in release.exchanges] == [
        ({"word": "two!", "value": 12.0},),
        ({"word": "one!", "value": 6.0}, {"word": "two!", "value": 12.0}),
    ]
    folder = tmp_path / "build" / "mine"
    assert (folder / "handler" / "handler.py").read_text() == HANDLER
    files.check(folder, digest((folder / "release.json").read_bytes()))
    assert run(tmp_path, "verify", "mine") == 0


def test_a_prediction_that_differs_is_named_with_its_path(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_all(tmp_path)
    assert run(tmp_path, "build", "mine") == 0
    path = tmp_path / "build" / "mine" / "release.json"
    raw = json.loads(path.read_text())
    raw["exchanges"][1]["predictions"][1]["value"] = 11.0
    path.write_text(json.dumps(raw))
    assert run(tmp_path, "verify", "mine") == 1
    assert "exchanges[1]: predictions[1].value is 12.0 in place of 11.0" in capsys.readouterr().err


def test_a_handler_without_preprocess_is_sent_the_first_example(tmp_path: Path) -> None:
    handler = (
        "def postprocess(outputs, instances):\n    return [len(x) for x in outputs['OUTPUT__0']]"
    )
    write_all(tmp_path, handler, "")
    assert run(tmp_path, "build", "mine") == 0
    release = files.read_build(tmp_path / "build", "mine")
    assert release.handler is not None
    assert not release.handler.preprocess
    (exchange,) = release.exchanges
    assert list(exchange.instances[0]) == ["INPUT__0"]
    assert exchange.predictions == (4,)


REFUSED = {
    "no exchanges": (HANDLER, "", "exchanges: none; allowed with preprocess in the handler"),
    "a request that is no list": (
        HANDLER,
        "exchanges=[{'word': 'two'}]",
        r"exchanges\[0\]: found {'word': 'two'}; allowed: a list of instances",
    ),
    "instances that JSON can't hold": (
        HANDLER,
        "exchanges=[[{'word': {1}}]]",
        "exchanges: Object of type set is not JSON serializable; allowed: what JSON holds",
    ),
    "an import that fails": (
        "import nope",
        EXCHANGES,
        r"No module named 'nope' \(in .*handler.py, line 1\)",
    ),
    "neither function": ("x = 1", EXCHANGES, "neither preprocess nor postprocess"),
    "set-up that fails": (
        HANDLER.replace('"data"', '"nope"'),
        EXCHANGES,
        r"setup: FileNotFoundError.*handler.py, line 9\)",
    ),
    "preprocess that fails": (
        HANDLER.replace('each["word"]]', 'each["text"]]'),
        EXCHANGES,
        r"exchanges\[0\]: .*KeyError: 'text' \(in .*handler.py, line 12\)",
    ),
    "another dtype": (
        HANDLER.replace("np.float32", "np.float64"),
        EXCHANGES,
        r"INPUT__0: found float64; allowed: float32",
    ),
    "postprocess that fails": (
        HANDLER.replace('outputs["OUTPUT__0"]', 'outputs["OUTPUT__7"]'),
        EXCHANGES,
        r"postprocess: KeyError: 'OUTPUT__7' \(in .*handler.py, line 18\)",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_handler_is_refused(
    case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    handler, more, message = REFUSED[case]
    write_all(tmp_path, handler, more)
    assert run(tmp_path, "build", "mine") == 1
    found = capsys.readouterr().err
    assert re.search(message, found), found
    assert len(found.splitlines()) == 1


def test_a_folder_without_handler_py_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_all(tmp_path)
    (tmp_path / "mine" / "handler" / "handler.py").unlink()
    assert run(tmp_path, "build", "mine") == 1
    assert "no handler.py; allowed: one, with preprocess" in capsys.readouterr().err
