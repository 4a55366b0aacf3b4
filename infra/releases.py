"""The releases that a stack deploys: what the lock pins, found whole under build/."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from infra.config.containers import misfit
from infra.config.types import Placement
from infra.manifests.model_config import LABELS, config_pbtxt, labels_txt
from release.files import BUILD, RELEASE_JSON, check, located
from release.schema import Release, ReleaseError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from infra.config import ModelSettings, Promotion

# Folders of the bucket: releases, and results of load tests.
MODELS, RESULTS = "models/", "perf/"
# Enough of a digest to tell versions apart where people read it: 64 bits.
SHORT = 16


class ReleasesError(Exception):
    """A release can't be deployed; the message names the command that mends it."""


@dataclass(frozen=True)
class Artefact:
    """One model's release with its rendered config: what the bucket gets and Triton loads."""

    release: Release
    digest: str
    text: str
    folder: Path
    config: str

    @property
    def name(self) -> str:
        """The model's name, for Triton, KServe and people."""
        return self.release.name

    @cached_property
    def version(self) -> str:
        """Digest over the release and the rendered config: it changes exactly when they do."""
        return hashlib.sha256(f"{self.digest}\n{self.config}".encode()).hexdigest()[:SHORT]

    @property
    def prefix(self) -> str:
        """Where Triton's model repository lies in the bucket; `storageUri` names it."""
        return f"{MODELS}{self.name}/{self.version}"

    @property
    def files(self) -> dict[str, Path]:
        """Object path under `prefix` -> local file, for what is uploaded as it is."""
        warmup = {
            f"{self.name}/warmup/{name}": self.folder / "warmup" / name
            for name in self.release.warmup
        }
        return {f"{self.name}/1/model.pt": self.folder / "model.pt"} | warmup

    @property
    def texts(self) -> dict[str, str]:
        """Object path under `prefix` -> content, for what the program makes."""
        labels = {f"{self.name}/{LABELS}": labels_txt(self.release)} if self.release.labels else {}
        return {f"{self.name}/config.pbtxt": self.config} | labels

    def write(self, folder: Path) -> None:
        """What the bucket holds under `prefix`, under a folder."""
        for path, file in self.files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, folder / path)
        for path, text in self.texts.items():
            (folder / path).write_text(text)


@dataclass(frozen=True)
class Releases:
    """What each model serves, and what some try out beside it; by model."""

    stable: Mapping[str, Artefact]
    canary: Mapping[str, Artefact]

    def stored(self, models: Mapping[str, ModelSettings]) -> list[Artefact]:
        """What the bucket must hold: all but models that come as an image."""
        found = [*self.stable.values(), *self.canary.values()]
        return [each for each in found if models[each.name].storage_uri is None]


def load(models: Mapping[str, ModelSettings], root: Path, promotion: Promotion) -> Releases:
    """Every model's artefacts, checked to the last byte; `root` has models.lock.json and build/.

    Raises ReleasesError with all problems.
    """
    lock = _lock(root / "models.lock.json")
    stable: dict[str, Artefact] = {}
    canary: dict[str, Artefact] = {}
    problems = []
    for name, settings in models.items():
        wanted = [(stable, settings.release)]
        if settings.canary:
            wanted.append((canary, settings.canary.release))
        try:
            for where, digest in wanted:
                entry = _entry(name, digest, lock, root)
                _proven(name, entry, promotion)
                where[name] = _artefact(name, entry["digest"], settings, root)
            if name in canary:
                _check_canary(stable[name], canary[name], settings)
        except (ReleasesError, ReleaseError) as error:
            problems.append(f"  {name}: {error}")
    if problems:
        raise ReleasesError("\n".join(["releases that can't be deployed:", *problems]))
    return Releases(stable, canary)


def _lock(path: Path) -> dict[str, Any]:
    try:
        models = json.loads(path.read_text())["models"]
    except FileNotFoundError:
        return {}
    except (ValueError, KeyError, TypeError) as error:
        raise ReleasesError(
            f"{path.name} can't be read ({error}); restore it: git checkout {path.name}"
        ) from error
    if not isinstance(models, dict):
        raise ReleasesError(
            f"{path.name}: models is no object; restore it: git checkout {path.name}"
        )
    return models


def _entry(name: str, wanted: str | None, lock: Mapping[str, Any], root: Path) -> dict[str, Any]:
    """What the lock says of the current release, or of the one whose digest begins so."""
    if name not in lock:
        built = (root / BUILD / name / RELEASE_JSON).exists()
        where = "is built but not pinned" if built else "is neither built nor pinned"
        raise ReleasesError(
            f"it {where} in models.lock.json; run: python -m model build {name} --pin"
        )
    entries = [lock[name], *lock[name].get("earlier", ())]
    found = [each for each in entries if wanted is None or each["digest"].startswith(wanted)]
    if not found:
        known = ", ".join(each["digest"][:SHORT] for each in entries)
        raise ReleasesError(f"release: found {wanted}; allowed: one in models.lock.json, {known}")
    return dict(found[0])


def _proven(name: str, entry: Mapping[str, Any], promotion: Promotion) -> None:
    """A release passed the load test of the stack before, unless somebody says why not."""
    stack = promotion.requires
    if stack is None or promotion.override:
        return
    verdict = entry.get("proven", {}).get(stack, {}).get("verdict", "none")
    if verdict != "pass":
        raise ReleasesError(
            f"release {entry['digest'][:SHORT]} has no pass from {stack}'s load test in "
            f"models.lock.json (found {verdict}); deploy it there, then record it: "
            f"pulumi stack output --json --stack {stack} | python -m model prove --stack {stack}; "
            "or say why it goes without: pulumi config set --path promotion.override REASON"
        )


def _artefact(name: str, pinned: str, settings: ModelSettings, root: Path) -> Artefact:
    build = f"python -m model build {name}"
    folder = located(root / BUILD, name, pinned)
    if folder is None:
        raise ReleasesError(_absent(name, pinned, root))
    text = (folder / RELEASE_JSON).read_text()
    try:
        release = check(folder, pinned)
    except ReleaseError as error:
        raise ReleasesError(f"{error} after the build; run: {build}") from error
    reason = misfit(release.torch, settings.triton.container)
    if reason:
        raise ReleasesError(reason)
    return Artefact(release, pinned, text, folder, config_pbtxt(release, settings))


def _absent(name: str, pinned: str, root: Path) -> str:
    """What is here instead of the pinned release, and how to get that."""
    build = f"python -m model build {name}"
    pull = f"python -m model pull {name} --release {pinned[:SHORT]} --from URL"
    path = root / BUILD / name / RELEASE_JSON
    if not path.exists():
        return f"models.lock.json pins {pinned[:SHORT]}, not built here; run: {build}, or {pull}"
    built = hashlib.sha256(path.read_bytes()).hexdigest()[:SHORT]
    return (
        f"built is {built}, models.lock.json pins {pinned[:SHORT]}; "
        f"pin what is built: {build} --pin, or get what is pinned: {pull}"
    )


def _check_canary(stable: Artefact, canary: Artefact, settings: ModelSettings) -> None:
    """One transformer in front of both must suit both; raises ReleasesError."""
    if stable.digest == canary.digest:
        raise ReleasesError(
            f"canary.release: found {canary.digest[:SHORT]}, the one that is served already; "
            "allowed: another, or no canary"
        )
    separate = settings.transformer.enabled and settings.placement is Placement.SEPARATE
    one, other = stable.release, canary.release
    differ = [
        field
        for field in ("inputs", "outputs", "preprocessing", "labels")
        if getattr(one, field) != getattr(other, field)
    ]
    if separate and differ:
        raise ReleasesError(
            f"canary.release: {canary.digest[:SHORT]} differs from {stable.digest[:SHORT]} in "
            f"{', '.join(differ)}, and one transformer serves both; allowed: a release that agrees "
            "in these, or placement collocated"
        )
