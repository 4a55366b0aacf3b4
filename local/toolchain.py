"""Paths and versions of the local cluster's Go programs and modules.

A program on PATH is used if its version fits. Else it is in the user's cache folder, into which
`local.building` fetches or builds it. Versions are pinned in one place each: the `go.mod` files
under `local/tools/`, `jobs/vegeta/` and `jobs/ghz/`, and `requirements/program.in`.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

from local import go as local_go
from local.catalogue import TOOLS, Tool
from local.errors import LocalError
from local.go import cache
from local.layout import ROOT

__all__ = [
    "build_flags",
    "cache",
    "cached",
    "go",
    "module",
    "official",
    "official_folder",
    "on_path",
    "published",
    "tool",
    "version",
    "version_of",
]


def version(module_path: str, folder: str) -> str:
    """The version that `folder`'s go.mod pins for a module: `v1.34.4`."""
    text = (ROOT / folder / "go.mod").read_text()
    found = re.search(rf"^(?:require )?\s*{re.escape(module_path)} (v\S+)", text, re.MULTILINE)
    if not found:
        raise LocalError(f"{folder}/go.mod doesn't pin {module_path}")
    return found[1]


def version_of(wanted: Tool) -> str:
    """The version of a program: `v1.34.4`."""
    if "/" in wanted.versioned_by:
        return version(wanted.versioned_by, wanted.folder)
    text = (ROOT / "requirements" / "program.in").read_text()
    found = re.search(rf"^{re.escape(wanted.versioned_by)}==(\S+)", text, re.MULTILINE)
    if not found:
        raise LocalError(f"requirements/program.in doesn't pin {wanted.versioned_by}")
    return f"v{found[1]}"


def build_flags(wanted: Tool) -> list[str]:
    """Flags of `go build`, for a reproducible program: without paths of this machine."""
    pinned = version_of(wanted)
    number = pinned.removeprefix("v")
    major, minor = number.split(".")[:2]
    parts = {"version": pinned, "number": number, "major": major, "minor": minor}
    stamps = [stamp.format(**parts) for stamp in wanted.stamps]
    linker = " ".join(["-s", "-w", *(f"-X {stamp}" for stamp in stamps)])
    return ["-mod=readonly", "-trimpath", "-buildvcs=false", f"-ldflags={linker}"]


def cached(wanted: Tool) -> Path:
    """The path of exactly this build in the cache, whether it is there or not."""
    recipe = [wanted.package, *build_flags(wanted), *map(repr, wanted.patches + wanted.embeds)]
    digest = hashlib.sha256("\0".join(recipe).encode())
    for name in ("go.mod", "go.sum"):
        digest.update((ROOT / wanted.folder / name).read_bytes())
    if wanted.package.startswith("./"):
        for source in sorted((ROOT / wanted.folder / wanted.package).glob("*.go")):
            digest.update(source.read_bytes())
    if wanted.beside:
        digest.update(version(wanted.beside.module, wanted.beside.folder).encode())
    return cache() / f"{wanted.name}-{version_of(wanted)}-{digest.hexdigest()[:12]}" / wanted.name


def _numbers(text: str) -> tuple[int, ...]:
    found = re.search(r"v?(\d+)\.(\d+)\.(\d+)", text)
    return tuple(int(part) for part in found.groups()) if found else ()


def on_path(wanted: Tool) -> Path | None:
    """The user's own program, if its version fits."""
    found = shutil.which(wanted.name)
    if not found or not wanted.on_path:
        return None
    try:
        printed = subprocess.run(
            [found, *wanted.on_path.ask], capture_output=True, text=True, timeout=20, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    has, needs = _numbers(printed.stdout), _numbers(version_of(wanted))
    parts = wanted.on_path.parts
    return Path(found) if has >= needs and has[:parts] == needs[:parts] else None


@functools.cache
def tool(name: str) -> Path:
    """The path of a program, from PATH or the cache. Raises LocalError if it isn't there."""
    wanted = next((each for each in TOOLS if each.name == name), None)
    if wanted is None:
        raise LocalError(f"there is no tool {name!r}; there are {', '.join(t.name for t in TOOLS)}")
    found = _beside_published_with(wanted) or on_path(wanted) or _first(*official(wanted))
    found = found or _first(cached(wanted))
    if found is None:
        raise LocalError(f"{name} is not there yet. Run: make up")
    return found


def published(wanted: Tool) -> Tool:
    """The program whose release contains this one: itself, as a rule."""
    return next((each for each in TOOLS if each.name == wanted.published_with), wanted)


def official(wanted: Tool) -> list[Path]:
    """The path of an official release's program in the cache; empty where there is no release."""
    owner = published(wanted)
    if owner.release is None:
        return []
    inner = owner.release.filled(owner.release.folder, version_of(owner))
    return [official_folder(owner) / inner / wanted.name]


def official_folder(owner: Tool) -> Path:
    """The folder of a program's official release in the cache."""
    return cache() / f"{owner.name}-official-{version_of(owner)}"


def _beside_published_with(wanted: Tool) -> Path | None:
    """With the user's own Pulumi CLI, the language host beside it is used."""
    owner = published(wanted)
    own = on_path(owner) if owner is not wanted else None
    return _first(own.resolve().with_name(wanted.name)) if own else None


def _first(*paths: Path) -> Path | None:
    return next((path for path in paths if path.exists()), None)


@functools.cache
def go() -> Path:
    """The Go command. Raises LocalError if there is none, or if it is too old."""
    if problem := local_go.problem():
        raise LocalError(problem)
    return Path(shutil.which("go") or "go")


@functools.cache
def module(path: str, folder: str = "") -> Path:
    """The folder of a Go module's source, which is fetched and checked against go.sum if missing.

    `folder` has the go.mod that pins it; by default the first one that does.
    """
    folders = [folder] if folder else list(dict.fromkeys(each.folder for each in TOOLS))
    for each in folders:
        try:
            version(path, each)
        except LocalError:
            continue
        return _download(path, each)
    raise LocalError(f"no go.mod pins the module {path}")


def _download(path: str, folder: str) -> Path:
    done = subprocess.run(
        [go(), "mod", "download", "-json", path],
        cwd=ROOT / folder,
        env=os.environ | {"GOWORK": "off", "GOFLAGS": "-mod=readonly"},
        capture_output=True,
        text=True,
        check=False,
    )
    answer = json.loads(done.stdout or "{}")
    if done.returncode or "Dir" not in answer:
        raise LocalError(f"can't fetch {path}: {answer.get('Error') or done.stderr.strip()}")
    return Path(answer["Dir"])
