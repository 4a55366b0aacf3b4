"""Every query that settings can lead to: PromQL, on metrics that exist and are collected."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING, Any

import promql_parser
import pytest
from hypothesis import given

from infra.manifests.monitoring import queries as q
from tests.infra.monitoring.cases import (
    OWN,
    matched,
    metrics,
    queries,
    selectors,
    service,
    services,
    without_transformer,
)

if TYPE_CHECKING:
    from infra.manifests.monitoring.service import Service

SOURCE = Path(__file__).parents[3] / "transformer" / "metrics.py"
# As Triton 2.51 lists them with a model loaded; those of GPUs by its user guide.
TRITON = {
    f"nv_{name}"
    for name in (
        "inference_request_success inference_request_failure inference_count inference_exec_count "
        "inference_request_duration_us inference_queue_duration_us "
        "inference_compute_input_duration_us inference_compute_infer_duration_us "
        "inference_compute_output_duration_us gpu_utilization gpu_memory_used_bytes "
        "gpu_memory_total_bytes"
    ).split()
}


def transformer_source() -> dict[str, Any]:
    """Buckets and metrics' names, from the source: its libraries are not installed here."""
    tree = ast.parse(SOURCE.read_text())
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    kinds = {
        call.args[0].value: call.func.id
        for call in calls
        if isinstance(call.func, ast.Name)
        and call.func.id in ("Counter", "Gauge", "Histogram")
        and isinstance(call.args[0], ast.Constant)
    }
    (buckets,) = [
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "BUCKETS"
    ]
    return {"kinds": kinds, "buckets": buckets}


def transformer_metrics() -> set[str]:
    names = set()
    for name, kind in transformer_source()["kinds"].items():
        names |= (
            {f"{name}_bucket", f"{name}_count", f"{name}_sum"} if kind == "Histogram" else {name}
        )
    return names


@given(services())
def test_every_query_is_promql(one: Service) -> None:
    for query in queries([one]):
        assert selectors(query)


@given(services())
def test_every_selector_names_the_service_and_its_namespace(one: Service) -> None:
    for query in queries([one]):
        for selector in selectors(query):
            labels = matched(selector)
            assert labels["namespace"] == one.namespace
            assert labels["serving_kserve_io_inferenceservice"] == one.name


@given(services())
def test_only_metrics_that_somebody_exports_are_asked_for(one: Service) -> None:
    known = TRITON | transformer_metrics() | {"up"}
    for query in queries([one]):
        assert metrics(query) <= known


@given(services())
def test_nothing_is_asked_of_what_is_not_there_or_not_scraped(one: Service) -> None:
    asked = set().union(*(metrics(query) for query in queries([one])))
    if not one.has_transformer:
        assert not {name for name in asked if name.startswith("transformer_")}
    if one.settings.device == "cpu":
        assert not {name for name in asked if name.startswith("nv_gpu_")}


def test_buckets_are_those_of_the_transformer() -> None:
    assert transformer_source()["buckets"] == q.BUCKETS


@pytest.mark.parametrize(
    ("p99_ms", "bound"),
    [(50, 0.05), (25, 0.025), (49.9, 0.04), (0.5, 0.0005), (0.4, None), (1e6, 60)],
)
def test_fast_is_what_is_surely_within_the_objective(p99_ms: float, bound: float | None) -> None:
    assert q.latency_bound(p99_ms) == bound


def test_whole_bounds_are_found_however_they_are_written() -> None:
    labels = [matched(each) for each in selectors(q.slow_ratio(service(), 1))]
    assert labels[0]["le"] == "1([.]0)?"
    labels = [matched(each) for each in selectors(q.slow_ratio(service(), 0.05))]
    assert labels[0]["le"] == "0.05"


def test_only_the_services_own_failures_are_errors() -> None:
    first = matched(selectors(q.error_ratio(service()))[0])
    assert first["status"] == "5.."
    assert q.error_ratio(service(**without_transformer())).count('reason!="CANCELED"') == 2


def test_latency_is_of_whole_requests_with_failures_and_without_the_clients_own_time() -> None:
    one = service()
    for query in (q.slow_ratio(one, 0.05), q.latency_quantile(one, 0.99)):
        assert metrics(query) <= {
            "transformer_request_seconds_bucket",
            "transformer_request_seconds_count",
        }
        for selector in selectors(query):
            (status,) = [each for each in selector.matchers.matchers if each.name == "status"]
            assert (status.op, status.value) == (promql_parser.MatchOp.NotRe, "408|499")


def test_replicas_are_counted_once_whatever_ports_they_have() -> None:
    assert "count by (pod)" in q.replicas(service(placement="collocated"), "predictor")


def test_of_a_server_of_ones_own_only_the_scrapes_are_known() -> None:
    own = service(transformer=OWN)
    assert not [
        name for query in queries([own]) for name in metrics(query) if "transformer" in name
    ]
    assert metrics(q.ready(own, "transformer")) == {"up"}
