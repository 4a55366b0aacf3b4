"""`gcp:storage/bucketIAMMember:BucketIAMMember`, a member in the policy of a bucket."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from local.plugins.changes import Difference, compare
from local.plugins.resource import Checked, PluginError, Resource, State
from local.plugins.schema import Shape, unsupported
from local.plugins.wire import UNKNOWN, has_unknown

if TYPE_CHECKING:
    from local.plugins.gcp.storage import Remote, Storage
    from local.plugins.resource import Operation, Values

SHAPE: Shape = {
    "bucket": None,
    "role": None,
    "member": None,
    "condition": {"title": None, "expression": None, "description": None},
}
REQUIRED = ("bucket", "role", "member")
_MEMBER = re.compile(
    r"(user|serviceAccount|group|domain|projectOwner|projectEditor|projectViewer|principal"
    r"|principalSet|deleted):.+|allUsers|allAuthenticatedUsers"
)
# The policy's own; a hash of all its bindings, it would drift with every other member.
_ETAG = "local"


class BucketIamMember(Resource):
    """A member of a bucket's policy. Its id is b/BUCKET/ROLE/MEMBER[/CONDITION'S TITLE]."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def check(self, inputs: Values) -> Checked:
        failures = unsupported(inputs, SHAPE, "a BucketIAMMember")
        failures |= {
            key: f"a BucketIAMMember needs a {key}" for key in REQUIRED if key not in inputs
        }
        member = inputs.get("member", UNKNOWN)
        if member is not UNKNOWN and not _MEMBER.fullmatch(member):
            failures["member"] = f"found {member!r}; allowed: user:, group:, serviceAccount:, …"
        return Checked(inputs, failures)

    def diff(self, old_inputs: Values, old_outputs: Values, inputs: Values) -> Difference:
        changes = compare(old_inputs, inputs)
        return Difference(changes, frozenset(changes))

    def create(self, operation: Operation, inputs: Values) -> State:
        if has_unknown(inputs):
            return State("", {**inputs, "etag": UNKNOWN})
        bucket, wanted = _bucket(inputs), _binding(inputs)
        if not operation.preview:
            if self._storage.bindings(bucket) is None:
                raise PluginError(f"bucket {bucket} does not exist")
            self._storage.change_bindings(bucket, lambda found: [*_without(found, wanted), wanted])
        parts = [f"b/{bucket}", inputs["role"], inputs["member"]]
        parts += [inputs["condition"]["title"]] if "condition" in inputs else []
        return State("/".join(parts), {**inputs, "bucket": f"b/{bucket}", "etag": _ETAG})

    def read(self, identifier: str, inputs: Values, outputs: Values) -> State | None:
        if not outputs:
            raise PluginError("a BucketIAMMember can't be imported by this plugin")
        wanted = _binding(outputs)
        for each in self._storage.bindings(_bucket(outputs)) or []:
            if _is_same(each, wanted) and outputs["member"] in each["members"]:
                return State(identifier, outputs, inputs)
        return None

    def update(self, operation: Operation, state: State, inputs: Values) -> Values:
        return state.outputs  # Every change is a replacement.

    def delete(self, state: State) -> None:
        bucket, gone = _bucket(state.outputs), _binding(state.outputs)
        if self._storage.bindings(bucket) is not None:
            self._storage.change_bindings(bucket, lambda found: _without(found, gone))


def _bucket(values: Values) -> str:
    return str(values["bucket"]).removeprefix("b/")


def _binding(values: Values) -> Remote:
    """The binding of one member."""
    made = {"role": values["role"], "members": [values["member"]]}
    return made | ({"condition": values["condition"]} if values.get("condition") else {})


def _is_same(one: Remote, other: Remote) -> bool:
    """Whether role and condition are the same."""
    return all(one.get(key) == other.get(key) for key in ("role", "condition"))


def _without(bindings: list[Remote], gone: Remote) -> list[Remote]:
    """The bindings without one member of one of them."""
    kept = []
    for each in bindings:
        members = set(each["members"])
        if _is_same(each, gone):
            members -= set(gone["members"])
        if members:
            kept.append({**each, "members": sorted(members)})
    return kept
