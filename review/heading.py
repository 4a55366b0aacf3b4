"""The comment's first sentence, and the numbers of resources."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from review.markdown import code, plural
from review.preview import Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from review.models import Model
    from review.preview import Change, Preview
    from review.serving import ServedModel

# Models in the sentence; the sections below it have them all.
MAX_MODELS = 3
_PARTICIPLES = {
    Kind.CREATE: "created",
    Kind.UPDATE: "updated",
    Kind.REPLACE: "replaced",
    Kind.DELETE: "deleted",
}
_SWITCHES = {
    "device": "from {} to {}",
    "protocol": "from {} to {}",
    "placement": "from {} placement to {}",
}


def sentence(preview: Preview, resources: Sequence[Change], models: Sequence[Model]) -> str:
    """The sentence, after the stack's name."""
    if preview.failed:
        errors = len(preview.messages("error"))
        return f"the preview failed: {plural(errors, 'error') if errors else 'it stopped early'}"
    if not resources:
        return "no changes"
    kinds = Counter(each.kind for each in resources if not each.routine)
    removed = [
        f"{kinds[kind]} {_PARTICIPLES[kind]}" for kind in (Kind.REPLACE, Kind.DELETE) if kinds[kind]
    ]
    return "; ".join([_models(resources, models), *([", ".join(removed)] if removed else [])])


def counts(resources: Sequence[Change]) -> str:
    """How many resources of each kind; routine ones are counted apart."""
    kinds = Counter(each.kind for each in resources if not each.routine)
    parts = [
        f"{kinds[kind]} {participle}" for kind, participle in _PARTICIPLES.items() if kinds[kind]
    ]
    line = f"Resources: {', '.join(parts)}." if parts else "Resources: only routine ones."
    if kinds[Kind.KEEP]:
        line += f" {plural(kinds[Kind.KEEP], 'resource')} no longer managed, not deleted."
    if routine := [each for each in resources if each.routine]:
        compiled = any(each.name.startswith("compile-") for each in routine)
        what = "verification, load test, release ConfigMaps"
        line += f" Routine: {len(routine)} ({'compilation, ' if compiled else ''}{what})."
    return line


def _models(resources: Sequence[Change], models: Sequence[Model]) -> str:
    if not models:
        routine = all(each.routine for each in resources)
        return "only verification and load test run again" if routine else "no model changes"
    if len(models) > MAX_MODELS:
        return plural(len(models), "model changes", "models change")
    return ", ".join(f"{code(model.name, 60)} {predicate(model)}" for model in models)


def predicate(model: Model) -> str:
    """What happens to a model: the sentence without its subject."""
    if model.kind is Kind.CREATE:
        return "is served for the first time"
    if model.kind in (Kind.DELETE, Kind.KEEP):
        return "is no longer served"
    clauses = []
    if model.old and model.new:
        old, new = model.old.served, model.new.served
        clauses = [*_release(model, old, new), *_canary(old, new), *_switches(old, new)]
    if model.recreated:
        clauses.append("is deleted and created again")
    return " and ".join(clauses or [_remainder(model)])


def _release(model: Model, old: ServedModel, new: ServedModel) -> list[str]:
    if not model.release_changes:
        return []
    clause = "goes back to an earlier release" if model.rollback else "moves to a new release"
    if _promotes_canary(old, new):
        clause = "moves to the release of its canary"
    return [f"{clause} with incompatible inputs" if model.inputs_incompatible else clause]


def _canary(old: ServedModel, new: ServedModel) -> list[str]:
    before, after = old.canary, new.canary
    if after is None:
        return ["ends its canary"] if before and not _promotes_canary(old, new) else []
    share = f"{after.traffic_percent}% of the traffic"
    if before is None:
        return [f"starts a canary with {share}"]
    if before.release != after.release:
        return [f"starts another canary with {share}"]
    if before.traffic_percent != after.traffic_percent:
        return [f"gives its canary {share} instead of {before.traffic_percent}%"]
    return []


def _promotes_canary(old: ServedModel, new: ServedModel) -> bool:
    return old.canary is not None and old.canary.release == new.release


def _switches(old: ServedModel, new: ServedModel) -> list[str]:
    moves = [
        text.format(old.switches[switch], new.switches[switch])
        for switch, text in _SWITCHES.items()
        if old.switches[switch] != new.switches[switch]
    ]
    clauses = [f"moves {', '.join(moves)}"] if moves else []
    if old.mode != new.mode:
        clauses.append(f"changes from {old.mode} to {new.mode} mode")
    return clauses


def _remainder(model: Model) -> str:
    """The predicate where neither release nor canary nor a switch changes."""
    if model.old and model.new:
        if model.old.served.pods != model.new.served.pods:
            return "changes its resources or replicas"
        if model.old.served.storage_uri != model.new.served.storage_uri:
            return "gets a new configuration"
    return "is updated"
