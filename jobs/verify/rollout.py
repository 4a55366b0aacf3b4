"""The rollout of a version in Standard mode: which pods belong to it, and what is unfinished.

Pure functions of objects as the Kubernetes API returns them.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from jobs.verify.kubernetes import Object

__all__ = [
    "INITIALIZER",
    "changed_at",
    "component",
    "components",
    "condition",
    "fetched",
    "is_ready",
    "is_young",
    "may_serve",
    "parse_time",
    "replicas",
    "serving_pods",
    "split",
    "storage_uri",
    "unfinished_rollout",
]

# Pods in the status of a waiting rollout.
SHOWN_PODS = 5
TEMPLATE_LABEL = "pod-template-hash"
REVISION_LABELS = ("serving.knative.dev/revision", TEMPLATE_LABEL)
# Of a ReplicaSet: the number of its Deployment's revision, raised when it is used again.
NUMBER_ANNOTATION = "deployment.kubernetes.io/revision"
INITIALIZER = "storage-initializer"
SOURCE_ANNOTATION = "internal.serving.kserve.io/storage-initializer-sourceuri"
# Controllers see a changed spec within this time; until then the status is that of the old spec.
YOUNG_SECONDS = 3.0


def storage_uri(service: Object, canary: str | None = None) -> str | None:
    """The storageUri of an InferenceService's predictor, or of the canary of that name."""
    spec = service.get("spec", {})
    predictors = [entry.get("predictor", {}) for entry in spec.get("canary") or []]
    named = [each for each in predictors if each.get("name") == canary]
    predictor = spec.get("predictor", {}) if canary is None else (named or [{}])[0]
    uri: str | None = predictor.get("model", {}).get("storageUri")
    return uri


def _pods_of(service: Object, pods: Iterable[Object], canary: str | None) -> list[Object]:
    """The pods of a canary, or of no canary; KServe names a canary's app after it.

    Likewise for ReplicaSets, which have the labels of their pods.
    """
    name = service.get("metadata", {}).get("name")
    predictors = [entry.get("predictor", {}) for entry in service["spec"].get("canary") or []]
    apps = {f"isvc.{name}-{each.get('name')}-predictor": each.get("name") for each in predictors}
    return [pod for pod in pods if apps.get(_labels(pod).get("app", "")) == canary]


def changed_at(service: Object) -> datetime | None:
    """When the spec was last written. (status.observedGeneration is updated late.)"""
    times = [
        parse_time(entry.get("time"))
        for entry in service.get("metadata", {}).get("managedFields") or []
        if not entry.get("subresource") and "f:spec" in (entry.get("fieldsV1") or {})
    ]
    created = parse_time(service.get("metadata", {}).get("creationTimestamp"))
    return max((time for time in [*times, created] if time), default=None)


def split(pods: Iterable[Object], uri: str) -> tuple[list[Object], list[Object]]:
    """Pods of the version to verify, and older pods; without those that end or have ended.

    A pod that fetches another URI is older. Of the others, the current revision of a component
    (predictor, transformer) is that of its youngest pod.
    """
    alive = [pod for pod in pods if not _has_ended(pod)]
    left = [pod for pod in alive if may_serve(pod, uri)]
    older = [pod for pod in alive if pod not in left]
    youngest: dict[str, Object] = {}
    for pod in left:
        best = youngest.setdefault(component(pod), pod)
        if _created(pod) > _created(best):
            youngest[component(pod)] = pod
    current = [pod for pod in left if _revision(pod) == _revision(youngest[component(pod)])]
    return current, older + [pod for pod in left if pod not in current]


def is_young(service: Object, now: datetime) -> bool:
    """Whether KServe may not have seen the spec yet."""
    changed = changed_at(service)
    return changed is not None and (now - changed).total_seconds() < YOUNG_SECONDS


def components(service: Object) -> list[str]:
    """The components that have pods of their own."""
    return ["predictor", *(["transformer"] if service["spec"].get("transformer") else [])]


def replicas(service: Object, name: str, canary: str | None = None) -> int:
    """The pods that a component has at least: of a canary, or beside one in Standard mode."""
    spec = service["spec"]
    canaries = [each.get("predictor", {}) for each in spec.get("canary") or []]
    if canary is not None:
        return max((_least(each) for each in canaries if each.get("name") == canary), default=1)
    wanted = _least(spec.get(name, {}))
    if name != "predictor" or not canaries:
        return wanted
    # KServe takes the canaries' pods from the others, and leaves one.
    return max(wanted - sum(map(_least, canaries)), 1)


def _least(spec: Mapping[str, Any]) -> int:
    found = spec.get("minReplicas")
    return 1 if found is None else int(found)


def unfinished_rollout(
    service: Object,
    pods: list[Object],
    uri: str,
    canary: str | None = None,
    sets: Iterable[Object] = (),
) -> str | None:
    """What must still happen until every request reaches the version to verify; None when finished.

    For a canary only its own pods and ReplicaSets are examined.
    """
    current, older = split(_pods_of(service, pods, canary), uri)
    for each in _newest(_pods_of(service, sets, canary)):
        # Until then the youngest pod is one of the version before.
        if each["spec"].get("replicas") and not _has_pod(each, current + older):
            return f"ReplicaSet {each['metadata']['name']} has no pod yet"
    for name in components(service) if canary is None else ["predictor"]:
        own = [pod for pod in current if component(pod) == name]
        ready, wanted = sum(map(is_ready, own)), replicas(service, name, canary)
        if ready < wanted:
            return f"{ready} of {wanted} {name} pods of this version are ready{_pod_states(own)}"
    serving = [pod["metadata"]["name"] for pod in older if is_ready(pod)]
    return f"older pods still serve: {', '.join(serving)}" if serving else None


def _newest(sets: Iterable[Object]) -> list[Object]:
    """The newest ReplicaSet of each Deployment."""
    # Of several with the same key a dict keeps the last one.
    return list({_owner(each): each for each in sorted(sets, key=_number)}.values())


def _owner(thing: Object) -> str | None:
    owners: list[dict[str, str]] = thing["metadata"].get("ownerReferences") or [{}]
    return owners[0].get("uid")


def _number(replica_set: Object) -> int:
    return int((replica_set["metadata"].get("annotations") or {}).get(NUMBER_ANNOTATION, 0))


def _has_pod(replica_set: Object, pods: Iterable[Object]) -> bool:
    wanted = _labels(replica_set).get(TEMPLATE_LABEL)
    return any(_labels(pod).get(TEMPLATE_LABEL) == wanted for pod in pods)


def serving_pods(
    service: Object, pods: list[Object], uri: str, canary: str | None = None
) -> list[Object]:
    """The ready pods of the version to verify."""
    current, _ = split(_pods_of(service, pods, canary), uri)
    return [pod for pod in current if is_ready(pod)]


def condition(thing: Object, kind: str) -> Mapping[str, Any]:
    """A condition of an object's status; empty if it has none of that type."""
    found: list[Mapping[str, Any]] = thing.get("status", {}).get("conditions") or []
    return next((item for item in found if item.get("type") == kind), {})


def parse_time(text: str | None) -> datetime | None:
    """A time in an object; None if it is missing or invalid."""
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def may_serve(thing: Object, uri: str) -> bool:
    """Whether a pod or revision fetches the URI, a folder of it for the handler, or nothing."""
    found = fetched(thing)
    return found is None or f"{found}/".startswith(f"{uri}/")


def fetched(thing: Object) -> str | None:
    """The URI that the storage initializer of a pod or revision fetches; None without one."""
    for container in thing.get("spec", {}).get("initContainers") or []:
        if container.get("name") == INITIALIZER and container.get("args"):
            return str(container["args"][0])
    found: str | None = (thing["metadata"].get("annotations") or {}).get(SOURCE_ANNOTATION)
    return found


def _labels(thing: Object) -> Mapping[str, str]:
    found: Mapping[str, str] = thing["metadata"].get("labels") or {}
    return found


def component(thing: Object) -> str:
    """The component of a pod or revision."""
    return _labels(thing).get("component", "predictor")


def _revision(pod: Object) -> tuple[str, ...]:
    return (component(pod), *(_labels(pod).get(label, "") for label in REVISION_LABELS))


def _created(pod: Object) -> str:
    return str(pod["metadata"].get("creationTimestamp", ""))


def _has_ended(pod: Object) -> bool:
    """Whether a pod is being deleted, or has ended, as one that was evicted."""
    ended = pod.get("status", {}).get("phase") in ("Failed", "Succeeded")
    return ended or bool(pod["metadata"].get("deletionTimestamp"))


def is_ready(pod: Object) -> bool:
    """Whether a pod is ready."""
    return condition(pod, "Ready").get("status") == "True"


def _pod_states(pods: list[Object]) -> str:
    """The pods that are not ready and their states, as kubectl shows them."""
    states = [f"{pod['metadata']['name']}: {_state(pod)}" for pod in pods if not is_ready(pod)]
    if not pods:
        return ", there is none yet"
    more = [f"{len(states) - SHOWN_PODS} more"] if len(states) > SHOWN_PODS else []
    return f" ({'; '.join(states[:SHOWN_PODS] + more)})" if states else ""


def _state(pod: Object) -> str:
    status = pod.get("status", {})
    waiting = [
        item["state"]["waiting"].get("reason")
        for key in ("initContainerStatuses", "containerStatuses")
        for item in status.get(key) or []
        if item.get("state", {}).get("waiting")
    ]
    return next((reason for reason in waiting if reason), None) or status.get("phase") or "unknown"
