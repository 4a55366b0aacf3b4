"""`pulumi preview --json`: its steps, made into one change for each resource.

Shape: PreviewDigest in Pulumi's pkg/display, states as in its deployments (apitype.ResourceV3).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from pydantic import Field, model_validator

from review.reading import Document, dig

if TYPE_CHECKING:
    from collections.abc import Iterable

INFERENCE_SERVICE = "kubernetes:serving.kserve.io/v1beta1:InferenceService"
BUCKET = "gcp:storage/bucket:Bucket"
BUCKET_OBJECT = "gcp:storage/bucketObject:BucketObject"
NAMESPACE = "kubernetes:core/v1:Namespace"
CONFIG_MAP = "kubernetes:core/v1:ConfigMap"
# Made anew with every change, by design: they are named by what they prove or hold.
_ROUTINE = {"kubernetes:batch/v1:Job", CONFIG_MAP}
_ROUTINE_NAMES = ("verify-", "perf-", "release-")
# What the CLI says of the machine that it runs on, with every command.
# What Google's provider repeats of a resource's labels, as secrets.
_ECHOES = ("effectiveLabels", "pulumiLabels")
_AMBIENT = re.compile(r"using pulumi-\S+ from \$PATH at ")
_COMPONENTS = ("kserve-triton:index:", "pulumi:pulumi:Stack")
# Named by what was done to them: what `same`, `read` and `refresh` find is no change.
_REPLACING = {"replace", "create-replacement", "delete-replaced", "import-replacement"}


class Kind(StrEnum):
    """What becomes of a resource."""

    CREATE = "create"
    UPDATE = "update"
    REPLACE = "replace"
    DELETE = "delete"
    KEEP = "keep"  # no longer the stack's, but left where it is


class State(Document):
    """A resource before or after; `retain_on_delete` leaves it where it is."""

    type: str = ""
    custom: bool = True
    inputs: dict[str, Any] = Field(default_factory=dict)
    outputs: dict[str, Any] = Field(default_factory=dict)
    protect: bool = False
    retain_on_delete: bool = False


class PropertyDiff(Document):
    """How one property differs: between inputs, or between old outputs and new inputs."""

    kind: str = ""
    input_diff: bool = False


class Step(Document):
    """One step of the engine's plan."""

    op: str
    urn: str
    old_state: State | None = None
    new_state: State | None = None
    detailed_diff: dict[str, PropertyDiff] | None = None
    diff_reasons: tuple[str, ...] | None = None
    replace_reasons: tuple[str, ...] | None = None


class Diagnostic(Document):
    """Something that the engine, a provider or the program said."""

    severity: str = "info"
    message: str = ""


class Preview(Document):
    """The whole document. A preview that did not come to its end has no summary."""

    steps: tuple[Step, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()
    change_summary: dict[str, int] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _is_one(cls, value: Any) -> Any:
        if isinstance(value, dict) and not value.keys() & {"steps", "diagnostics", "changeSummary"}:
            raise ValueError("neither steps nor diagnostics nor changeSummary in it")
        return value

    @property
    def failed(self) -> bool:
        """It ended with an error, or did not end."""
        return not self.change_summary or any(d.severity == "error" for d in self.diagnostics)

    def said(self, severity: str) -> list[str]:
        """Messages of that severity, each once, in a stable order."""
        found = {
            each.message.removeprefix(f"{severity}: ").strip()
            for each in self.diagnostics
            if each.severity == severity
        }
        return sorted(message for message in found if message and not _AMBIENT.match(message))


@dataclass(frozen=True)
class Change:
    """What becomes of one resource, whatever steps it takes."""

    urn: str
    kind: Kind
    old: State | None
    new: State | None
    paths: tuple[str, ...]
    reasons: tuple[str, ...]

    @property
    def type(self) -> str:
        """Its type, such as kubernetes:batch/v1:Job."""
        state = self.new or self.old
        if state and state.type:
            return state.type
        return self.urn.split("::", 3)[-2:][0].rpartition("$")[2]

    @property
    def name(self) -> str:
        """Its logical name."""
        return self.urn.split("::", 3)[-1]

    @property
    def routine(self) -> bool:
        """Changes with every release or setting, and says nothing by itself."""
        return self.type in _ROUTINE and self.name.startswith(_ROUTINE_NAMES)

    def old_input(self, *path: str | int) -> Any:
        """What was asked for before."""
        return dig(self.old.inputs, *path) if self.old else None

    def new_input(self, *path: str | int) -> Any:
        """What would be asked for."""
        return dig(self.new.inputs, *path) if self.new else None


def changes(preview: Preview) -> list[Change]:
    """One for each resource that changes, in the order of their URNs; components are left out."""
    steps: dict[str, list[Step]] = {}
    for step in preview.steps:
        steps.setdefault(step.urn, []).append(step)
    found = (_change(urn, steps[urn]) for urn in sorted(steps))
    return [each for each in found if each and not _component(each)]


def _change(urn: str, steps: Iterable[Step]) -> Change | None:
    # Steps of a replacement tell of the same two states; the one that tells most goes first.
    ordered = sorted(steps, key=lambda step: (-_told(step), step.op, _text(step)))
    kind = _kind({step.op for step in ordered})
    if kind is None:
        return None
    old = next((step.old_state for step in ordered if step.old_state), None)
    new = next((step.new_state for step in ordered if step.new_state), None)
    if kind is Kind.DELETE:
        kind, new = (Kind.KEEP if old and old.retain_on_delete else kind), None
    paths = {
        path
        for step in ordered
        for path in step.detailed_diff
        or (*(step.diff_reasons or ()), *(step.replace_reasons or ()))
        if not path.startswith(_ECHOES)
    }
    reasons = {reason for step in ordered for reason in step.replace_reasons or ()}
    return Change(urn, kind, old, new, tuple(sorted(paths)), tuple(sorted(reasons)))


def _text(step: Step) -> str:
    return json.dumps(step.model_dump(), sort_keys=True)


def _told(step: Step) -> int:
    return (step.old_state is not None) + (step.new_state is not None)


def _kind(ops: set[str]) -> Kind | None:
    if ops & _REPLACING or {"create", "delete"} <= ops:
        return Kind.REPLACE
    if ops & {"create", "import"}:
        return Kind.CREATE
    if "update" in ops:
        return Kind.UPDATE
    return Kind.DELETE if "delete" in ops else None


def _component(change: Change) -> bool:
    state = change.new or change.old
    return change.type.startswith(_COMPONENTS) or (state is not None and not state.custom)
