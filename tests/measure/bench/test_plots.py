"""The benchmark's plots: a line for each subject, a point for each figure."""

from __future__ import annotations

import pytest

from measure.bench.serving.loads import CLIENTS, FEW_CLIENTS
from measure.bench.serving.plots import LINES, percentiles, under_clients
from measure.bench.serving.results import Results
from measure.bench.serving.subjects import PEERS, TRANSFORMERS
from tests.measure.bench.cases import results

ONE = "1-png-32x32"
RATE = ("cifar10", "rate100", ONE)


def test_each_transformer_has_a_line_and_a_name() -> None:
    text = percentiles(results(RATE), RATE)
    assert text
    assert text.count('class="line reactive nofill"') == len(TRANSFORMERS)
    assert "ours, binary to Triton" in text


@pytest.mark.parametrize(("counts", "names"), [(CLIENTS, TRANSFORMERS), (FEW_CLIENTS, PEERS)])
def test_each_number_of_clients_is_a_point(counts: tuple[int, ...], names: tuple[str, ...]) -> None:
    groups = [("cifar10", f"clients{count}", ONE) for count in counts]
    text = under_clients(results(*groups), "cifar10", counts, names)
    assert text
    assert text.count('class="dot ') == len(names) * len(counts)


def test_no_two_lines_look_alike() -> None:
    assert len(set(LINES.values())) == len(LINES)
    assert set(LINES) == {*TRANSFORMERS, *PEERS}


def test_without_results_there_is_no_plot() -> None:
    assert percentiles(Results(), RATE) is None
    assert under_clients(Results(), "cifar10", CLIENTS, TRANSFORMERS) is None
