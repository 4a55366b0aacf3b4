"""What KServe leaves in the cluster when an InferenceService changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from infra.config.types import Mode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.manifests.served_release import ServedRelease

# What KServe makes of a component, in each mode.
_KINDS = {
    Mode.STANDARD: "deployment,service,horizontalpodautoscaler",
    Mode.KNATIVE: "services.serving.knative.dev",
}


def leftovers(
    served: ServedRelease, before: Mapping[str, Any], after: Mapping[str, Any]
) -> str | None:
    """The command that deletes the transformer of an InferenceService that has none any more.

    KServe 0.20 makes the objects of a component, and deletes them with the service only: see
    componentReconcilers in pkg/controller/v1beta1/inferenceservice/controller.go.
    """
    had, has = ("transformer" in (each.get("spec") or {}) for each in (before, after))
    if has or not had:
        return None
    name, kinds = f"{served.name}-transformer", _KINDS[served.settings.mode]
    return (
        f"{served.name} has no transformer in pods of its own any more, and KServe leaves the old "
        f"one running. Once this update has succeeded and no client uses {name} any more: kubectl "
        f"delete {kinds} {name} --namespace {served.namespace} --ignore-not-found"
    )
