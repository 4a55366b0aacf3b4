"""What goes away, in red, the worst first."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from review.escape import fence
from review.markdown import counted
from review.models import service_name
from review.preview import BUCKET, BUCKET_OBJECT, INFERENCE_SERVICE, NAMESPACE, Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from review.preview import Change

# Enough to see what it is about; the resource diff has them all.
MOST = 30
_OBJECT = re.compile(r"models/([^/]+/[^/]+)/")
_WORST = (BUCKET, NAMESPACE, INFERENCE_SERVICE)


def losses(changes: Sequence[Change]) -> str | None:
    """Markdown; None where nothing goes that matters."""
    lost = [
        each for each in changes if each.kind in (Kind.REPLACE, Kind.DELETE) and not each.routine
    ]
    if not lost:
        return None
    single = [each for each in lost if each.type != BUCKET_OBJECT or each.kind is Kind.REPLACE]
    objects = Counter(_version(each) for each in lost if each not in single)
    lines = [_line(each) for each in sorted(single, key=lambda each: (_badness(each), each.urn))]
    lines += [
        f"- {counted(count, 'object')} of {version}: deleted from the bucket"
        for version, count in sorted(objects.items())
    ]
    if len(lines) > MOST:
        lines = [*lines[:MOST], f"- and {len(lines) - MOST} more"]
    return f"#### Replaced or deleted\n\n{fence(lines, 'diff')}"


def _badness(change: Change) -> int:
    return _WORST.index(change.type) if change.type in _WORST else len(_WORST)


def _version(change: Change) -> str:
    name = str(change.old_input("name") or change.name)
    match = _OBJECT.match(name)
    return match[1] if match else name


def _line(change: Change) -> str:
    kind = change.type.rpartition(":")[2]
    deleted = change.kind is Kind.DELETE
    done = "deleted" if deleted else "replaced"
    return f"- {kind} {_called(change)}: {done}{_means(change, deleted)}{_guarded(change)}"


def _called(change: Change) -> str:
    if change.type == INFERENCE_SERVICE:
        return service_name(change)
    if change.type == BUCKET:
        return str(change.old_input("name") or change.name)
    return change.name


def _means(change: Change, deleted: bool) -> str:
    if change.type == BUCKET:
        emptied = change.old_input("forceDestroy") is True
        return (
            ", with every release and load test result in it"
            if emptied
            else "; the update fails while anything is in it"
        )
    if change.type == NAMESPACE:
        return ", with everything in it"
    if change.type == INFERENCE_SERVICE:
        return (
            ", nothing answers any more"
            if deleted
            else f", nothing answers until the new one is ready{_because(change)}"
        )
    return _because(change)


def _because(change: Change) -> str:
    return f" ({', '.join(change.reasons)})" if change.reasons else ""


def _guarded(change: Change) -> str:
    protected = change.old is not None and change.old.protect
    return "; it is protected, so the update will refuse" if protected else ""
