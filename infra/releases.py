"""The releases that a stack deploys: pinned in the lock, complete under build/."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.config import backends, handler
from infra.config.containers import check_compatibility
from infra.config.types import Mode
from infra.manifests.artefact import MAX_MAP_BYTES, Artefact
from infra.manifests.compilation import compile_target
from infra.manifests.model_config import config_pbtxt
from release import files, lock
from release.commands import build_command
from release.files import BUILD, RELEASE_JSON
from release.schema import ReleaseError, digest, short

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from infra.config import ModelSettings, Promotion
    from release.lock import Entry, Lock
    from release.schema import Release


_COMPILED = "a Job compiles the release, in format aoti, into the bucket"


class ReleasesError(Exception):
    """A release can't be deployed; the message names the command that helps."""


@dataclass(frozen=True)
class Releases:
    """The artefacts by model: those that are served, and canaries.

    `waiting` tells of each newer release that is not served, and what it waits for.
    """

    stable: Mapping[str, Artefact]
    canary: Mapping[str, Artefact]
    waiting: tuple[str, ...] = ()

    def stored(self, models: Mapping[str, ModelSettings]) -> list[Artefact]:
        """The artefacts that the bucket must have: all but models that come as an image."""
        found = {
            (each.name, each.digest): each
            for each in (*self.canary.values(), *self.stable.values())
        }
        return [each for each in found.values() if models[each.name].storage_uri is None]


def load(models: Mapping[str, ModelSettings], root: Path, promotion: Promotion) -> Releases:
    """Every model's artefacts, with all digests checked; `root` has models.lock.json and build/.

    Raises ReleasesError with all problems.
    """
    stable: dict[str, Artefact] = {}
    canary: dict[str, Artefact] = {}
    problems, waiting = [], []
    try:
        pinned = lock.read(root / "models.lock.json")
    except ReleaseError as error:
        raise ReleasesError(str(error)) from error
    for name, settings in models.items():
        try:
            entry = _choose(pinned, name, settings.release, promotion)
            stable[name] = _artefact(name, entry, settings, root)
            newest = pinned.find(name, None)
            if promotion.requires and settings.release is None and newest is not entry:
                waiting.append(f"models.{name}: {_waiting(newest, entry, promotion.requires)}")
            if settings.canary:
                entry = _choose(pinned, name, settings.canary.release, promotion)
                canary[name] = _artefact(name, entry, settings, root)
                _check_canary(stable[name], canary[name], settings)
        except (ReleasesError, ReleaseError) as error:
            problems.append(f"  {name}: {error}")
    if problems:
        raise ReleasesError("\n".join(["releases that can't be deployed:", *problems]))
    return Releases(stable, canary, tuple(waiting))


def _choose(pinned: Lock, name: str, release: str | None, promotion: Promotion) -> Entry:
    """The release that is served; raises ReleasesError where it has not passed as required."""
    stack = promotion.requires
    entry = pinned.choose(name, release, stack, promotion.override)
    if stack is None or promotion.override or entry.verdict(stack) == lock.PASS:
        return entry
    each = ", like every earlier one," if release is None else ""
    raise ReleasesError(
        f"release {short(entry.digest)}{each} has not passed {stack}'s load test, by "
        f"models.lock.json (found {entry.verdict(stack)}); {_how_to_pass(stack)}; or give a reason "
        "to go without: pulumi config set --path promotion.override REASON"
    )


def _how_to_pass(stack: str) -> str:
    return (
        f"deploy it there, then record the verdict: pulumi stack export --stack {stack} | "
        f"python -m model prove --stack {stack}"
    )


def _waiting(newest: Entry, served: Entry, stack: str) -> str:
    """Which release waits, and for what."""
    return (
        f"release {short(served.digest)} is served, the newest that has passed {stack}'s load "
        f"test; {short(newest.digest)} waits for its pass (found {newest.verdict(stack)}); "
        f"{_how_to_pass(stack)}"
    )


def _artefact(name: str, entry: Entry, settings: ModelSettings, root: Path) -> Artefact:
    build, pinned = build_command(name, entry.format, entry.provenance), entry.digest
    folder = files.find(root / BUILD, name, pinned)
    if folder is None:
        raise ReleasesError(_not_built(name, pinned, build, root))
    text = (folder / RELEASE_JSON).read_text()
    try:
        release = files.check(folder, pinned)
    except ReleaseError as error:
        raise ReleasesError(f"{error} after the build; run: {build}") from error
    if broken := _broken_rules(release, settings):
        raise ReleasesError("\n    ".join(broken))
    target = compile_target(settings) if release.format == "aoti" else ""
    config = config_pbtxt(release, settings)
    artefact = Artefact(release, pinned, text, folder, config, target)
    _check_handler_place(artefact, settings)
    return artefact


def _broken_rules(release: Release, settings: ModelSettings) -> list[str]:
    """What these settings ask of a release that it or Triton can't do."""
    reason = check_compatibility(release, settings.triton.container)
    known = release.handler.parameters if release.handler else None
    image = settings.storage_uri if release.format == "aoti" else None
    return [
        *([reason] if reason else []),
        *(
            [f"storageUri: found {image}, where {_COMPILED}; allowed: no storageUri"]
            if image
            else []
        ),
        *backends.broken_rules(settings.triton, release.format, settings.device),
        *handler.broken_rules(settings.handler.parameters, known),
    ]


def _check_handler_place(artefact: Artefact, settings: ModelSettings) -> None:
    """A handler too large for a ConfigMap must be reached in the bucket; raises ReleasesError."""
    transformer = settings.transformer
    if not artefact.handler_in_bucket or not transformer.enabled or transformer.own:
        return
    large = f"its handler is larger than {MAX_MAP_BYTES:,} bytes with release.json, and"
    if settings.storage_uri:
        raise ReleasesError(
            f"storageUri: found an image; {large} comes from the bucket; allowed: no storageUri, "
            "or a smaller handler"
        )
    if settings.separate_transformer and settings.predictor.cache_node_group:
        raise ReleasesError(
            f"predictor.cacheNodeGroup: found {settings.predictor.cache_node_group}; {large} "
            "KServe would tie the transformer's pods to the cache's nodes; allowed: none, "
            "placement collocated, or a smaller handler"
        )


def _not_built(name: str, pinned: str, build: str, root: Path) -> str:
    """What build/ has instead of the pinned release, and the commands that get it."""
    pull = f"python -m model pull {name} --release {short(pinned)} --from URL"
    path = root / BUILD / name / RELEASE_JSON
    if not path.exists():
        return f"models.lock.json pins {short(pinned)}, not built here; run: {build}, or {pull}"
    return (
        f"built is {short(digest(path.read_bytes()))}, models.lock.json pins {short(pinned)}; "
        f"pin what is built: {build} --pin, or get what is pinned: {pull}"
    )


def _check_canary(stable: Artefact, canary: Artefact, settings: ModelSettings) -> None:
    """The transformer in front of both must suit both; raises ReleasesError.

    Under Knative the newest revision that is ready gets the requests of a spec without a canary. A
    canary of the stable release is then the way to give another one up.
    """
    if stable.digest == canary.digest and settings.mode is Mode.STANDARD:
        raise ReleasesError(
            f"canary.release: found {short(canary.digest)}, the one that is served already; "
            "allowed: another, or no canary"
        )
    differing = [
        field
        for field in ("batching", "inputs", "outputs", "image", "handler")
        if getattr(stable.release, field) != getattr(canary.release, field)
    ]
    if settings.separate_transformer and differing:
        raise ReleasesError(
            f"canary.release: {short(canary.digest)} differs from {short(stable.digest)} in "
            f"{', '.join(differing)}, and one transformer serves both; allowed: a release with the "
            "same, or placement collocated"
        )
