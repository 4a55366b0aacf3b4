"""The dashboard: charts for what there is, in a layout that Cloud Monitoring gives back as is."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from infra.manifests.monitoring.dashboard import COLUMNS, charts, dashboard
from tests.infra.monitoring.cases import selectors, service, services, without_transformer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.manifests.monitoring.service import Service


def titles(*found: Service) -> list[str]:
    return [chart.title for chart in charts(found)]


def tiles(*found: Service) -> list[dict[str, Any]]:
    return list(dashboard("dev", found)["mosaicLayout"]["tiles"])


def leaves(value: Any) -> Iterator[Any]:
    """Every plain value of a document, and every list or object that is empty."""
    inner = value.values() if isinstance(value, dict) else value
    if not isinstance(value, dict | list) or not value:
        yield value
        return
    for item in inner:
        yield from leaves(item)


def cells(tile: dict[str, Any]) -> set[tuple[int, int]]:
    left, top = tile.get("xPos", 0), tile.get("yPos", 0)
    return {
        (x, y) for x in range(left, left + tile["width"]) for y in range(top, top + tile["height"])
    }


def test_every_measure_has_a_chart() -> None:
    assert titles(service(device="gpu")) == [
        "Requests",
        "Error ratio",
        "Latency",
        "Time in stages, mean",
        "Queue time, mean",
        "Compute time, mean",
        "Batch size, mean",
        "Ready pods, and their maximum",
        "Replicas, and their maximum",
        "GPU utilisation",
        "GPU memory",
    ]


def test_gpus_are_shown_where_there_are_any() -> None:
    assert "GPU memory" not in titles(service(device="cpu"))
    assert "GPU memory" in titles(service(device="cpu"), service(name="other", device="gpu"))


def test_a_model_is_a_line_in_every_chart() -> None:
    both = charts([service(), service(name="other", **without_transformer())])
    latency = next(chart for chart in both if chart.title == "Latency")
    assert set(latency.lines) == {"digits p50", "digits p95", "digits p99", "other mean"}
    stages = next(chart for chart in both if chart.title == "Time in stages, mean")
    assert set(stages.lines) == {"digits decode", "digits predict"}
    requests = next(chart for chart in both if chart.title == "Requests")
    assert set(requests.lines) == {"digits", "other"}


def test_objectives_are_drawn_across() -> None:
    objectives = {"p99Ms": 25, "successRatio": 0.99}
    found = {
        tile["widget"]["title"]: tile["widget"]["xyChart"].get("thresholds")
        for tile in tiles(service(perf={"objectives": objectives}))
    }
    assert found["Error ratio"] == [{"value": 0.01}]
    assert found["Latency"] == [{"value": 0.025}]
    assert found["Requests"] is None


@given(st.lists(services(), min_size=1, max_size=3))
def test_tiles_fill_the_grid_without_overlapping(found: list[Service]) -> None:
    made = tiles(*found)
    assert all(tile.get("xPos", 0) + tile["width"] <= COLUMNS for tile in made)
    assert not [pair for pair in combinations(made, 2) if cells(pair[0]) & cells(pair[1])]


@given(services())
def test_no_field_has_the_default_that_the_api_leaves_out(one: Service) -> None:
    assert all(leaf not in (0, "", None, False, [], {}) for leaf in leaves(dashboard("dev", [one])))


@given(services())
def test_every_data_set_is_a_query_with_a_legend(one: Service) -> None:
    for tile in tiles(one):
        for data in tile["widget"]["xyChart"]["dataSets"]:
            assert data["legendTemplate"].startswith(one.name)
            assert selectors(data["timeSeriesQuery"]["prometheusQuery"])
