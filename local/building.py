"""Fetches the official releases of missing programs, and builds the programs that have none.

The programs of a Go module are built one after the other, since they share packages; make builds
several modules at once. A program is built in a scratch folder, which is renamed into the cache at
the end; a lock for each module prevents two clones from building the same. The next build removes
what an interrupted one left.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from pathlib import Path

from local.catalogue import TOOLS, Tool
from local.errors import LocalError
from local.layout import ROOT
from local.official import UnavailableError, fetch
from local.processes import leashed, locked
from local.toolchain import (
    build_flags,
    cache,
    cached,
    go,
    module,
    official,
    official_folder,
    published,
    tool,
    version_of,
)

__all__ = ["build_missing", "missing"]

_SCRATCH = ".building-"
_PROGRESS_SECONDS = 30.0
# GOGC: with less garbage collection, compilers take a fifth less time and some more memory.
_ENVIRONMENT = {"CGO_ENABLED": "0", "GOWORK": "off", "GOFLAGS": "", "GOGC": "400"}


def _is_there(wanted: Tool) -> bool:
    try:
        tool(wanted.name)
    except LocalError:
        return False
    return True


def missing(tools: tuple[Tool, ...] = TOOLS) -> list[Tool]:
    """The programs that are neither on PATH nor in the cache."""
    return [wanted for wanted in tools if not _is_there(wanted)]


def build_missing(tools: tuple[Tool, ...] = TOOLS) -> None:
    """Fetch or build missing programs, with progress on stdout. Raises LocalError."""
    for folder, of_module in groupby(missing(tools), key=lambda each: each.folder):
        wanted = list(of_module)
        name = Path(folder).name
        message = f"another clone is building {name}; waiting for it"
        with locked(cache() / f".lock-{name}", message):
            for left in cache().glob(f"{_SCRATCH}{name}-*"):
                shutil.rmtree(left, ignore_errors=True)
            _fetch_official(missing(tuple(wanted)))
            for each in missing(tuple(wanted)):
                _build(each, f"{each.name} {version_of(each)}")


def _fetch_official(wanted: list[Tool]) -> None:
    """Fetch all releases that contain one of these programs, and report those that failed."""
    owners = list(dict.fromkeys(published(each) for each in wanted if official(each)))
    if not owners:
        return
    print(f"fetching official releases: {', '.join(each.name for each in owners)} …", flush=True)
    with ThreadPoolExecutor(len(owners)) as pool:
        unavailable = [each for each in pool.map(_fetch, owners) if each]
    tool.cache_clear()
    if unavailable:
        print(f"  {len(unavailable)} can't be fetched, so built: {unavailable[0]}", flush=True)


def _fetch(owner: Tool) -> str | None:
    """Fetch a release. The reason if that fails, else None."""
    assert owner.release is not None
    version = version_of(owner)
    try:
        fetch(owner.release, version, official_folder(owner))
    except UnavailableError as error:
        return str(error)
    return None


def _build(wanted: Tool, title: str) -> None:
    target = cached(wanted).parent
    prefix = f"{_SCRATCH}{Path(wanted.folder).name}-"
    with tempfile.TemporaryDirectory(prefix=prefix, dir=cache()) as scratch:
        made = Path(scratch) / target.name
        made.mkdir()
        options = build_flags(wanted)
        if wanted.patches:
            options.append(f"-modfile={_patched(wanted, Path(scratch))}")
        _compile(wanted, options, made / wanted.name, title)
        if wanted.beside:
            source = module(wanted.beside.module, wanted.beside.folder) / wanted.beside.path
            shutil.copyfile(source, made / source.name)
            (made / source.name).chmod(0o755)
        made.rename(target)


def _patched(wanted: Tool, folder: Path) -> Path:
    """A go.mod that replaces the patched modules by patched copies beside it."""
    mod = (ROOT / wanted.folder / "go.mod").read_text()
    folder_of: dict[str, Path] = {}
    for patch in wanted.patches:
        if patch.module not in folder_of:
            copy = folder_of[patch.module] = folder / str(len(folder_of))
            _copy_sources(module(patch.module, wanted.folder), copy)
            mod += f"\nreplace {patch.module} => {copy}\n"
        source = folder_of[patch.module] / patch.path
        text = source.read_text()
        if text.count(patch.replace) != 1:
            raise LocalError(
                f"{patch.module}/{patch.path} doesn't contain {patch.replace!r} exactly once"
            )
        source.write_text(text.replace(patch.replace, patch.by))
    for path, name in wanted.embeds:
        patched = wanted.patches[0].module
        target = (folder_of[patched] / path).with_name(name)
        shutil.copyfile(module(patched, wanted.folder) / path, target)
    (folder / "go.mod").write_text(mod)
    shutil.copyfile(ROOT / wanted.folder / "go.sum", folder / "go.sum")
    return folder / "go.mod"


def _copy_sources(source: Path, target: Path) -> None:
    """Copy the files of a module that a build reads. KServe's has 430 MB of others."""
    for file in [*source.rglob("*.go"), *source.rglob("*.md"), source / "go.mod"]:
        copy = target / file.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(file.read_bytes())


def _compile(wanted: Tool, options: list[str], program: Path, title: str) -> None:
    command = [str(go()), "build", *options, "-o", str(program), wanted.package]
    begun = time.monotonic()
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(
            leashed(command, signal.SIGINT),
            cwd=ROOT / wanted.folder,
            env=os.environ | _ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
        try:
            _follow(process, title, begun)
        except BaseException:
            process.send_signal(signal.SIGINT)
            process.wait()
            raise
        if process.returncode:
            output.seek(0)
            lines = output.read().strip().splitlines()[-15:]
            raise LocalError("\n".join([f"building {wanted.name} failed:", *lines]))


def _follow(process: subprocess.Popen[bytes], title: str, begun: float) -> None:
    """Print a line at the start, every half minute and at the end."""
    printed = -_PROGRESS_SECONDS
    while process.poll() is None:
        elapsed = time.monotonic() - begun
        if elapsed - printed >= _PROGRESS_SECONDS:
            printed = elapsed
            print(f"{title}: building … {elapsed:.0f} s", flush=True)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.2)
    outcome = "failed after" if process.returncode else "built in"
    print(f"{title}: {outcome} {time.monotonic() - begun:.0f} s", flush=True)
