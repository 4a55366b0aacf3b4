"""The tables, and docs/benchmark.md, which is made of measure/bench/results.json."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from measure.bench import results as file
from measure.bench.placement.endpoints import KEY
from measure.bench.serving import table
from measure.bench.serving.page import render, write
from measure.bench.serving.results import SERVING, Cell, Key, Results, read
from measure.bench.serving.servers import ROOT
from measure.bench.tables import text
from tests.measure.bench.cases import MACHINE, RUN, results
from tests.measure.bench.test_plan import everything

if TYPE_CHECKING:
    from pathlib import Path

ONE = "1-png-32x32"


def whole() -> Results:
    return results(*dict.fromkeys(tuple(key.split("/")[:2]) for key in everything()))  # type: ignore[arg-type]


def test_the_page_in_docs_is_the_one_of_the_results() -> None:
    docs = ROOT / "docs"
    kept = file.read()
    wanted = render(read(kept.get(SERVING, {})), kept.get(KEY))
    plots = [f"benchmark/{path.name}" for path in (docs / "benchmark").glob("*.svg")]
    found = {name: (docs / name).read_text() for name in ("benchmark.md", *plots)}
    assert found == wanted, (
        "stale; make it anew: .venv-model/bin/python -m measure.bench.serving --render"
    )


def test_every_plot_is_shown_and_every_plot_shown_is_there() -> None:
    made = render(whole())
    shown = re.findall(r"\]\((benchmark/[^)]+)\)", made["benchmark.md"])
    assert sorted(shown) == sorted(name for name in made if name.endswith(".svg"))
    assert shown


def test_without_results_the_page_says_so_and_has_no_numbers() -> None:
    made = render(Results())
    assert list(made) == ["benchmark.md"]
    assert "Nothing has been measured yet" in made["benchmark.md"]
    assert "| ---" not in made["benchmark.md"]


def test_plots_of_before_are_removed(tmp_path: Path) -> None:
    write(whole(), None, tmp_path)
    write(Results(), None, tmp_path)
    assert [path.name for path in tmp_path.rglob("*.*")] == ["benchmark.md"]


def test_every_table_of_the_page_is_rectangular() -> None:
    blocks = re.findall(r"(?:^\|.*\|$\n?)+", render(whole())["benchmark.md"], re.MULTILINE)
    assert len(blocks) > 10
    for block in blocks:
        assert len({line.count("|") for line in block.splitlines()}) == 1


@pytest.mark.parametrize("load", ["rate100", "saturation", "clients64"])
def test_a_terminals_columns_line_up(load: str) -> None:
    head, body = table.heads(load), table.rows(results((load, ONE)), load, ONE)
    lines = text(head, body).splitlines()
    assert len(lines) == 9
    assert len({len(line) for line in lines}) == 1


def test_rows_have_the_ratio_to_the_sdk_in_the_same_run() -> None:
    found = {row[0]: row for row in table.rows(results(("rate100", ONE)), "rate100", ONE)}
    assert found["ours, binary to Triton"][-2:] == ("1.75", "3.50")
    assert found["SDK, JSON to Triton"][-2] == "1.00"


def test_where_rates_were_searched_for_they_are_compared() -> None:
    found = {row[0]: row for row in table.rows(results(("saturation", ONE)), "saturation", ONE)}
    assert found["ours, binary to Triton"][-2] == "0.57"


def test_a_subject_that_could_not_says_how_many_it_could() -> None:
    lacking = {Key("rate100", ONE, "sdk-json"): Cell(RUN, 3, None, capacity=62.3)}
    (row,) = table.rows(Results(lacking, {RUN: MACHINE}), "rate100", ONE)
    assert "at most 62" in row
    assert len(row) == len(table.heads("rate100"))


def test_a_goal_that_is_missed_is_called_so() -> None:
    found = {title: verdict for title, *_, verdict in table.goals(whole())}
    assert found["mean, to the SDK's JSON"] == "missed"
    assert found["images/s, 64 in one request to 64 one by one"] == "met"
