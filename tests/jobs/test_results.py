"""A result file is read back; an invalid one gives an error of one line."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.__main__ import main
from jobs.load.results import Result, ResultError
from tests.jobs.results import job, result, run

if TYPE_CHECKING:
    from pathlib import Path

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=4,
)
THIS = result(run(100, 5, failing=0.1), job(100, 5))


def places(raw: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where there are values."""
    inside = raw.items() if isinstance(raw, dict) else enumerate(raw[:2])
    return [
        found
        for key, value in inside
        for found in (
            (*path, key),
            *(places(value, (*path, key)) if isinstance(value, (dict, list)) else ()),
        )
    ]


def test_what_the_job_writes_is_read() -> None:
    found = Result.of(THIS, "this")
    assert found.latency_ms.p99_99 == THIS["latency_ms"]["p99_99"]
    assert sum(each.requests for each in found.over_time) == found.requests == 500
    assert found.verdict == "fail"


@given(st.sampled_from(places(THIS)), ANYTHING)
def test_a_wrong_value_gives_an_error_of_one_line_or_none(
    place: tuple[Any, ...], value: Any
) -> None:
    raw = copy.deepcopy(THIS)
    inner: Any = raw
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    try:
        Result.parse(json.dumps(raw).encode(), "this")
    except ResultError as error:
        assert str(error).startswith("this: ")
        assert len(str(error).splitlines()) == 1
        assert len(str(error)) < 300


@given(st.binary(max_size=60))
def test_bytes_that_are_no_result_give_an_error_of_one_line(text: bytes) -> None:
    with pytest.raises(ResultError, match=r"^this: "):
        Result.parse(text, "this")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"schema": 3}, "schema: found 3; allowed: 4; allowed: a load test's result.json"),
        ({"verdict": "maybe"}, "verdict: found 'maybe'; allowed: 'pass' or 'fail' or 'invalid'"),
        ({"requests": "many"}, "requests: found 'many'; allowed: an integer"),
        ({"latency_ms": {}}, "latency_ms.mean: missing"),
        ({"over_time": [{"second": 0}]}, "over_time[0].requests: missing"),
        ({"status_codes": {"200": "all"}}, "status_codes.200: found 'all'; allowed: an integer"),
        ({"more": 1}, "more: no such field"),
    ],
)
def test_wrong_field_is_named(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ResultError) as raised:
        Result.of(THIS | change, "this")
    assert str(raised.value).startswith(f"this: {said}")


def test_command_puts_the_page_beside_the_result(
    write: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    this, previous = write(THIS, "result.json"), write(THIS, "previous.json")
    assert main(["report", str(this), "--previous", str(previous)]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'report.html'}\n"
    said = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Both runs tested the same release." in said


def test_command_writes_the_page_to_another_place(write: Any, tmp_path: Path) -> None:
    out = tmp_path / "there.html"
    assert main(["report", str(write(THIS)), "--out", str(out)]) == 0
    assert "<h1>" in out.read_text(encoding="utf-8")


@pytest.mark.parametrize("arguments", [["absent.json"], ["job.json"], ["THIS", "--out=/no/where"]])
def test_command_reports_an_error_in_one_line(
    write: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    write("{}", "job.json")
    write(THIS, "THIS")
    assert main(["report", *arguments]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert len(said.err.splitlines()) == 1
    assert said.err.startswith("report: ")
