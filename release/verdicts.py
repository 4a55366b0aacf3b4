"""Verdicts of load tests in a stack's state, as `pulumi stack export` writes it.

A failed load test fails its update, and the stack's outputs stay those of the update before. So a
pass is read from the outputs, and a failure from its Job: Pulumi keeps the last message of the
Job's pod in the resource's `initErrors`. A load test that ran over a canary too proves neither.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from release.decode import instance
from release.load_test import MODEL_LABEL, RELEASE_ANNOTATION, verdict_line
from release.lock import FAIL, Verdict
from release.schema import ReleaseError

if TYPE_CHECKING:
    from collections.abc import Iterator

STACK, JOB = "pulumi:pulumi:Stack", "kubernetes:batch/v1:Job"


@dataclass(frozen=True)
class Found:
    """The verdict of one release of a model."""

    model: str
    digest: str
    verdict: Verdict


def read_verdicts(text: str) -> list[Found]:
    """Verdicts in a stack's state; raises ReleaseError where it is none of this project's."""
    try:
        resources = json.loads(text)["deployment"].get("resources") or []
        return [found for each in resources for found in _verdicts(each)]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ReleaseError(
            f"no state of this project's stack ({type(error).__name__}: {error}); "
            "give that of: pulumi stack export"
        ) from error


def _verdicts(resource: dict[str, Any]) -> Iterator[Found]:
    if resource["type"] == STACK:
        outputs = resource.get("outputs") or {}
        for name, perf in (outputs.get("perf") or {}).items():
            model = outputs["models"][name]
            if not (model.get("canary") or {}).get("trafficPercent"):
                values = {each.name: perf.get(each.name) for each in fields(Verdict)}
                yield Found(name, model["digest"], instance(Verdict, values))
    elif resource["type"] == JOB:
        metadata = resource["inputs"]["metadata"]
        digest = (metadata.get("annotations") or {}).get(RELEASE_ANNOTATION)
        model = (metadata.get("labels") or {}).get(MODEL_LABEL, "")
        lines = "\n".join(resource.get("initErrors") or []).splitlines()
        if digest and any(line.endswith(verdict_line(model, FAIL)) for line in lines):
            yield Found(model, digest, Verdict(FAIL))
