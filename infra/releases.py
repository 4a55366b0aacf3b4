"""The releases that a stack deploys: what the lock pins, found whole under build/."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from infra.containers import misfit
from infra.render import LABELS, config_pbtxt, labels_txt
from model.signature import Release, ReleaseError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from infra.sections import ModelSettings

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


def load(models: Mapping[str, ModelSettings], root: Path) -> dict[str, Artefact]:
    """Every model's artefact, checked to the last byte; `root` has models.lock.json and build/.

    Raises ReleasesError with all problems.
    """
    lock = _lock(root / "models.lock.json")
    artefacts: dict[str, Artefact] = {}
    problems = []
    for name, settings in models.items():
        try:
            artefacts[name] = _artefact(name, settings, lock, root)
        except (ReleasesError, ReleaseError) as error:
            problems.append(f"  {name}: {error}")
    if problems:
        raise ReleasesError("\n".join(["releases that can't be deployed:", *problems]))
    return artefacts


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


def _artefact(name: str, settings: ModelSettings, lock: Mapping[str, Any], root: Path) -> Artefact:
    build, pin = f"python -m model build {name}", f"python -m model build {name} --pin"
    folder = root / "build" / name
    path = folder / "release.json"
    pinned = lock.get(name, {}).get("digest")
    if pinned is None:
        where = "is built but not pinned" if path.exists() else "is neither built nor pinned"
        raise ReleasesError(f"it {where} in models.lock.json; run: {pin}")
    if not path.exists() or not (folder / "model.pt").exists():
        raise ReleasesError(f"models.lock.json pins {pinned[:SHORT]}, not built here; run: {build}")
    text = path.read_text()
    digest = hashlib.sha256(text.encode()).hexdigest()
    if digest != pinned:
        raise ReleasesError(
            f"built is {digest[:SHORT]}, models.lock.json pins {pinned[:SHORT]}; "
            f"pin what is built: {pin}, or build what is pinned: git checkout, then {build}"
        )
    release = Release.from_json(text.encode())
    _check_files(release, folder, build)
    reason = misfit(release.torch, settings.triton.container)
    if reason:
        raise ReleasesError(reason)
    return Artefact(release, digest, text, folder, config_pbtxt(release, settings))


def _check_files(release: Release, folder: Path, build: str) -> None:
    expected = {"model.pt": release.model.sha256} | {
        f"warmup/{name}": sha256 for name, sha256 in release.warmup.items()
    }
    for name, sha256 in expected.items():
        with (folder / name).open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != sha256:
            raise ReleasesError(
                f"{folder.name}/{name} has SHA-256 {found[:SHORT]}, its release says "
                f"{sha256[:SHORT]}: it was changed after the build; run: {build}"
            )
