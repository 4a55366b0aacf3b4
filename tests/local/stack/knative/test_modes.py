"""A stack's mode changed in both directions, and the options that change the shape of its pods."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.local.stack.conftest import Stack, floats, release

if TYPE_CHECKING:
    from tests.local.stack.knative.conftest import KnativeStack

_GRPC: dict[str, Any] = {"protocol": "grpc"}


def _answers(stack: Stack, service: str) -> None:
    """As the release says that its network answers, and the load test has passed."""
    found, wanted = stack.predict(service), floats(release()["samples"][0]["outputs"][0])
    assert found["scores"] == pytest.approx(wanted, abs=1e-3)
    outputs = stack.outputs()
    assert outputs["models"]["digits"]["ready"] is True
    assert outputs["perf"]["digits"]["verdict"] == "pass"


def _containers(pods: list[dict[str, Any]]) -> list[set[str]]:
    return [{each["name"] for each in pod["spec"]["containers"]} for pod in pods]


def test_grpc_behind_the_transformer(knative: KnativeStack) -> None:
    knative.deploy(**_GRPC)
    _answers(knative, "digits-transformer")
    assert knative.service()["spec"]["predictor"]["model"]["protocolVersion"] == "grpc-v2"


def test_the_mode_changes_in_both_directions(knative: KnativeStack) -> None:
    knative.deploy(**_GRPC)
    knative.deploy(mode="Standard")
    # Its Services have addresses of their own.
    standard = Stack(knative.cluster, knative.folder, knative.name, knative.settings)
    _answers(standard, "digits-transformer")
    assert not knative.revisions()

    # Back, with other pods: the transformer beside Triton, which it asks by gRPC.
    knative.deploy(placement="collocated", protocol="grpc")
    _answers(knative, "digits-predictor")
    assert _containers(knative.pods()) == [
        {"kserve-container", "transformer-container", "queue-proxy"}
    ]
