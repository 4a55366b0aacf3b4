"""models.lock.json: the releases that stacks may deploy, and the verdicts of their load tests."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields, replace
from typing import TYPE_CHECKING, Literal

from release import files, schema, stacks
from release.decode import decode
from release.schema import SHORT_DIGEST, ReleaseError, short

if TYPE_CHECKING:
    from pathlib import Path

# Releases of a model that stay in the lock beside the current one.
EARLIER = 10
PASS, FAIL = "pass", "fail"


@dataclass(frozen=True)
class Verdict:
    """The verdict of a stack's load test: `pass`, `fail`, or `none` where it has not run.

    `result` is the address of its file.
    """

    verdict: str
    objectives: dict[str, float] = field(default_factory=dict)
    result: str | None = None


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A release in the lock: its digest, what a reviewer compares, and its verdict by stack."""

    digest: str
    format: schema.Format
    model: schema.File
    torch: str
    batching: bool
    inputs: tuple[schema.Tensor, ...]
    outputs: tuple[schema.Tensor, ...]
    image: schema.ImageInput | None
    handler: schema.Handler | None
    metrics: dict[str, float]
    held_out: int
    provenance: dict[str, str]
    proven: dict[str, Verdict] = field(default_factory=dict)

    @classmethod
    def of(cls, release: schema.Release, proven: dict[str, Verdict]) -> Entry:
        """The entry of a release."""
        names = [each.name for each in fields(cls) if each.name != "proven"]
        return cls(**{name: getattr(release, name) for name in names}, proven=proven)

    def verdict(self, stack: str) -> str:
        """The verdict of a stack's load test."""
        return self.proven[stack].verdict if stack in self.proven else "none"


@dataclass(frozen=True, kw_only=True)
class Lock:
    """Each model's releases: the current one, then the earlier ones, newest first."""

    schema: Literal[2] = 2
    models: dict[str, tuple[Entry, ...]]

    @classmethod
    def from_json(cls, text: bytes) -> Lock:
        """Raises ReleaseError, which names the first wrong field."""
        try:
            return decode(cls, text)
        except (ValueError, ReleaseError) as error:
            raise ReleaseError(f"{error}; restore it: git checkout models.lock.json") from error

    def releases(self, name: str) -> tuple[Entry, ...]:
        """The releases of a model, the current one first; none if the lock doesn't have it."""
        return self.models.get(name, ())

    def current(self, name: str) -> Entry | None:
        """The release of a model that stacks deploy by default."""
        return next(iter(self.releases(name)), None)

    def newest_pass(self, name: str, stack: str) -> Entry | None:
        """The newest release that passed a stack's load test; None if none did."""
        passed = (entry for entry in self.releases(name) if entry.verdict(stack) == PASS)
        return next(passed, None)

    def served_by_default(self, name: str) -> list[Entry]:
        """The releases of a model that some stack may serve without naming one.

        The current one, and the newest that passed in each stack, as promotion.requires has it.
        """
        stacks = sorted({stack for entry in self.releases(name) for stack in entry.proven})
        found = [self.current(name), *(self.newest_pass(name, stack) for stack in stacks)]
        return list({entry.digest: entry for entry in found if entry}.values())

    def find(self, name: str, digest: str | None) -> Entry:
        """The release whose digest begins with this; None: the current one. Raises ReleaseError."""
        entries, pin = self.releases(name), f"run: python -m model build {name} --pin"
        if not entries:
            raise ReleaseError(f"models.lock.json has no release of {name}; {pin}")
        if digest is None:
            return entries[0]
        if len(digest) < SHORT_DIGEST:
            raise ReleaseError(f"release: found {digest}; allowed: {SHORT_DIGEST} digits or more")
        for entry in entries:
            if entry.digest.startswith(digest):
                return entry
        allowed = ", ".join(short(entry.digest) for entry in entries)
        raise ReleaseError(
            f"release: found {digest}; allowed: one in models.lock.json, {allowed}; "
            f"to add one, {pin}"
        )

    def choose(
        self, name: str, digest: str | None, requires: str | None, override: str | None
    ) -> Entry:
        """The release that a stack with this `promotion` deploys, if it may.

        The one of that digest; without a digest the newest that has passed the load test of the
        stack `requires`. Where there is none, nothing is required, or `override` has a reason: the
        current one. Raises ReleaseError.
        """
        entry = self.find(name, digest)
        if digest is not None or requires is None or override:
            return entry
        return self.newest_pass(name, requires) or entry

    def with_releases(self, name: str, entries: tuple[Entry, ...]) -> Lock:
        """The lock with other releases of a model."""
        return replace(self, models=self.models | {name: entries})


def read(path: Path) -> Lock:
    """Read a lock; without the file it is empty. Raises ReleaseError, which names the file."""
    if not path.exists():
        return Lock(models={})
    try:
        return Lock.from_json(path.read_bytes())
    except ReleaseError as error:
        raise ReleaseError(f"{path}: {error}") from error


def write(path: Path, lock: Lock) -> None:
    """Write the file, whole or not at all."""
    text = json.dumps(asdict(lock), indent=1, sort_keys=True) + "\n"
    files.write(path, text.encode())


def deployed(lock: Lock, root: Path, stack: str) -> tuple[list[tuple[str, str]], list[str]]:
    """(model, digest) of each release that this stack deploys, canaries too; what the lock lacks.

    Whether it may deploy them is for its preview to say, and to show to reviewers. `root` is the
    folder of the stacks' files. Raises ReleaseError where the stack has no file, or one that can't
    be read.
    """
    file, found, missing = stacks.find(root, stack), [], []
    for name, digest in file.releases:
        try:
            entry = lock.choose(name, digest, file.requires, file.override)
            found.append((name, entry.digest))
        except ReleaseError as error:
            missing.append(f"{name}: {error}")
    return list(dict.fromkeys(found)), missing


def served(lock: Lock, root: Path) -> list[tuple[str, str]]:
    """(model, digest) of each release that a stack may serve, by the lock and the stacks' files.

    `root` is the folder of the files. Raises ReleaseError for one that can't be read, and where a
    stack names a release that the lock does not have.
    """
    found = [(name, each.digest) for name in lock.models for each in lock.served_by_default(name)]
    found += stacks.named_releases(root)
    return list(dict.fromkeys((name, lock.find(name, digest).digest) for name, digest in found))


def pin(path: Path, release: schema.Release) -> None:
    """Make a release the current one; one that was pinned before keeps its verdicts.

    Earlier ones beyond EARLIER go, but for those that a stack serves: named in its file, in the
    lock's folder, or the newest that passed somewhere.
    """
    lock = read(path)
    pinned = {entry.digest: entry for entry in lock.releases(release.name)}
    before = pinned.pop(release.digest, None)
    current = Entry.of(release, before.proven if before else {})
    lock = lock.with_releases(release.name, (current, *pinned.values()))
    served = {entry.digest for entry in lock.served_by_default(release.name)}
    named = tuple(
        digest for name, digest in stacks.named_releases(path.parent) if name == release.name
    )
    kept = (
        entry
        for number, entry in enumerate(lock.releases(release.name))
        if number <= EARLIER or entry.digest in served or entry.digest.startswith(named)
    )
    write(path, lock.with_releases(release.name, tuple(kept)))


def prove(path: Path, name: str, digest: str, stack: str, verdict: Verdict) -> bool:
    """Add the verdict of a stack's load test; whether it was added.

    A pass stays: a later failure of the same bytes would otherwise move the stacks that require it
    to an earlier release. Raises ReleaseError without such a release.
    """
    lock = read(path)
    entry = lock.find(name, digest)
    if verdict.verdict != PASS and entry.verdict(stack) == PASS:
        return False
    proven = replace(entry, proven=entry.proven | {stack: verdict})
    entries = tuple(proven if each is entry else each for each in lock.releases(name))
    write(path, lock.with_releases(name, entries))
    return True
