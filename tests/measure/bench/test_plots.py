"""The benchmark's plots: a line for each subject, a point for each figure."""

from __future__ import annotations

from measure.bench.serving.loads import CLIENTS
from measure.bench.serving.plots import percentiles, under_clients
from measure.bench.serving.results import Results
from tests.measure.bench.cases import results


def test_each_subject_has_a_line_and_a_name() -> None:
    text = percentiles(results(("rate100", "1-png-32x32")), "rate100", "1-png-32x32")
    assert text
    assert text.count('class="line reactive nofill"') == 8
    assert "ours, binary to Triton" in text


def test_each_number_of_clients_is_a_point() -> None:
    groups = [(f"clients{count}", "1-png-32x32") for count in CLIENTS]
    text = under_clients(results(*groups), CLIENTS, "1-png-32x32")
    assert text
    assert text.count('class="dot ') == 8 * len(CLIENTS)


def test_without_results_there_is_no_plot() -> None:
    assert percentiles(Results(), "rate100", "1-png-32x32") is None
    assert under_clients(Results(), CLIENTS, "1-png-32x32") is None
