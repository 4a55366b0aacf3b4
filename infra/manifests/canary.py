"""Whether a canary under Knative leaves the other requests to the stable release."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from infra.config.types import Mode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.manifests.served_release import ServedRelease

_FIRST = (
    "Deploy the release without the canary first, then set the canary: pulumi config rm --path "
    "models.{name}.canary"
)


def canary_with_new_mode(before: Mapping[str, Any], after: Mapping[str, Any]) -> str | None:
    """Why a canary can't begin, by the model's inputs; None: the mode doesn't become Knative.

    A change of mode makes the service anew. It is refused here before the old one is deleted.
    """
    becomes = after["mode"] == Mode.KNATIVE and before.get("mode") not in (None, Mode.KNATIVE)
    canary = after.get("canary")
    if not becomes or not canary or canary["storageUri"] == after["storageUri"]:
        return None
    return (
        f"models.{after['model']}.canary: found one with a change from mode {before['mode']} to "
        "Knative, which makes the service anew: it would get all requests. "
        + _FIRST.format(name=after["model"])
    )


def misplaced_canary(
    stable: ServedRelease, canary: ServedRelease, before: Mapping[str, Any]
) -> str | None:
    """Why the canary can't begin, by the InferenceService's inputs `before`; None: it can.

    Knative leaves the other requests to the revision that last had all of them. Without one the
    canary gets all requests. Which one it is while a canary runs, only its verification can tell.
    """
    if canary.storage_uri == stable.storage_uri:
        return None
    key, first = f"models.{stable.name}.canary", _FIRST.format(name=stable.name)
    predictor = (before.get("spec") or {}).get("predictor") or {}
    if not predictor:
        return (
            f"{key}: found one where nothing is served yet; under Knative it would get all "
            f"requests. {first}"
        )
    if "canaryTrafficPercent" in predictor:
        return None
    running = (predictor.get("model") or {}).get("storageUri")
    if running == stable.storage_uri:
        return None
    return (
        f"{key}: the requests that it leaves would stay with what runs now, {running}, and the "
        f"stack's release is {stable.storage_uri}. {first}"
    )
