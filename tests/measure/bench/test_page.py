"""The tables, and docs/benchmark.md, which is made of measure/bench/results.json."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from local.layout import ROOT
from measure.bench import results as file
from measure.bench.placement.endpoints import KEY
from measure.bench.serving import side_by_side, table
from measure.bench.serving.page import render, write
from measure.bench.serving.results import SERVING, Cell, Key, Results, read
from measure.bench.serving.subjects import FORMATS, PEERS, TRANSFORMERS
from measure.bench.tables import text
from tests.measure.bench.cases import MACHINE, RUN, results
from tests.measure.bench.test_plan import everything

if TYPE_CHECKING:
    from pathlib import Path

ONE = "1-png-32x32"
RATE = ("cifar10", "rate100", ONE)


def whole() -> Results:
    return results(*dict.fromkeys(tuple(key.split("/")[:3]) for key in everything()))  # type: ignore[arg-type]


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
    group = ("cifar10", load, ONE)
    head, body = table.heads(load), table.rows(results(group), group, TRANSFORMERS)
    lines = text(head, body).splitlines()
    assert len(lines) == 9
    assert len({len(line) for line in lines}) == 1


def test_rows_have_the_ratio_to_the_sdk_in_the_same_run() -> None:
    found = {row[0]: row for row in table.rows(results(RATE), RATE)}
    assert found["ours, binary to Triton"][-2:] == ("1.75", "3.50")
    assert found["SDK, JSON to Triton"][-2] == "1.00"


def test_where_rates_were_searched_for_they_are_compared() -> None:
    group = ("cifar10", "saturation", ONE)
    found = {row[0]: row for row in table.rows(results(group), group)}
    assert found["ours, binary to Triton"][-2] == "0.57"


def test_a_subject_that_could_not_says_how_many_it_could() -> None:
    lacking = {Key(*RATE, "sdk-json"): Cell(RUN, 3, None, capacity=62.3)}
    (row,) = table.rows(Results(lacking, {RUN: MACHINE}), RATE)
    assert "at most 62" in row
    assert len(row) == len(table.heads("rate100"))


def test_a_goal_that_is_missed_is_called_so() -> None:
    found = {title: verdict for title, *_, verdict in table.goals(whole())}
    assert found["mean, to the SDK's JSON"] == "missed"
    assert found["images/s, 64 in one request to 64 one by one"] == "met"


@pytest.mark.parametrize("model", ["cifar10", "cifar10-resnet"])
def test_peers_have_all_figures_and_their_ratio_to_ours(model: str) -> None:
    found = {row[0]: row for row in side_by_side.peers(whole(), model)}
    assert len(found) == len(PEERS)
    assert not [row for row in found.values() if table.NONE in row]
    assert found["ours, binary to Triton"][1] == "7.00 (1.00)"
    assert found["FastAPI"][1] == "9.00 (1.29)"
    # CPU and memory of a server and of Triton.
    assert found["FastAPI"][3:5] == ("3.00", "560")


def test_formats_have_their_ratio_to_torchscript() -> None:
    found = {row[0]: row for row in side_by_side.formats(whole(), "cifar10")}
    assert len(found) == len(FORMATS)
    assert found["torchscript"][1] == "2.00 (1.00)"
    assert found["onnx"][1] == "14.0 (7.00)"


def test_a_peer_that_could_not_keep_the_rate_says_how_many_it_could() -> None:
    lacking = whole().merged(RUN, MACHINE, {Key(*RATE, "ray"): Cell(RUN, 3, None, capacity=62.3)})
    found = {row[0]: row for row in side_by_side.peers(lacking, "cifar10")}
    assert found["Ray Serve"][1:5] == ("at most 62/s", "–", "–", "–")
