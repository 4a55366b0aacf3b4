"""Accounts of a stack's own, each with one role on one prefix, and no key."""

from __future__ import annotations

import pytest

from infra.components.ownership import FORCE
from infra.config.problems import ConfigError
from infra.config.settings import Settings
from tests.infra.program import run, stack_config


def test_a_stack_has_an_account_for_reading_and_one_for_adding_results() -> None:
    engine = run("prod")
    assert {each["accountId"] for each in engine.of(":Account").values()} == {
        "kserve-models",
        "kserve-results",
    }
    grants = {
        each["role"]: each["condition"]["expression"]
        for each in engine.of("storage/bucketIAMMember:BucketIAMMember").values()
    }
    assert "/kserve-triton-prod-models/objects/models/" in grants["roles/storage.objectViewer"]
    assert "/kserve-triton-prod-models/objects/perf/" in grants["roles/storage.objectCreator"]
    assert len(grants) == 2


def test_only_the_namespaces_own_accounts_may_act_as_them() -> None:
    bound = run("prod").of("serviceaccount/iAMMember:IAMMember").values()
    assert {(each["role"], each["member"]) for each in bound} == {
        (
            "roles/iam.workloadIdentityUser",
            f"serviceAccount:kserve-triton-prod.svc.id.goog[models/{name}]",
        )
        for name in ("models", "perf")
    }


def test_pods_name_the_accounts_that_are_made() -> None:
    engine = run("prod")
    accounts = {
        each["metadata"]["name"]: each["metadata"].get("annotations", {})
        for each in engine.of(":ServiceAccount").values()
    }
    email = "kserve-models@kserve-triton-prod.iam.gserviceaccount.com"
    assert accounts["models"]["iam.gke.io/gcp-service-account"] == email
    spec = engine.one("InferenceService")["spec"]["predictor"]
    assert spec["serviceAccountName"] == "models"


def test_no_keys_are_made_anywhere() -> None:
    for stack in ("dev", "prod"):
        assert not run(stack).of("serviceaccount/key:Key")


def test_accounts_that_exist_are_left_alone() -> None:
    engine = run("prod", {"identity": {"create": False}})
    assert not engine.of(":Account")
    assert "models" not in {s["metadata"]["name"] for s in engine.of(":ServiceAccount").values()}


def test_an_account_without_a_name_is_refused() -> None:
    values = stack_config("local", {"identity": {"create": True}})
    with pytest.raises(ConfigError) as caught:
        Settings.parse(values)
    assert "models.digits.predictor.serviceAccount: missing" in str(caught.value)
    assert "jobs.serviceAccount: missing" in str(caught.value)


def test_an_account_that_is_made_is_for_one_purpose() -> None:
    both = {"jobs": {"serviceAccount": "models"}}
    with pytest.raises(Exception, match=r"cifar10\.predictor\.serviceAccount: found"):
        run("prod", both)
    # One that is there already may be anything to anybody.
    run("prod", both | {"identity": {"create": False}})


def test_models_and_accounts_that_are_made_are_claimed_in_the_namespace() -> None:
    claims = run("prod").of(":ConfigMapPatch")["namespace-kserve-triton-models"]
    names = {"cifar10", "serviceaccount.models", "serviceaccount.perf"}
    assert claims["data"] == dict.fromkeys(names, "prod")
    assert FORCE not in claims["metadata"].get("annotations", {})
