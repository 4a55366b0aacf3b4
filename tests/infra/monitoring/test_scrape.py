"""How a scraper finds the metrics of each pod."""

from __future__ import annotations

from typing import Any

import pytest

from infra.config import MonitoringSettings
from infra.manifests.monitoring import scrape as s
from infra.manifests.monitoring.scrape import pod_monitorings, scrape_annotations
from infra.manifests.names import TRANSFORMER_PORT
from tests.infra.monitoring.cases import service, settings, without_transformer
from tests.infra.program import run


def annotated(component: str, scrape: str = "annotations", **keys: Any) -> dict[str, str]:
    return scrape_annotations(MonitoringSettings(scrape=scrape), settings(**keys), component)


@pytest.mark.parametrize("mode", ["Standard", "Knative"])
@pytest.mark.parametrize(("component", "port"), [("predictor", "8002"), ("transformer", "8080")])
def test_annotations_name_the_port_that_serves_metrics(
    mode: str, component: str, port: str
) -> None:
    made = annotated(component, mode=mode)
    assert made["prometheus.io/scrape"] == "true"
    assert made["prometheus.io/port"] == port
    assert made["prometheus.io/path"] == "/metrics"


def test_of_two_ports_in_a_pod_annotations_name_the_transformers() -> None:
    assert annotated("predictor", placement="collocated")["prometheus.io/port"] == "8080"


@pytest.mark.parametrize(
    ("placement", "scrape", "expected"),
    [
        ("collocated", "annotations", True),
        # Each port has a scrape of its own.
        ("collocated", "podmonitoring", False),
        ("collocated", "none", False),
        ("separate", "annotations", False),
    ],
)
def test_the_one_port_that_is_scraped_has_tritons_metrics_too(
    placement: str, scrape: str, expected: bool
) -> None:
    engine = run("local", {"placement": placement, "monitoring": {"scrape": scrape}})
    spec = engine.one("InferenceService")["spec"]
    part = spec["predictor" if placement == "collocated" else "transformer"]
    (container,) = part["containers"]
    assert ("--triton_metrics_port=8002" in container["args"]) == expected


def test_kserve_is_kept_from_naming_its_queue_proxys_port() -> None:
    assert annotated("predictor")["serving.kserve.io/enable-prometheus-scraping"] == "false"


@pytest.mark.parametrize("scrape", ["podmonitoring", "none"])
def test_nothing_is_annotated_for_other_scrapers(scrape: str) -> None:
    assert annotated("predictor", scrape) == {}


def test_the_transformers_port_is_the_one_that_it_is_given() -> None:
    assert s.TRANSFORMER_PORT == TRANSFORMER_PORT


def ports(**keys: Any) -> dict[str, list[int]]:
    made = pod_monitorings(service(**keys))
    return {
        name: [endpoint["port"] for endpoint in manifest["spec"]["endpoints"]]
        for name, manifest in made.items()
    }


def test_each_component_has_its_pod_monitoring() -> None:
    assert ports() == {"digits-predictor": [8002], "digits-transformer": [8080]}


def test_both_ports_of_a_collocated_pod_are_scraped() -> None:
    assert ports(placement="collocated") == {"digits-predictor": [8002, 8080]}


def test_without_a_transformer_only_triton_is_scraped() -> None:
    assert ports(**without_transformer()) == {"digits-predictor": [8002]}


def test_a_pod_monitoring_selects_the_pods_of_one_component_of_one_service() -> None:
    made = pod_monitorings(service())["digits-transformer"]
    assert made["metadata"]["namespace"] == "models"
    assert made["spec"]["selector"]["matchLabels"] == {
        "serving.kserve.io/inferenceservice": "digits",
        "component": "transformer",
    }


def test_series_get_the_labels_that_queries_select_by() -> None:
    made = pod_monitorings(service())["digits-predictor"]
    mapped = {pair["from"]: pair["to"] for pair in made["spec"]["targetLabels"]["fromPod"]}
    assert mapped == {
        "serving.kserve.io/inferenceservice": "serving_kserve_io_inferenceservice",
        "component": "component",
    }
    assert made["spec"]["targetLabels"]["metadata"] == ["pod"]
