"""Verdicts of load tests in a stack's state, as `pulumi stack export` writes it.

A failed load test fails its update, and the stack's outputs stay those of the update before. So a
pass is read from the outputs, and a failure from its Job: Pulumi keeps the last message of the
Job's pod in the resource's `initErrors`. A load test that ran over a canary too proves neither.
Neither this nor a stack without load tests is an error: a model without a verdict has a reason.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from release.decode import instance
from release.load_test import MODEL_LABEL, RELEASE_ANNOTATION, verdict_line
from release.lock import FAIL, Verdict
from release.schema import ReleaseError
from release.stacks import PROJECT, SERVED_MODEL

if TYPE_CHECKING:
    from collections.abc import Iterator

STACK, JOB = "pulumi:pulumi:Stack", "kubernetes:batch/v1:Job"


@dataclass(frozen=True)
class Found:
    """The verdict of one release of a model."""

    model: str
    digest: str
    verdict: Verdict


@dataclass(frozen=True)
class Verdicts:
    """The verdicts in a stack's state; `missing` says of every other model why it has none."""

    found: list[Found]
    missing: dict[str, str]


def read_verdicts(text: str) -> Verdicts:
    """Read a stack's state; raises ReleaseError where it has no stack of this project."""
    try:
        resources = json.loads(text)["deployment"].get("resources") or []
        outputs = _outputs(resources)
        found = [*_passes(outputs), *(fail for each in resources for fail in _failures(each))]
        return Verdicts(found, _missing(outputs, resources, {each.model for each in found}))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ReleaseError(
            f"no state of this project's stack ({type(error).__name__}: {error}); "
            "give that of: pulumi stack export"
        ) from error


def _outputs(resources: list[dict[str, Any]]) -> dict[str, Any]:
    """The stack's outputs: those of the last update that succeeded, none before the first."""
    for each in resources:
        if each["type"] == STACK and each["urn"].split("::")[1:2] == [PROJECT]:
            return each.get("outputs") or {}
    raise ValueError(f"no {STACK} of project {PROJECT}, as `pulumi up` makes it")


def _passes(outputs: dict[str, Any]) -> Iterator[Found]:
    for name, perf in (outputs.get("perf") or {}).items():
        model = outputs["models"][name]
        if not _canary_percent(model):
            values = {each.name: perf.get(each.name) for each in fields(Verdict)}
            yield Found(name, model["digest"], instance(Verdict, values))


def _failures(resource: dict[str, Any]) -> Iterator[Found]:
    if resource["type"] == JOB:
        metadata = resource["inputs"]["metadata"]
        digest = (metadata.get("annotations") or {}).get(RELEASE_ANNOTATION)
        model = (metadata.get("labels") or {}).get(MODEL_LABEL, "")
        lines = "\n".join(resource.get("initErrors") or []).splitlines()
        if digest and any(line.endswith(verdict_line(model, FAIL)) for line in lines):
            yield Found(model, digest, Verdict(FAIL))


def _missing(
    outputs: dict[str, Any], resources: list[dict[str, Any]], judged: set[str]
) -> dict[str, str]:
    served, perf = outputs.get("models") or {}, outputs.get("perf") or {}
    components = [each["urn"] for each in resources if each["type"] == SERVED_MODEL]
    names = dict.fromkeys([*served, *(urn.rpartition("::")[2] for urn in components)])
    return {name: _reason(served.get(name), name in perf) for name in names if name not in judged}


def _reason(model: dict[str, Any] | None, loaded: bool) -> str:
    """Why there is no verdict; `model` is None where no update that serves it has succeeded."""
    if model is None:
        return "the update ended before its load test, or failed elsewhere"
    if not loaded:
        return "the last update that succeeded ran no load test, since perf.enabled is false"
    percent = _canary_percent(model)
    return f"a canary gets {percent}% of the load test's requests, so it proves neither release"


def _canary_percent(model: dict[str, Any]) -> int:
    """The canary's share of the requests; 0 without one."""
    return (model.get("canary") or {}).get("trafficPercent") or 0
