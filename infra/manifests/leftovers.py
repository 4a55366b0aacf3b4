"""What KServe leaves in the cluster when an InferenceService changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from infra.config.types import Mode
from infra.manifests.inference_service import AUTOSCALER_CLASS
from infra.manifests.names import CANARY

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
    """The commands that delete what an InferenceService leaves of a transformer or a canary.

    KServe 0.20 deletes the objects of a component with the service only: see componentReconcilers
    in pkg/controller/v1beta1/inferenceservice/controller.go. The autoscaler that it makes of a
    canary has no owner: see reconcileCanaryDeployments in components/predictor.go.
    """
    had, has = (each.get("spec") or {} for each in (before, after))
    ended, found = had.keys() - has.keys(), []
    if "transformer" in ended:
        mode = served.settings.mode
        routes = "; with the Gateway API the same for httproute" if mode is Mode.STANDARD else ""
        found.append(
            f"{served.name} has no transformer in pods of its own any more, and KServe leaves the "
            f"old one running. {_delete(served, _KINDS[mode], 'transformer')}{routes}"
        )
    annotations = (before.get("metadata") or {}).get("annotations") or {}
    if "canary" in ended and AUTOSCALER_CLASS not in annotations:
        kind, role = "horizontalpodautoscaler", f"{CANARY}-predictor"
        found.append(
            f"{served.name} has no canary any more, and KServe leaves its autoscaler. "
            f"{_delete(served, kind, role)}"
        )
    return "\n".join(found) or None


def _delete(served: ServedRelease, kinds: str, role: str) -> str:
    name = f"{served.name}-{role}"
    return (
        f"Once this update has succeeded and no client uses {name} any more: kubectl delete "
        f"{kinds} {name} --namespace {served.namespace} --ignore-not-found"
    )
