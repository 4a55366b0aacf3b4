"""Load test Jobs with other configurations, and the table of their results."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.config import JOB_VARIABLE
from measure.bench.placement.__main__ import copy
from measure.bench.placement.endpoints import ENDPOINTS, HOPS, PLACEMENTS, Latencies, rows
from measure.bench.results import medians

JOB: dict[str, Any] = {
    "model": "separate",
    "url": "http://separate-transformer.models.svc.cluster.local",
    "target": "transformer",
    "rate": 10,
    "duration_seconds": 1,
    "timeout_seconds": 10,
    "result": "gs://b/perf/x/result.json",
}
POD = "10.244.0.9"
MILLISECONDS = st.floats(0.01, 1e4)


def existing() -> dict[str, Any]:
    """As the API server gives it."""
    env = [{"name": JOB_VARIABLE, "value": json.dumps(JOB)}]
    pod = {"restartPolicy": "Never", "containers": [{"name": "load", "image": "i", "env": env}]}
    labels = {"app.kubernetes.io/name": "separate", "batch.kubernetes.io/controller-uid": "u"}
    template = {"metadata": {"labels": labels}, "spec": pod}
    return {"metadata": {"name": "perf-x", "uid": "u"}, "spec": {"template": template}}


def test_triton_is_measured_alone_and_behind_the_transformer() -> None:
    alone, behind = (s.config(JOB, POD, 8, "gs://b/r.json") for s in ENDPOINTS[:2])
    assert (alone["target"], behind["target"]) == ("predictor", "transformer")
    assert alone["url"] == "http://separate-predictor.models.svc.cluster.local"
    assert behind["url"] == JOB["url"]
    assert (alone["rate"], alone["duration_seconds"]) == (behind["rate"], 8) == (100, 8)


def test_the_pod_in_mode_knative_is_asked_at_its_address() -> None:
    urls = [each.config(JOB, POD, 8, "gs://b/r.json")["url"] for each in ENDPOINTS]
    assert urls.count(f"http://{POD}:8080") == urls.count(f"http://{POD}:8012") == 1
    assert not any("POD" in url for url in urls)


def test_every_endpoint_is_shown() -> None:
    assert {*PLACEMENTS, *HOPS} == {each.name for each in ENDPOINTS}


def test_a_copied_job_has_no_owner_and_runs_once() -> None:
    made = copy(existing(), "again", JOB | {"rate": 7})
    assert made["metadata"] == {"name": "again", "labels": {"app.kubernetes.io/name": "separate"}}
    assert "controller-uid" not in json.dumps(made)
    assert made["spec"]["backoffLimit"] == 0
    (container,) = made["spec"]["template"]["spec"]["containers"]
    assert json.loads(container["env"][0]["value"])["rate"] == 7
    assert container["image"] == "i"


@given(st.lists(st.builds(Latencies, *[MILLISECONDS] * 4), min_size=1, max_size=7))
def test_medians_lie_among_the_runs(runs: list[Latencies]) -> None:
    for name, value in asdict(medians(runs)).items():
        seen = [asdict(run)[name] for run in runs]
        assert min(seen) <= value <= max(seen)


def test_rows_are_compared_with_triton_alone() -> None:
    names = [endpoint.name for endpoint in ENDPOINTS]
    kept = {name: asdict(Latencies(at + 1.0, 2, 3, 4)) for at, name in enumerate(names)}
    made = list(rows({"figures": kept}, HOPS))
    assert [row[0] for row in made] == list(HOPS.values())
    assert [row[-1] for row in made] == ["1.00", "2.00", "6.00", "7.00", "8.00", "9.00", "10.00"]


def test_a_failed_request_is_an_error() -> None:
    latency = {"mean": 1, "p50": 1, "p99": 1}
    result = {"success_ratio": 0.99, "url": "u", "errors": {"refused": 1}, "latency_ms": latency}
    with pytest.raises(RuntimeError, match="refused"):
        Latencies.of(result)
