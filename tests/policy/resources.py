"""Resources that keep every rule, to be broken one property at a time."""

from __future__ import annotations

import copy
from typing import Any

from policy.rule import Resource
from policy.rules import RULES

Properties = dict[str, Any]

BUCKET = "gcp:storage/bucket:Bucket"
MEMBER = "gcp:storage/bucketIAMMember:BucketIAMMember"
INFERENCE_SERVICE = "kubernetes:serving.kserve.io/v1beta1:InferenceService"
JOB = "kubernetes:batch/v1:Job"
ROLE = "kubernetes:rbac.authorization.k8s.io/v1:Role"
DIGEST = "@sha256:" + "0123456789abcdef" * 4
REMOVED = object()


def bucket() -> Properties:
    """As the program makes it."""
    return {
        "name": "models",
        "uniformBucketLevelAccess": True,
        "publicAccessPrevention": "enforced",
        "versioning": {"enabled": True},
    }


def container(name: str = "main", **more: Any) -> Properties:
    """Pinned, and within limits."""
    bounds = {"cpu": "1", "memory": "1Gi"}
    image = f"registry.example/{name}{DIGEST}"
    return {"name": name, "image": image, "resources": {"limits": bounds}} | more


def job(**pod: Any) -> Properties:
    """With a pod of one container."""
    return {"spec": {"template": {"spec": {"containers": [container()]} | pod}}}


def inference_service() -> Properties:
    """On a GPU, with a transformer of its own."""
    model = container("triton") | {"modelFormat": {"name": "triton"}, "runtimeVersion": "26.05-py3"}
    model["resources"]["limits"]["nvidia.com/gpu"] = "1"
    predictor = {"minReplicas": 1, "maxReplicas": 8, "model": model}
    transformer = {"minReplicas": 1, "maxReplicas": 64, "containers": [container("transformer")]}
    return {"spec": {"predictor": predictor, "transformer": transformer}}


def role() -> Properties:
    """May read one thing."""
    named = {"apiGroups": ["serving.kserve.io"], "resources": ["inferenceservices"]}
    return {"rules": [named | {"verbs": ["get"]}, {"apiGroups": [""], "resources": ["pods"]}]}


KEPT: dict[str, Properties] = {
    BUCKET: bucket(),
    MEMBER: {"role": "roles/storage.objectViewer", "member": "user:somebody@example.com"},
    INFERENCE_SERVICE: inference_service(),
    JOB: job(),
    ROLE: role(),
}


def changed(properties: Properties, path: str, value: Any) -> Properties:
    """A copy with one property set, or gone if the value is REMOVED; `a/b/0/c` names it."""
    made: Any = copy.deepcopy(properties)
    *way, last = [int(key) if key.isdigit() else key for key in path.split("/")]
    found = made
    for key in way:
        found = found[key]
    if value is REMOVED:
        del found[last]
    else:
        found[last] = value
    return dict(made)


def broken(
    token: str,
    properties: Properties,
    protect: bool = True,
    settings: dict[str, dict[str, Any]] | None = None,
) -> dict[str, list[str]]:
    """What a resource breaks: messages by the rule's name, only of rules that it breaks."""
    found = {
        rule.name: rule.violations(
            Resource(token, properties, protect, (settings or {}).get(rule.name, {}))
        )
        for rule in RULES
    }
    return {name: messages for name, messages in found.items() if messages}
