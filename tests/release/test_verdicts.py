"""Verdicts in a stack's state: passes by its outputs, failures by the Job that failed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from model.__main__ import main
from release import lock
from release.load_test import MODEL_LABEL, RELEASE_ANNOTATION, verdict_line
from release.lock import Verdict
from release.schema import ReleaseError
from release.verdicts import Found, read_verdicts
from tests.release.examples import image, releases

if TYPE_CHECKING:
    from pathlib import Path

DIGITS = image()
PERF = {"verdict": "pass", "result": None, "report": None, "objectives": {"p99Ms": 50.0}}
PASS = Verdict("pass", {"p99Ms": 50.0})
OUTPUTS = {"models": {"digits": {"digest": DIGITS.digest}}, "perf": {"digits": PERF}}


def state(
    *resources: dict[str, Any],
    outputs: dict[str, Any] | None = None,
    project: str = "kserve-triton",
) -> str:
    """As `pulumi stack export` writes it."""
    urn = f"urn:pulumi:dev::{project}::pulumi:pulumi:Stack::{project}-dev"
    stack = {"type": "pulumi:pulumi:Stack", "urn": urn, "outputs": outputs or {}}
    return json.dumps({"version": 3, "deployment": {"resources": [stack, *resources]}})


def job(digest: str, *errors: str, model: str = "digits") -> dict[str, Any]:
    """The load test's Job; Pulumi keeps what it said of one that failed."""
    metadata = {"labels": {MODEL_LABEL: model}, "annotations": {RELEASE_ANNOTATION: digest}}
    made = {"type": "kubernetes:batch/v1:Job", "urn": "u", "inputs": {"metadata": metadata}}
    return made | ({"initErrors": list(errors)} if errors else {})


def component(model: str) -> dict[str, Any]:
    """A model's component, which is in the state before its resources are."""
    kind = "kserve-triton:index:ServedModel"
    return {"type": kind, "urn": f"urn:pulumi:dev::kserve-triton::{kind}::{model}"}


def message(text: str) -> str:
    """An error of Pulumi's Kubernetes plugin about a pod whose last message this is."""
    return f"[Pod models/perf-digits-1-2]: containers with unready status: [load]\n[Error] {text}"


def test_a_pass_is_read_from_the_outputs() -> None:
    assert read_verdicts(state(outputs=OUTPUTS)).found == [Found("digits", DIGITS.digest, PASS)]


@pytest.mark.parametrize(("percent", "found"), [(0, 1), (10, 0)])
def test_a_load_test_over_two_releases_proves_neither(percent: int, found: int) -> None:
    served = OUTPUTS["models"]["digits"] | {"canary": {"trafficPercent": percent}}
    outputs = OUTPUTS | {"models": {"digits": served}}
    assert len(read_verdicts(state(outputs=outputs)).found) == found


def test_a_failure_is_read_beside_the_outputs_of_the_update_before() -> None:
    said = message(f"{verdict_line('digits', 'fail')}\np99_ms: found 80, wanted at most 50: MISSED")
    failed = job("b" * 64, "Job has reached the specified backoff limit", said)
    assert read_verdicts(state(failed, outputs=OUTPUTS)).found == [
        Found("digits", DIGITS.digest, PASS),
        Found("digits", "b" * 64, Verdict("fail")),
    ]


@pytest.mark.parametrize(
    "said",
    [
        verdict_line("digits", "invalid"),
        verdict_line("digits", "the endpoint does not answer a sample: failed to connect"),
        verdict_line("digits", "fail") + "ed to store the result",
        verdict_line("more-digits", "fail"),
        "OOMKilled",
    ],
)
def test_a_job_that_ended_without_that_verdict_has_not_failed_the_release(said: str) -> None:
    assert read_verdicts(state(job("b" * 64, message(said)))).found == []


def test_other_jobs_have_no_verdict() -> None:
    verification = job("b" * 64, message("digits can't become ready"))
    del verification["inputs"]["metadata"]["annotations"]
    assert read_verdicts(state(verification, job(DIGITS.digest))).found == []


def test_they_are_written_into_the_lock(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, exported = tmp_path / "models.lock.json", tmp_path / "state.json"
    first, second = releases(2)
    for each in (first, second):
        lock.pin(path, each)
    outputs = OUTPUTS | {"models": {"digits": {"digest": first.digest}}}
    said = message(verdict_line("digits", "fail"))
    exported.write_text(state(job(second.digest, said), outputs=outputs))
    prove = ["prove", "--stack", "dev", "--state", str(exported), "--lock", str(path)]
    assert main(prove) == 0
    entries = lock.read(path).releases("digits")
    assert [entry.proven for entry in entries] == [{"dev": Verdict("fail")}, {"dev": PASS}]
    exported.write_text(state(job(first.digest, said)))
    assert main(prove) == 0
    assert "fail; it passed there before, and that stays" in capsys.readouterr().out
    assert lock.read(path).releases("digits") == entries


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            state(outputs=OUTPUTS | {"models": {"digits": {"canary": {"trafficPercent": 10}}}}),
            "digits: no verdict on dev: a canary gets 10% of the load test's requests",
        ),
        (
            state(outputs=OUTPUTS | {"perf": {}}),
            "digits: no verdict on dev: the last update that succeeded ran no load test, since "
            "perf.enabled is false",
        ),
        (
            state(component("digits")),
            "digits: no verdict on dev: the update ended before its load test",
        ),
        (state(), "no verdict on dev: the update ended before its models were served"),
    ],
)
def test_without_a_verdict_the_lock_stays_and_the_reason_is_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, reason: str
) -> None:
    path, exported = tmp_path / "models.lock.json", tmp_path / "state.json"
    lock.pin(path, DIGITS)
    before = path.read_bytes()
    exported.write_text(text)
    assert main(["prove", "--stack", "dev", "--state", str(exported), "--lock", str(path)]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(reason)
    assert path.read_bytes() == before


def test_only_models_without_a_verdict_have_a_reason() -> None:
    outputs = OUTPUTS | {"models": OUTPUTS["models"] | {"other": {"digest": "c" * 64}}}
    failed = job("b" * 64, message(verdict_line("third", "fail")), model="third")
    components = [component(name) for name in ("digits", "other", "third", "fourth")]
    read = read_verdicts(state(failed, *components, outputs=outputs))
    assert {each.model for each in read.found} == {"digits", "third"}
    assert set(read.missing) == {"other", "fourth"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        state(outputs={"models": {}, "perf": {"digits": {}}}),
        json.dumps(OUTPUTS),
        json.dumps({"deployment": {"resources": None}}),
        state(project="kserve-triton-bootstrap"),
    ],
)
def test_other_documents_are_refused(text: str) -> None:
    with pytest.raises(ReleaseError, match="pulumi stack export"):
        read_verdicts(text)
