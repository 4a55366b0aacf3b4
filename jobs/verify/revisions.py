"""The revisions of an InferenceService under Knative: the newest ones, and who gets the requests.

The status of an InferenceService may be seconds older than its Revisions, which say themselves
what they are. Pure functions of objects as the Kubernetes API returns them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from jobs.verify.rollout import (
    component,
    components,
    condition,
    fetched,
    may_serve,
    replicas,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from jobs.verify.kubernetes import Object

__all__ = ["cause", "misplaced_traffic", "remedy", "unfinished_revisions"]

# Of a Revision: the generation of the spec that it was made for.
GENERATION_LABEL = "serving.knative.dev/configurationGeneration"
# KServe gives it to the newest revision's share of the traffic, and an address with it.
LATEST_TAG = "latest"
READY = {"predictor": "PredictorReady", "transformer": "TransformerReady"}
_NAMED = re.compile(r'Revision "([^"]+)" failed')


def unfinished_revisions(
    service: Object, revisions: list[Object], uri: str, *, canary: bool
) -> str | None:
    """What must still happen until requests reach the newest revisions; None when finished.

    All requests; with `canary`, those to the predictor's tagged address.
    """
    for name in components(service):
        tagged = canary and name == "predictor"
        unfinished = _unfinished(service, name, _newest(revisions, name), uri, tagged)
        if unfinished:
            return unfinished
    return None


def misplaced_traffic(service: Object, revisions: list[Object], stable_uri: str) -> str | None:
    """Why the requests that a canary leaves don't reach the stable release; None: they do.

    KServe leaves them to the revision that last had all of them, whatever the stack says.
    """
    uris = {_name(each): fetched(each) for each in revisions}
    others = [
        each["revisionName"]
        for each in _traffic(service, "predictor")
        if each.get("percent") and not each.get("latestRevision")
    ]
    if others and all(uris.get(name) == stable_uri for name in others):
        return None
    found = ", ".join(f"{name} with {uris.get(name)}" for name in others) or "no other revision"
    return (
        f"the requests that the canary leaves must reach {stable_uri}, and reach {found}: under "
        "Knative the revision before a canary gets them. Deploy the release without the canary "
        "first, then set the canary"
    )


def cause(found: Mapping[str, Any], revisions: list[Object] | None) -> str | None:
    """The reason of a condition of an InferenceService; that of the revision if it has failed.

    None where the condition is that of an older revision.
    """
    reason: str | None = found.get("reason")
    named = _NAMED.match(found.get("message") or "")
    if reason != "RevisionFailed" or not named or not revisions:
        return reason
    failed = next((each for each in revisions if _name(each) == named[1]), None)
    if failed is None or _newest(revisions, component(failed)) is not failed:
        return None
    return condition(failed, "Ready").get("reason") or reason


def remedy(found: Mapping[str, Any], reason: str | None, namespace: str) -> str:
    """How to continue once the cause of a failed condition is mended; "" where nothing is special.

    Knative resolves an image's tag again after 1, 2, 4 and up to 1000 seconds, with the settings
    that it had at the failure before, and gives a revision up at its deadline.
    """
    named = _NAMED.match(found.get("message") or "")
    if reason not in ("ContainerMissing", "ProgressDeadlineExceeded") or not named:
        return ""
    delete = f"kubectl delete revision -n {namespace} {named[1]}"
    return f" Once this is mended, have Knative make the revision again: {delete}"


def _unfinished(
    service: Object, name: str, newest: Object | None, uri: str, tagged: bool
) -> str | None:
    said = condition(service, READY[name])
    if newest is None:
        return f"the {name} has no revision yet{_reason(said)}"
    revision, ready = _name(newest), condition(newest, "Ready")
    if not may_serve(newest, uri):
        other = f"{fetched(newest)}, not {uri}{_reason(said)}"
        return f"the {name}'s newest revision {revision} has {other}"
    if ready.get("status") != "True":
        return f"the {name}'s revision {revision} is not ready{_reason(ready)}"
    # Pods of a ready revision that have ended; a revision is not ready before it has had them all.
    have, wanted = newest["status"].get("actualReplicas"), replicas(service, name)
    if have is not None and have < wanted:
        return f"{have} of {wanted} {name} pods of revision {revision} are ready"
    target = _target(service, name, tagged)
    if target != revision:
        which = f"with tag {LATEST_TAG}" if tagged else "all"
        return f"requests to the {name}, {which}, reach {target or 'nothing'}, not {revision}"
    if said.get("status") != "True":
        return f"the {name} is not ready{_reason(said)}"
    return None


def _target(service: Object, name: str, tagged: bool) -> str | None:
    """The revision that has the tag; without one, the revision that gets all requests."""
    for each in _traffic(service, name):
        if each.get("tag") == LATEST_TAG if tagged else each.get("percent") == 100:
            found: str | None = each.get("revisionName")
            return found
    return None


def _traffic(service: Object, name: str) -> list[Mapping[str, Any]]:
    found = service.get("status", {}).get("components") or {}
    traffic: list[Mapping[str, Any]] = found.get(name, {}).get("traffic") or []
    return traffic


def _newest(revisions: Iterable[Object], name: str) -> Object | None:
    own = (each for each in revisions if component(each) == name)
    return max(own, key=_generation, default=None)


def _generation(revision: Object) -> int:
    return int((revision["metadata"].get("labels") or {}).get(GENERATION_LABEL, 0))


def _name(revision: Object) -> str:
    return str(revision["metadata"]["name"])


def _reason(said: Mapping[str, Any]) -> str:
    texts = [said[key] for key in ("reason", "message") if said.get(key)]
    return f" ({': '.join(texts)})" if texts else ""
