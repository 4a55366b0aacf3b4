"""The first sentence: what becomes of which model, and what is lost."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from review.escape import code
from review.markdown import counted
from review.preview import Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from review.models import Model
    from review.preview import Change, Preview

# A sentence holds so many models; the sections have them all.
MOST = 3
_DONE = {
    Kind.CREATE: "created",
    Kind.UPDATE: "updated",
    Kind.REPLACE: "replaced",
    Kind.DELETE: "deleted",
}
_SWITCHES = (
    ("device", "from {} to {}"),
    ("protocol", "from {} to {}"),
    ("placement", "from {} placement to {}"),
)


def sentence(preview: Preview, changes: Sequence[Change], models: Sequence[Model]) -> str:
    """Plain words for the heading."""
    if preview.failed:
        errors = len(preview.said("error"))
        why = counted(errors, "error") if errors else "it did not come to its end"
        return f"the preview failed: {why}"
    if not changes:
        return "no changes"
    lost = Counter(each.kind for each in changes if not each.routine)
    counts = [f"{lost[kind]} {_DONE[kind]}" for kind in (Kind.REPLACE, Kind.DELETE) if lost[kind]]
    return "; ".join([_models(changes, models), *([", ".join(counts)] if counts else [])])


def counts(changes: Sequence[Change]) -> str:
    """How many of each kind, and apart from them what changes by design."""
    counted_kinds = Counter(each.kind for each in changes if not each.routine)
    parts = [f"{counted_kinds[kind]} {done}" for kind, done in _DONE.items() if counted_kinds[kind]]
    line = f"Resources: {', '.join(parts)}." if parts else "Resources: none but routine ones."
    if kept := counted_kinds[Kind.KEEP]:
        line += f" {counted(kept, 'resource')} no longer managed, left in place."
    if routine := sum(each.routine for each in changes):
        line += f" Routine: {routine} (verification, load test, release ConfigMaps)."
    return line


def _models(changes: Sequence[Change], models: Sequence[Model]) -> str:
    if not models:
        routine = all(each.routine for each in changes)
        return "only verification and load test run anew" if routine else "no model changes"
    if len(models) > MOST:
        return counted(len(models), "model changes", "models change")
    return ", ".join(f"{code(model.name, 60)} {becomes(model)}" for model in models)


def becomes(model: Model) -> str:
    """What happens to one model, as a predicate."""
    if model.kind is Kind.CREATE:
        return "is served for the first time"
    if model.new is None or model.old is None:
        return "is no longer served"
    switches = _switched(model)
    if not model.moves:
        return " and ".join(switches or [_else(model)])
    release = "an earlier release" if model.rollback else "a new release"
    verb = "goes back to" if model.rollback else "moves to"
    qualities = ["incompatible inputs"] if model.inputs_break else []
    qualities += ["lower accuracy"] if (model.accuracy_change or 0) < 0 else []
    with_them = f" with {' and '.join(qualities)}" if qualities else ""
    return " and ".join([f"{verb} {release}{with_them}", *switches])


def _switched(model: Model) -> list[str]:
    assert model.old is not None
    assert model.new is not None
    old, new = model.old.service, model.new.service
    pairs = [(getattr(old, key), getattr(new, key), words) for key, words in _SWITCHES]
    moved = [words.format(was, now) for was, now, words in pairs if was != now]
    made = [f"moves {', '.join(moved)}"] if moved else []
    if old.mode != new.mode:
        made.append(f"changes from {code(old.mode or '')} to {code(new.mode or '')} mode")
    if model.kind is Kind.REPLACE:
        made.append("is taken down and made anew")
    return made


def _else(model: Model) -> str:
    assert model.old is not None
    assert model.new is not None
    old, new = model.old.service, model.new.service
    if old.parts != new.parts:
        return "changes its resources or replicas"
    return "gets a new configuration" if old.storage_uri != new.storage_uri else "is updated"
