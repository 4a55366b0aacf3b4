"""The Jobs: disruptions, retries, sidecars and what they may read."""

from __future__ import annotations

from typing import Any

import pulumi
import pytest

from infra.config import jobs as settings
from infra.manifests import jobs as manifests
from jobs import config
from release.load_test import MODEL_LABEL, RELEASE_ANNOTATION
from tests.infra.program import Recorder, run

COMPILED: dict[str, Any] = {"triton": {"container": "26.06-py3"}, "models": {"compiled": {}}}


def jobs(engine: Recorder) -> dict[str, dict[str, Any]]:
    """The spec of each Job, by the first word of its name: compile, verify, perf."""
    return {name.partition("-")[0]: job["spec"] for name, job in engine.of(":Job").items()}


def metadata(engine: Recorder, job: str) -> dict[str, Any]:
    return dict(jobs(engine)[job]["template"]["metadata"])


def test_a_disruption_is_no_failure_of_any_job() -> None:
    found = jobs(run("local", COMPILED))
    assert sorted(found) == ["compile", "perf", "verify"]
    for spec in found.values():
        first = spec["podFailurePolicy"]["rules"][0]
        assert first["action"] == "Ignore"
        assert first["onPodConditions"] == [{"type": "DisruptionTarget", "status": "True"}]
        # Kubernetes refuses the policy with another one.
        assert spec["template"]["spec"]["restartPolicy"] == "Never"


def test_a_verification_is_tried_again_unless_it_has_a_result() -> None:
    spec = jobs(run("local"))["verify"]
    assert spec["backoffLimit"] == 0
    other = spec["podFailurePolicy"]["rules"][1]
    assert other["action"] == "Ignore"
    assert other["onExitCodes"] == {
        "containerName": "verify",
        "operator": "NotIn",
        "values": [1, 2],
    }
    (container,) = spec["template"]["spec"]["containers"]
    assert container["name"] == "verify"


def test_a_load_test_that_fails_is_not_tried_again() -> None:
    spec = jobs(run("local", {"perf": {"durationSeconds": 100}}))["perf"]
    assert spec["backoffLimit"] == 0
    assert len(spec["podFailurePolicy"]["rules"]) == 1
    # A disruption at its end leaves the time for a second run.
    assert spec["activeDeadlineSeconds"] == 2 * 100 + manifests.LOAD_MARGIN_SECONDS


def test_a_load_test_says_of_which_release_its_verdict_is() -> None:
    engine = run("local")
    found = {name.partition("-")[0]: job["metadata"] for name, job in engine.of(":Job").items()}
    digest = engine.exports["models"]["digits"]["digest"]
    assert found["perf"]["annotations"][RELEASE_ANNOTATION] == digest
    assert found["perf"]["labels"][MODEL_LABEL] == "digits"
    assert RELEASE_ANNOTATION not in found["verify"]["annotations"]


def test_no_sidecar_and_no_autoscaler_touches_a_jobs_pod() -> None:
    engine = run("local", COMPILED)
    for job in jobs(engine):
        found = metadata(engine, job)
        assert found["labels"]["sidecar.istio.io/inject"] == "false"
        assert found["annotations"] == {
            "cluster-autoscaler.kubernetes.io/safe-to-evict": "false",
            "karpenter.sh/do-not-disrupt": "true",
            "linkerd.io/inject": "disabled",
            "sidecar.istio.io/inject": "false",
        }


def test_a_stack_may_put_the_jobs_into_its_mesh() -> None:
    mesh = {"sidecar.istio.io/inject": "true", "app.kubernetes.io/name": "another"}
    annotations = {"sidecar.istio.io/nativeSidecar": "true"}
    engine = run("local", {"jobs": {"labels": mesh, "annotations": annotations}})
    found, plain = metadata(engine, "verify"), metadata(run("local"), "verify")
    # Network policies select by the Jobs' own labels.
    assert found["labels"] == plain["labels"] | {"sidecar.istio.io/inject": "true"}
    assert found["annotations"] == plain["annotations"] | annotations


def test_the_verification_may_read_what_it_examines() -> None:
    rules = run("local").one(":Role")["rules"]
    assert {"apiGroups": ["apps"], "resources": ["replicasets"], "verbs": ["list"]} in rules
    assert {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["get"]} in rules
    assert {verb for rule in rules for verb in rule["verbs"]} == {"get", "list"}


def test_more_requests_than_a_load_test_keeps_are_refused() -> None:
    assert settings.MAX_REQUESTS == config.MAX_REQUESTS
    with pytest.raises(pulumi.RunError) as caught:
        run("local", {"perf": {"rate": 1000, "durationSeconds": 1001}})
    assert "found 1001000 requests; allowed: 1000000 in all" in str(caught.value)
    run("local", {"perf": {"rate": 1000, "durationSeconds": 1000}})
