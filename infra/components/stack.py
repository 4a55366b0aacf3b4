"""Every model of a stack: what is served, proven and loaded, and what the stack says of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pulumi

from infra.components.load_test import PerfTest, PerfTestArgs
from infra.components.registration import hand_over
from infra.components.served_model import Inference, InferenceArgs
from infra.components.verification import Verification, VerificationArgs
from infra.components.verifier import Verifier, VerifierArgs
from infra.config.types import Mode
from infra.manifests.inference_service import Serving
from infra.manifests.jobs import canary_config, verify_config

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infra.components.model_repository import ModelRepository
    from infra.config.settings import Settings
    from infra.releases import Artefact, Releases


@dataclass(frozen=True)
class Served:
    """What the stack's outputs say of its models."""

    models: dict[str, dict[str, Any]]
    perf: dict[str, dict[str, Any]]


async def serve(
    settings: Settings,
    releases: Releases,
    repository: ModelRepository,
    after: Sequence[pulumi.Resource],
) -> Served:
    """Each model by itself, side by side, once namespace and Knative are as they must be."""
    served = Served({}, {})
    options = pulumi.ResourceOptions(depends_on=list(after))
    args = VerifierArgs(pulumi.get_stack(), settings.stack.namespace, releases.stable)
    verifier = Verifier("verifier", args, options)
    for name in releases.stable:
        _Model(name, settings, releases, repository, verifier, options).add_to(served)
        await hand_over()
    return served


class _Model:
    """One model of a stack, and its canary where it has one."""

    def __init__(
        self,
        name: str,
        settings: Settings,
        releases: Releases,
        repository: ModelRepository,
        verifier: Verifier,
        options: pulumi.ResourceOptions,
    ) -> None:
        self._name, self._stack, self._repository = name, settings.stack, repository
        self._verifier, self._options = verifier, options
        self._settings = settings.models[name]
        self._stable = self._serving(releases.stable[name])
        canary = releases.canary.get(name)
        self._canary = self._serving(canary) if canary else None

    def _serving(self, artefact: Artefact) -> Serving:
        uri = self._settings.storage_uri or self._repository.uri(artefact)
        stack = self._stack
        return Serving(
            artefact, self._settings, stack.namespace, uri, stack.pull_secrets, stack.monitoring
        )

    def add_to(self, served: Served) -> None:
        """Make the resources; say what they are."""
        inference = self._inference()
        canary = self._verify_canary(inference)
        # Under Knative a canary is the newest revision, and nothing changes the one before.
        knative = self._settings.mode is Mode.KNATIVE
        stable = None if canary and knative else self._verify(inference)
        proofs = [proof for proof in (stable, canary) if proof]
        ready = pulumi.Output.all(*(proof.ready for proof in proofs)).apply(all)
        served.models[self._name] = {
            "digest": self._stable.artefact.digest,
            "storageUri": self._stable.storage_uri,
            "url": inference.url,
            "ready": ready,
        }
        if self._canary and self._settings.canary:
            served.models[self._name]["canary"] = {
                "digest": self._canary.artefact.digest,
                "storageUri": self._canary.storage_uri,
                "trafficPercent": self._settings.canary.traffic_percent,
            }
        if self._settings.perf.enabled:
            served.perf[self._name] = self._load(inference, proofs)

    def _inference(self) -> Inference:
        servings = [self._stable, self._canary] if self._canary else [self._stable]
        objects = [each for one in servings for each in self._repository.objects(one.artefact)]
        args = InferenceArgs(
            self._stable, self._canary, self._stack.domain, self._stack.network, objects
        )
        return Inference(self._name, args, self._options)

    def _verify(self, inference: Inference) -> Verification:
        config = verify_config(self._stable)
        args = VerificationArgs(self._stable, config, self._stack.jobs, inference, self._verifier)
        return Verification(f"verify-{self._name}", args)

    def _verify_canary(self, inference: Inference) -> Verification | None:
        if self._canary is None:
            return None
        config = canary_config(self._canary)
        args = VerificationArgs(self._canary, config, self._stack.jobs, inference, self._verifier)
        return Verification(f"verify-{self._name}-canary", args)

    def _load(self, inference: Inference, proofs: list[Verification]) -> dict[str, Any]:
        stack = self._stack
        args = PerfTestArgs(self._stable, stack.jobs, stack.storage.bucket, inference, proofs)
        return PerfTest(f"perf-{self._name}", args).report
