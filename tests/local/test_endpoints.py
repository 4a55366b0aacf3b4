"""Where a model is reached on this machine, in either mode."""

from __future__ import annotations

from typing import Any

import pytest

from local.endpoints import endpoint, gateway

BOOK = {
    "models/digits-predictor": {"80": "127.0.0.1:1001"},
    "models/digits-transformer": {"80": "127.0.0.1:1002"},
    "kourier-system/kourier": {"80": "127.0.0.1:1003", "443": "127.0.0.1:1004"},
}
PREDICT = "/v1/models/digits:predict"


def service(
    mode: str = "Standard",
    *,
    transformer: str | None = "separate",
    protocol: str = "v2",
    ready: bool = True,
) -> dict[str, Any]:
    predictor: dict[str, Any] = {"model": {"protocolVersion": protocol}}
    spec = {"predictor": predictor}
    if transformer == "separate":
        spec["transformer"] = {"containers": []}
    elif transformer == "collocated":
        predictor["containers"] = [{"name": "transformer-container"}]
    return {
        "metadata": {
            "name": "digits",
            "namespace": "models",
            "annotations": {"serving.kserve.io/deploymentMode": mode},
        },
        "spec": spec,
        "status": {
            "components": {
                name: {"url": f"http://digits-{name}.models.localhost"}
                for name in (spec if ready and mode == "Knative" else ())
            }
        },
    }


@pytest.mark.parametrize(
    ("changes", "predict", "http", "grpc"),
    [
        ({}, f"http://127.0.0.1:1002{PREDICT}", "http://127.0.0.1:1001", None),
        ({"protocol": "grpc-v2"}, f"http://127.0.0.1:1002{PREDICT}", None, "127.0.0.1:1001"),
        ({"transformer": None}, None, "http://127.0.0.1:1001", None),
        ({"transformer": "collocated"}, f"http://127.0.0.1:1001{PREDICT}", None, None),
        (
            {"transformer": "collocated", "protocol": "grpc-v2"},
            f"http://127.0.0.1:1001{PREDICT}",
            None,
            None,
        ),
    ],
)
def test_in_standard_mode_by_the_ports_of_services(
    changes: dict[str, Any], predict: str | None, http: str | None, grpc: str | None
) -> None:
    found = endpoint(service(**changes), BOOK)
    assert found == {"predict": predict, "v2_http": http, "v2_grpc": grpc}


def test_under_knative_by_names_at_the_gateway() -> None:
    assert endpoint(service("Knative"), BOOK) == {
        "predict": f"http://digits-transformer.models.localhost:1003{PREDICT}",
        "v2_http": "http://digits-predictor.models.localhost:1003",
        "v2_grpc": None,
        "gateway": "127.0.0.1:1003",
        "host": "digits-transformer.models.localhost",
    }


def test_under_knative_without_a_transformer_the_host_is_tritons() -> None:
    found = endpoint(service("Knative", transformer=None, protocol="grpc-v2"), BOOK)
    assert found == {
        "predict": None,
        "v2_http": None,
        "v2_grpc": "digits-predictor.models.localhost:1003",
        "gateway": "127.0.0.1:1003",
        "host": "digits-predictor.models.localhost",
    }


def test_what_has_no_address_yet_has_none() -> None:
    nothing = {"predict": None, "v2_http": None, "v2_grpc": None}
    assert endpoint(service(), {}) == nothing
    assert endpoint(service("Knative", ready=False), BOOK) == nothing | {
        "gateway": "127.0.0.1:1003",
        "host": None,
    }
    assert gateway({}) is None
