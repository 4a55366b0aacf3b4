"""One model of a stack: its InferenceService, what protects it, its verification and load test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.autoscaling.v2 import HorizontalPodAutoscaler
from pulumi_kubernetes.batch.v1 import Job
from pulumi_kubernetes.core.v1 import ConfigMap, Service
from pulumi_kubernetes.networking.v1 import NetworkPolicy
from pulumi_kubernetes.policy.v1 import PodDisruptionBudget

from infra.components import failures
from infra.components.ownership import owned
from infra.config.types import Mode
from infra.manifests import jobs
from infra.manifests.autoscaling import autoscalers
from infra.manifests.cache import local_model_cache
from infra.manifests.canary import canary_with_new_mode, misplaced_canary
from infra.manifests.compilation import compilation
from infra.manifests.inference_service import inference_service
from infra.manifests.leftovers import leftovers
from infra.manifests.names import labels, release_map_name
from infra.manifests.protection import disruption_budgets, network_policies, pods_service
from infra.manifests.served_release import serve
from infra.manifests.summary import summarize
from infra.manifests.urls import predict_url
from release.files import RELEASE_JSON
from release.stacks import SERVED_MODEL

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from infra.config import ModelSettings, StackSettings
    from infra.manifests.artefact import Artefact
    from infra.manifests.job_template import JobSpec
    from infra.manifests.served_release import ServedRelease

MODE = 'metadata.annotations["serving.kserve.io/deploymentMode"]'
# Kubernetes ends a Job at its deadline and says why; Pulumi waits a little longer for that.
AWAIT_MARGIN_SECONDS = 60


@dataclass(frozen=True)
class ServedModelArgs:
    """The stack's settings, the model's, its release, and the release of its canary."""

    stack: StackSettings
    model: ModelSettings
    stable: Artefact
    canary: Artefact | None


class _InferenceService(CustomResource):  # type: ignore[misc]  # The SDK is untyped to mypy.
    """With the object's metadata, as the API server has completed them."""

    metadata: pulumi.Output[dict[str, Any]]


class ServedModel(pulumi.ComponentResource):
    """A model that answers: `pulumi up` succeeds when verification and load test have passed."""

    url: str
    outputs: dict[str, Any]
    """The stack's output `models.NAME`."""
    load_test: dict[str, Any] | None
    """The stack's output `perf.NAME`; None without a load test."""

    def __init__(
        self, name: str, args: ServedModelArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        self._stack, settings = args.stack, args.model
        self._stable = serve(args.stable, settings, args.stack)
        self._canary = serve(args.canary, settings, args.stack) if args.canary else None
        summary = summarize(self._stable, self._canary, args.stack.promotion.requires)
        guard = pulumi.ResourceOptions(hooks=failures.guarded(f"{name}-mode", canary_with_new_mode))
        merged = pulumi.ResourceOptions.merge(opts, guard)
        super().__init__(SERVED_MODEL, name, summary, merged)
        self._options = pulumi.ResourceOptions(parent=self)
        self.url = predict_url(self._stable)
        service = self._inference_service(self._prerequisites())
        self._isolate()
        specs = self._verifications()
        # What is served anew is verified anew, even if it is what an earlier update has verified.
        generation = service.metadata.apply(lambda metadata: metadata.get("generation"))
        verified = [self._job(spec, [service], proves=generation) for spec in specs]
        ready = pulumi.Output.all(*(_succeeded(job) for job in verified)).apply(all)
        self.outputs = self._describe(ready)
        self.load_test = self._load(specs, verified) if settings.perf.enabled else None
        self.register_outputs(self.outputs)

    @property
    def _releases(self) -> Iterable[ServedRelease]:
        """Each once, since a canary may be of the stable release."""
        found = [self._canary, self._stable] if self._canary else [self._stable]
        return {each.artefact.digest: each for each in found}.values()

    def _prerequisites(self) -> Sequence[pulumi.Resource]:
        """What the InferenceService refers to."""
        resources: list[pulumi.Resource] = [self._release_map(each) for each in self._releases]
        settings, bucket = self._stable.settings, self._stack.storage.bucket
        compiled = [
            self._job(compilation(each, self._stack.jobs, bucket), [])
            for each in self._releases
            if each.artefact.compiled
        ]
        resources += compiled
        if settings.predictor.cache_node_group:
            resources += [self._cache(each, compiled) for each in self._releases]
        needed = self._canary or not settings.transformer.own
        if settings.separate_transformer and settings.mode is Mode.STANDARD and needed:
            pods = pods_service(self._stable.name, self._stable.namespace, settings)
            name = pods["metadata"]["name"]
            resources.append(Service(name, **owned(pods), opts=self._options))
        return resources

    def _release_map(self, served: ServedRelease) -> ConfigMap:
        """Named by content and immutable, so that running pods keep the one they began with."""
        name = release_map_name(served.name, served.artefact.digest)
        place = {"name": name, "namespace": served.namespace, "labels": labels(served.name)}
        return ConfigMap(
            name,
            **owned({"metadata": place}),
            data={RELEASE_JSON: served.artefact.text},
            binary_data=served.artefact.map_files or None,
            immutable=True,
            opts=self._options,
        )

    def _cache(self, served: ServedRelease, after: Sequence[pulumi.Resource]) -> CustomResource:
        manifest = owned(local_model_cache(served))
        name, version = manifest["metadata"]["name"], "serving.kserve.io/v1alpha1"
        options = pulumi.ResourceOptions(parent=self, depends_on=after)
        return CustomResource(name, version, "LocalModelCache", **manifest, opts=options)

    def _inference_service(self, after: Sequence[pulumi.Resource]) -> _InferenceService:
        return _InferenceService(
            self._stable.name,
            "serving.kserve.io/v1beta1",
            "InferenceService",
            **owned(inference_service(self._stable, self._canary)),
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=after,
                # KServe refuses to change the mode, and a name can't be used twice at a time.
                replace_on_changes=[MODE],
                delete_before_replace=True,
                hooks=pulumi.ResourceHookBinding.merge(self._guard(), self._notice()),
            ),
        )

    def _notice(self) -> pulumi.ResourceHookBinding:
        """Says, in previews too, what the update leaves in the cluster."""
        stable = self._stable
        return failures.announced(
            f"{stable.name}-leftovers", lambda before, after: leftovers(stable, before, after)
        )

    def _guard(self) -> pulumi.ResourceHookBinding | None:
        """Refuses, in previews too, a canary that would get the stable release's requests."""
        stable, canary = self._stable, self._canary
        if canary is None or stable.settings.mode is not Mode.KNATIVE:
            return None
        return failures.guarded(
            f"{stable.name}-canary",
            lambda before, _: misplaced_canary(stable, canary, before),
            creation=True,
        )

    def _isolate(self) -> None:
        name, namespace, settings = self._stable.name, self._stable.namespace, self._stable.settings
        for key, manifest in autoscalers(self._stable, self._canary).items():
            HorizontalPodAutoscaler(key, **owned(manifest), opts=self._options)
        for key, manifest in disruption_budgets(name, namespace, settings).items():
            PodDisruptionBudget(key, **owned(manifest), opts=self._options)
        if self._stack.network.enabled:
            policies = network_policies(self._stable, self._stack.network)
            for key, manifest in policies.items():
                NetworkPolicy(key, **owned(manifest), opts=self._options)

    def _verifications(self) -> list[JobSpec]:
        """Jobs for stable and canary.

        Under Knative a canary is the newest revision and the stable one does not change, so only
        the canary is verified, and that the stable one gets the other requests.
        """
        stack = pulumi.get_stack()
        verify = jobs.verification
        specs = []
        if not (self._canary and self._stable.settings.mode is Mode.KNATIVE):
            specs.append(verify(self._stable, self._stack.jobs, stack))
        if self._canary:
            specs.append(verify(self._canary, self._stack.jobs, stack, stable=self._stable))
        return specs

    def _load(self, verified: Sequence[JobSpec], after: Sequence[Job]) -> dict[str, Any]:
        bucket, perf = self._stack.storage.bucket, self._stable.settings.perf
        spec = jobs.load_test(self._stable, self._stack.jobs, bucket, verified)
        job = self._job(spec, after)
        passed = _succeeded(job)
        # The dry run of a preview returns a uid that is not the uid of the later Job.
        result = pulumi.Output.all(job.metadata.uid, passed).apply(
            lambda found: (
                jobs.result_path(bucket, self._stable.name, spec.key, found[0])
                if perf.upload and found[1]
                else None
            )
        )
        return {
            "verdict": passed.apply(lambda passed: "pass" if passed else "none"),
            "result": result,
            "report": result.apply(lambda path: path and jobs.report_path(path)),
            "objectives": perf.objectives.model_dump(by_alias=True),
        }

    def _job(
        self,
        spec: JobSpec,
        after: Sequence[pulumi.Resource],
        *,
        proves: pulumi.Input[int] | None = None,
    ) -> Job:
        """A Job that Pulumi waits for; its failure fails the update and shows its last lines.

        It is replaced where it has a new name, or `proves` another value.
        """
        seconds = spec.seconds + AWAIT_MARGIN_SECONDS
        return Job(
            spec.name,
            **owned(spec.manifest),
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=after,
                custom_timeouts=pulumi.CustomTimeouts(create=f"{seconds}s"),
                replacement_trigger=proves,
                delete_before_replace=True,
            ),
        )

    def _describe(self, ready: pulumi.Output[bool]) -> dict[str, Any]:
        outputs = _release(self._stable) | {"url": self.url, "ready": ready}
        canary = self._stable.settings.canary
        if self._canary and canary:
            share = {"trafficPercent": canary.traffic_percent}
            outputs["canary"] = _release(self._canary) | share
        return outputs


def _release(served: ServedRelease) -> dict[str, Any]:
    return {"digest": served.artefact.digest, "storageUri": served.storage_uri}


def _succeeded(job: Job) -> pulumi.Output[bool]:
    succeeded: pulumi.Output[bool] = job.status.apply(
        lambda status: bool(status and status.succeeded)
    )
    return succeeded
