"""models.lock.json: the releases that stacks may deploy, and what load tests have proven of them.

Each model has one current entry; `earlier` keeps those before it, newest first, so that going back
is naming one of them.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from release.files import replace
from release.schema import ReleaseError, lock_entry

if TYPE_CHECKING:
    from pathlib import Path

    from release.schema import Release

Entry = dict[str, Any]

# Enough to go back to, and a lock that a person can still read.
EARLIER = 10
# Shorter ones could mean two releases.
SHORTEST_DIGEST = 12


def read(path: Path) -> dict[str, Entry]:
    """The lock's models, by name; raises ReleaseError where the file isn't one."""
    if not path.exists():
        return {}
    try:
        models = json.loads(path.read_text())["models"]
        return {name: dict(entry) for name, entry in models.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ReleaseError(f"{path} can't be read ({error}); git checkout {path.name}") from error


def write(path: Path, models: dict[str, Entry]) -> None:
    """Whole or not at all."""
    text = json.dumps({"schema": 1, "models": models}, indent=1, sort_keys=True) + "\n"
    replace(path, text.encode())


def entries(models: dict[str, Entry], name: str) -> list[Entry]:
    """The current release of a model and the earlier ones, newest first."""
    entry = models.get(name)
    return [entry, *entry.get("earlier", ())] if entry else []


def find(models: dict[str, Entry], name: str, digest: str | None) -> Entry:
    """The current release, or the one whose digest begins so; raises ReleaseError if there's none.

    A digest has twelve digits at least.
    """
    known = entries(models, name)
    found = [each for each in known if digest is None or each["digest"].startswith(digest)]
    if digest is not None and len(digest) < SHORTEST_DIGEST:
        raise ReleaseError(f"release {digest}; allowed: {SHORTEST_DIGEST} digits or more of it")
    if not found:
        pinned = ", ".join(each["digest"][:SHORTEST_DIGEST] for each in known) or "none"
        raise ReleaseError(
            f"release {digest or 'of any kind'} is not in models.lock.json, which has {pinned}; "
            f"pin it: python -m model build {name} --pin"
        )
    return found[0]


def pin(path: Path, release: Release) -> None:
    """Make this the release that stacks deploy; the one before stays known as an earlier one."""
    models = read(path)
    fresh = lock_entry(release)
    known = entries(models, release.name)
    same = [each for each in known if each["digest"] == fresh["digest"]]
    proven = {"proven": same[0]["proven"]} if same and "proven" in same[0] else {}
    others = [_alone(each) for each in known if each["digest"] != fresh["digest"]]
    earlier = {"earlier": others[:EARLIER]} if others else {}
    write(path, models | {release.name: fresh | proven | earlier})


def prove(path: Path, name: str, digest: str, stack: str, verdict: Entry) -> None:
    """Record what a stack's load test said of a release; raises ReleaseError if it isn't pinned."""
    models = read(path)
    entry = find(models, name, digest)
    entry["proven"] = entry.get("proven", {}) | {stack: verdict}
    write(path, models)


def _alone(entry: Entry) -> Entry:
    return {key: value for key, value in entry.items() if key != "earlier"}
