"""The resources that are replaced or deleted, in red, the most harmful first."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from review.markdown import fence, plural
from review.preview import BUCKET, BUCKET_OBJECT, INFERENCE_SERVICE, NAMESPACE, Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from review.preview import Change

# The resource diff lists them all.
MAX_LINES = 30
_OBJECT = re.compile(r"models/([^/]+/[^/]+)/")
_MOST_HARMFUL = (BUCKET, NAMESPACE, INFERENCE_SERVICE)


def section(resources: Sequence[Change]) -> str | None:
    """Markdown; None if all that is replaced or deleted is routine."""
    removed = [
        each for each in resources if each.kind in (Kind.REPLACE, Kind.DELETE) and not each.routine
    ]
    if not removed:
        return None
    others = [each for each in removed if not _deleted_object(each)]
    folders = Counter(_folder(each) for each in removed if _deleted_object(each))
    lines = [_line(each) for each in sorted(others, key=lambda each: (_rank(each), each.urn))]
    lines += [
        f"- {plural(count, 'object')} of {folder}: deleted from the bucket"
        for folder, count in sorted(folders.items())
    ]
    if len(lines) > MAX_LINES:
        lines = [*lines[:MAX_LINES], f"- and {len(lines) - MAX_LINES} more"]
    return f"#### Replaced or deleted\n\n{fence(lines, 'diff')}"


def _deleted_object(change: Change) -> bool:
    return change.type == BUCKET_OBJECT and change.kind is Kind.DELETE


def _rank(change: Change) -> int:
    return (*_MOST_HARMFUL, change.type).index(change.type)


def _folder(change: Change) -> str:
    name = _bucket_name(change)
    match = _OBJECT.match(name)
    return match[1] if match else name


def _line(change: Change) -> str:
    kind = change.type.rpartition(":")[2]
    name = _bucket_name(change) if change.type == BUCKET else change.name
    participle = "deleted" if change.kind is Kind.DELETE else "replaced"
    line = f"- {kind} {name}: {participle}{_consequence(change)}"
    if change.kind is Kind.REPLACE and change.reasons:
        line += f" ({', '.join(change.reasons)})"
    if change.old and change.old.protect:
        line += "; it is protected, so the update will refuse"
    return line


def _bucket_name(change: Change) -> str:
    return str(change.old_inputs.get("name") or change.name)


def _consequence(change: Change) -> str:
    if change.type == BUCKET:
        if change.old_inputs.get("forceDestroy") is True:
            return ", with every release and load test result in it"
        return "; the update fails while anything is in it"
    if change.type == NAMESPACE:
        return ", with everything in it"
    if change.type == INFERENCE_SERVICE:
        if change.kind is Kind.DELETE:
            return ", nothing answers any more"
        return ", nothing answers until the new one is ready"
    return ""
