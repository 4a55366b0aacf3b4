"""Every model of a stack: what is served, proven and loaded, and what the stack says of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pulumi

from infra.inference import Inference, InferenceArgs
from infra.perf import PerfTest, PerfTestArgs
from infra.verification import Verification, VerificationArgs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.model_repository import ModelRepository
    from infra.releases import Artefact
    from infra.sections import ModelSettings
    from infra.settings import Settings


@dataclass(frozen=True)
class Served:
    """What the stack's outputs say of its models."""

    models: dict[str, dict[str, Any]]
    perf: dict[str, dict[str, Any]]


def serve(
    settings: Settings,
    artefacts: Mapping[str, Artefact],
    repository: ModelRepository,
    after: list[pulumi.Resource],
) -> Served:
    """Each model by itself, side by side, once namespace and Knative are as they must be."""
    models, perf = {}, {}
    for name, artefact in artefacts.items():
        one = settings.models[name]
        uri = repository.uris[name]
        options = pulumi.ResourceOptions(depends_on=after)
        inference = Inference(
            name,
            InferenceArgs(
                artefact,
                one,
                settings.stack.namespace,
                settings.stack.domain,
                uri,
                repository.objects[name],
            ),
            options,
        )
        verification = _verify(settings, artefact, one, uri, inference, options)
        models[name] = {
            "digest": artefact.digest,
            "storageUri": uri,
            "url": inference.url,
            "ready": verification.ready,
        }
        if one.perf.enabled:
            perf[name] = _load(settings, artefact, one, verification, options).report
    return Served(models, perf)


def _verify(
    settings: Settings,
    artefact: Artefact,
    one: ModelSettings,
    uri: str,
    inference: Inference,
    options: pulumi.ResourceOptions,
) -> Verification:
    stack = settings.stack
    args = VerificationArgs(artefact, one, stack.jobs, stack.namespace, uri, inference)
    return Verification(f"verify-{artefact.name}", args, options)


def _load(
    settings: Settings,
    artefact: Artefact,
    one: ModelSettings,
    verification: Verification,
    options: pulumi.ResourceOptions,
) -> PerfTest:
    stack = settings.stack
    args = PerfTestArgs(
        artefact, one, stack.jobs, stack.namespace, stack.storage.bucket, verification
    )
    return PerfTest(f"perf-{artefact.name}", args, options)
