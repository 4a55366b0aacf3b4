"""`gcp:storage/bucket:Bucket`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from local.plugins.changes import Difference, compare, under
from local.plugins.resource import Checked, PluginError, Resource, State
from local.plugins.schema import Shape, unsupported
from local.plugins.wire import UNKNOWN

if TYPE_CHECKING:
    from local.plugins.gcp.storage import Storage
    from local.plugins.resource import Operation, Values

SHAPE: Shape = {
    "name": None,
    "location": None,
    "project": None,
    "labels": {"*": None},
    "storageClass": None,
    "uniformBucketLevelAccess": None,
    "publicAccessPrevention": None,
    "forceDestroy": None,
    "versioning": {"enabled": None},
    "encryption": {"defaultKmsKeyName": None},
    "softDeletePolicy": {"retentionDurationSeconds": None, "effectiveTime": None},
    "lifecycleRules": [
        {
            "action": {"type": None, "storageClass": None},
            "condition": {
                "age": None,
                "createdBefore": None,
                "daysSinceNoncurrentTime": None,
                "matchesPrefixes": None,
                "matchesSuffixes": None,
                "matchesStorageClasses": None,
                "numNewerVersions": None,
                "withState": None,
            },
        }
    ],
}
REQUIRED = {"name": "such as models", "location": "such as EU"}
STATES = ("LIVE", "ARCHIVED", "ANY")
ATTRIBUTION = {"goog-pulumi-provisioned": "true"}
_FIXED = (("name",), ("location",), ("project",))


class Bucket(Resource):
    """A bucket. Its id is its name."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self.project = "local"

    def check(self, inputs: Values) -> Checked:
        failures = unsupported(inputs, SHAPE, "a Bucket")
        failures |= {
            key: f"a Bucket needs a {key}, {example}"
            for key, example in REQUIRED.items()
            if key not in inputs
        }
        for index, rule in enumerate(inputs.get("lifecycleRules", ())):
            state = rule.get("condition", {}).get("withState", "ANY")
            if state is not UNKNOWN and state not in STATES:
                place = f"lifecycleRules[{index}].condition.withState"
                failures[place] = f"found {state!r}; allowed: {', '.join(STATES)}"
        return Checked({"forceDestroy": False, **inputs}, failures)

    def diff(self, old_inputs: Values, old_outputs: Values, inputs: Values) -> Difference:
        changes = compare(_comparable(old_inputs), _comparable(inputs))
        replaces = frozenset(path for path in changes if under(path, _FIXED))
        return Difference(changes, replaces, delete_first=True)

    def create(self, operation: Operation, inputs: Values) -> State:
        if operation.preview:
            return State("", {**self._outputs(inputs), "timeCreated": UNKNOWN})
        name = inputs["name"]
        self._storage.create_bucket(name, inputs.get("storageClass", "STANDARD"))
        remote = self._storage.bucket(name) or {}
        return State(name, {**self._outputs(inputs), **remote})

    def read(self, identifier: str, inputs: Values, outputs: Values) -> State | None:
        # An import's id may have the project in front.
        name = identifier.rpartition("/")[2]
        remote = self._storage.bucket(name)
        if remote is None:
            return None
        if not inputs and not outputs:
            # The emulator has no other properties; the first update records them.
            inputs = {"name": name, "forceDestroy": False}
        return State(name, {**(outputs or self._outputs(inputs)), **remote}, inputs)

    def update(self, operation: Operation, state: State, inputs: Values) -> Values:
        kept = {key: state.outputs[key] for key in ("timeCreated",) if key in state.outputs}
        return {**self._outputs(inputs), **kept}

    def delete(self, state: State) -> None:
        if self._storage.bucket(state.id) is None:
            return
        force = bool(state.outputs.get("forceDestroy"))
        if not force and not self._storage.is_empty(state.id):
            raise PluginError(
                f"bucket {state.id} is not empty, and forceDestroy is not set: its objects are "
                "deleted only if an update has set forceDestroy before"
            )
        self._storage.delete_bucket(state.id, force)

    def _outputs(self, inputs: Values) -> Values:
        name, labels = inputs["name"], inputs.get("labels", {})
        is_known = name is not UNKNOWN
        return {
            "storageClass": "STANDARD",
            "publicAccessPrevention": "inherited",
            "uniformBucketLevelAccess": False,
            "project": self.project,
            **_comparable(inputs),
            "effectiveLabels": {**labels, **ATTRIBUTION} if labels is not UNKNOWN else UNKNOWN,
            "pulumiLabels": {**labels, **ATTRIBUTION} if labels is not UNKNOWN else UNKNOWN,
            "url": f"gs://{name}" if is_known else UNKNOWN,
            "selfLink": f"https://www.googleapis.com/storage/v1/b/{name}" if is_known else UNKNOWN,
        }


def _comparable(inputs: Values) -> Values:
    """Inputs with the location in capitals."""
    location = inputs.get("location")
    return {**inputs, "location": location.upper()} if isinstance(location, str) else inputs
