"""`python -m review` writes the comment, or one line of error."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from review.__main__ import main
from tests.review.examples import DOCS, EXAMPLES

ROOT = Path(__file__).parents[2]
GOOD = {"preview": "new-release.json", "lock": "lock.json", "base-lock": "base.json"}
DEEP = "[" * 500 + "]" * 500
# Content, and the reason for a preview and for a lock.
BAD = {
    "none": (None, "can't be read: No such file or directory", None),
    "empty": ("", "not JSON", None),
    "text": ("pulumi: command not found", "not JSON", None),
    "a list": ("[]", "Input should be a valid dictionary", "found []; allowed: an object"),
    "another object": ("{}", ": no ", "models: missing"),
    "deep": (DEEP, "nested deeper than 100", "found [[[[["),
    "too deep for Python": ("[" * 100_000, "not JSON", None),
}


@pytest.fixture
def files(tmp_path: Path) -> Path:
    example = EXAMPLES["new-release"]
    (tmp_path / "new-release.json").write_text(json.dumps(example.preview))
    (tmp_path / "lock.json").write_text(json.dumps(example.lock))
    (tmp_path / "base.json").write_text(json.dumps(example.base))
    return tmp_path


def test_the_comment_is_written_to_standard_output(files: Path) -> None:
    command = [sys.executable, "-m", "review", *_arguments(files)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    assert done.stderr == b""
    assert done.stdout == (DOCS / "new-release.md").read_bytes()


@pytest.mark.parametrize("what", GOOD)
@pytest.mark.parametrize("bad", BAD)
def test_a_bad_file_is_one_line_and_status_1(
    files: Path, what: str, bad: str, capfd: pytest.CaptureFixture[str]
) -> None:
    content, reason, lock_reason = BAD[bad]
    if content is not None:
        (files / "bad.json").write_text(content)
    assert main(_arguments(files, **{what: "bad.json"})) == 1
    out, err = capfd.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith(f"review: {files}/bad.json: ")
    assert (lock_reason if "lock" in what and lock_reason else reason) in err


def test_the_place_of_a_wrong_value_is_named(
    files: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (files / "bad.json").write_text('{"schema": 2, "models": {"digits": [{"digest": 1}]}}')
    main(_arguments(files, lock="bad.json"))
    assert "bad.json: models.digits[0].digest: found 1; allowed: a string; " in (
        capfd.readouterr().err
    )


def test_a_lock_of_another_schema_is_refused(files: Path) -> None:
    (files / "bad.json").write_text('{"schema": 1, "models": {}}')
    assert main(_arguments(files, lock="bad.json")) == 1


def test_a_stack_that_is_no_name_is_refused(files: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(_arguments(files, stack="prod --> x")) == 1
    assert "--stack 'prod --> x': allowed" in capfd.readouterr().err


def _arguments(files: Path, stack: str = "prod", **changes: str) -> list[str]:
    named = {key: str(files / name) for key, name in (GOOD | changes).items()}
    return [part for key, value in named.items() for part in (f"--{key}", value)] + [
        f"--stack={stack}"
    ]
