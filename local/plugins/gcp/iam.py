"""`gcp:storage/bucketIAMMember:BucketIAMMember`.

The emulator has no IAM, so nothing is granted. The member is checked as in the official plugin and
recorded in the stack's state, and the plugin reports that.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from local.plugins.changes import Difference, compare
from local.plugins.resource import Checked, PluginError, Resource, State
from local.plugins.schema import Shape, unsupported
from local.plugins.wire import UNKNOWN, has_unknown

if TYPE_CHECKING:
    from local.plugins.gcp.storage import Storage
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


class BucketIamMember(Resource):
    """A member of a bucket's policy. Its id is b/BUCKET/ROLE/MEMBER."""

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
        bucket = _bucket(inputs)
        if not operation.preview and self._storage.bucket(bucket) is None:
            raise PluginError(f"bucket {bucket} does not exist")
        if not operation.preview:
            operation.engine.inform(
                "the storage emulator has no IAM: the member is recorded in the stack's state only",
                operation.urn,
            )
        identifier = f"b/{bucket}/{inputs['role']}/{inputs['member']}"
        return State(identifier, {**inputs, "bucket": f"b/{bucket}", "etag": "emulator"})

    def read(self, identifier: str, inputs: Values, outputs: Values) -> State | None:
        if not outputs:
            raise PluginError("the storage emulator has no IAM, so there is no member to import")
        exists = self._storage.bucket(_bucket(outputs)) is not None
        return State(identifier, outputs, inputs) if exists else None

    def update(self, operation: Operation, state: State, inputs: Values) -> Values:
        return state.outputs

    def delete(self, state: State) -> None:
        return


def _bucket(values: Values) -> str:
    return str(values["bucket"]).removeprefix("b/")
