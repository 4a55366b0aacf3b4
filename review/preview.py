"""`pulumi preview --json`: its steps, as one change for each resource.

Shape: PreviewDigest in Pulumi's pkg/display, states as in its deployments (apitype.ResourceV3).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from pydantic import Field, model_validator

from release.stacks import SERVED_MODEL
from review.reading import Document

if TYPE_CHECKING:
    from collections.abc import Sequence

INFERENCE_SERVICE = "kubernetes:serving.kserve.io/v1beta1:InferenceService"
BUCKET = "gcp:storage/bucket:Bucket"
BUCKET_OBJECT = "gcp:storage/bucketObject:BucketObject"
NAMESPACE = "kubernetes:core/v1:Namespace"
CONFIG_MAP = "kubernetes:core/v1:ConfigMap"
JOB = "kubernetes:batch/v1:Job"
# Copies of a resource's labels, which Google's provider adds as secrets.
_COPIED_LABELS = ("effectiveLabels", "pulumiLabels")
# The CLI's warning about where it found a plugin, which depends on the machine only.
_PLUGIN_FOUND = re.compile(r"using pulumi-\S+ from \$PATH at ")
_REPLACING = {"replace", "create-replacement", "delete-replaced", "import-replacement"}


class Kind(StrEnum):
    """What happens to a resource."""

    CREATE = "create"
    UPDATE = "update"
    REPLACE = "replace"
    DELETE = "delete"
    KEEP = "keep"  # removed from the stack, but not deleted


class State(Document):
    """A resource before or after; with `retain_on_delete` it is never deleted."""

    type: str = ""
    custom: bool = True
    inputs: dict[str, Any] = Field(default_factory=dict)
    outputs: dict[str, Any] = Field(default_factory=dict)
    protect: bool = False
    retain_on_delete: bool = False


class Step(Document):
    """One step of the engine's plan; the keys of `detailed_diff` are property paths."""

    op: str
    urn: str
    old_state: State | None = None
    new_state: State | None = None
    detailed_diff: dict[str, Any] | None = None
    diff_reasons: tuple[str, ...] | None = None
    replace_reasons: tuple[str, ...] | None = None

    @property
    def paths(self) -> set[str]:
        """Paths of the properties that change."""
        paths = self.detailed_diff or (*(self.diff_reasons or ()), *(self.replace_reasons or ()))
        return {path for path in paths if not path.startswith(_COPIED_LABELS)}


class Diagnostic(Document):
    """A message of the engine, a provider or the program."""

    severity: str = "info"
    message: str = ""


class Preview(Document):
    """The whole document. A preview that stopped early has no summary."""

    steps: tuple[Step, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()
    change_summary: dict[str, int] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _check_keys(cls, value: Any) -> Any:
        if isinstance(value, dict) and not value.keys() & {"steps", "diagnostics", "changeSummary"}:
            raise ValueError("neither steps nor diagnostics nor changeSummary in it")
        return value

    @property
    def failed(self) -> bool:
        """Whether it reported an error or stopped early."""
        return not self.change_summary or any(d.severity == "error" for d in self.diagnostics)

    def messages(self, severity: str) -> list[str]:
        """The messages of that severity, sorted, each once."""
        messages = {
            each.message.removeprefix(f"{severity}: ").strip()
            for each in self.diagnostics
            if each.severity == severity
        }
        return sorted(each for each in messages if each and not _PLUGIN_FOUND.match(each))


@dataclass(frozen=True)
class Change:
    """What happens to one resource or component, from all of its steps."""

    urn: str
    kind: Kind
    old: State | None
    new: State | None
    paths: tuple[str, ...]
    reasons: tuple[str, ...]

    @property
    def types(self) -> list[str]:
        """The types of its parents below the stack, the outermost first, and its own."""
        return self.urn.split("::", 3)[-2:][0].split("$")

    @property
    def type(self) -> str:
        """Its type, such as kubernetes:batch/v1:Job."""
        return self.types[-1]

    @property
    def name(self) -> str:
        """Its logical name."""
        return self.urn.split("::", 3)[-1]

    @property
    def in_model(self) -> bool:
        """Whether its parent is a ServedModel."""
        return self.types[-2:-1] == [SERVED_MODEL]

    @property
    def routine(self) -> bool:
        """Whether it is a model's Job or release ConfigMap; a new one replaces it by design."""
        return self.in_model and self.type in (JOB, CONFIG_MAP)

    @property
    def component(self) -> bool:
        """Whether it is a component or the stack itself, not a resource of a provider."""
        return any(state and not state.custom for state in (self.old, self.new))

    @property
    def old_inputs(self) -> dict[str, Any]:
        """Its inputs before."""
        return self.old.inputs if self.old else {}


def changes(preview: Preview) -> list[Change]:
    """One change for each resource and component that changes, sorted by URN."""
    steps: dict[str, list[Step]] = {}
    for step in preview.steps:
        steps.setdefault(step.urn, []).append(step)
    found = (_change(urn, steps[urn]) for urn in sorted(steps))
    return [each for each in found if each]


def _change(urn: str, steps: Sequence[Step]) -> Change | None:
    kind = _kind({step.op for step in steps})
    if kind is None:
        return None
    # The steps of a replacement have the same two states, but not each step has both.
    ordered = sorted(steps, key=lambda step: step.op)
    old = next((step.old_state for step in ordered if step.old_state), None)
    new = next((step.new_state for step in ordered if step.new_state), None)
    if kind is Kind.DELETE:
        kind, new = (Kind.KEEP if old and old.retain_on_delete else kind), None
    paths = {path for step in ordered for path in step.paths}
    reasons = {reason for step in ordered for reason in step.replace_reasons or ()}
    return Change(urn, kind, old, new, tuple(sorted(paths)), tuple(sorted(reasons)))


def _kind(ops: set[str]) -> Kind | None:
    """None for `same`, `read` and `refresh`, which change nothing."""
    if ops & _REPLACING or {"create", "delete"} <= ops:
        return Kind.REPLACE
    if ops & {"create", "import"}:
        return Kind.CREATE
    if "update" in ops:
        return Kind.UPDATE
    return Kind.DELETE if "delete" in ops else None
