"""What alerts and dashboard stand on: whole requests, failures included."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.transformer.predictors import FakePredictor
from tests.transformer.server import Transformer, instances

if TYPE_CHECKING:
    from pathlib import Path

REQUESTS = "transformer_request_seconds_bucket"


def requests(transformer: Transformer) -> dict[tuple[str, str], float]:
    """Requests by status and bucket."""
    families = text_string_to_metric_families(transformer.ask("/metrics")[1])
    return {
        (sample.labels["status"], sample.labels["le"]): sample.value
        for family in families
        for sample in family.samples
        if sample.name == REQUESTS
    }


@pytest.mark.parametrize("protocol", ["v2", "grpc-v2"])
def test_a_client_who_waits_for_a_failure_is_one_of_the_slow(
    protocol: str, tmp_path: Path, samples: list[dict[str, Any]]
) -> None:
    """Triton never counts it, since it is silent."""
    arguments = (f"--predictor_protocol={protocol}", "--deadline_seconds=0.7")
    with (
        FakePredictor() as silent,
        Transformer(silent.address, tmp_path, *arguments) as made,
    ):
        assert made.predict(instances([samples[0]["image"]]))[0] == 504
        found = requests(made)
    assert found["504", "0.5"] == 0
    assert found["504", "+Inf"] == 1
