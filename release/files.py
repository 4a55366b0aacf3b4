"""Files that are there whole or not at all, and vouched for by their SHA-256."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from release.schema import Release, ReleaseError, digest

if TYPE_CHECKING:
    from collections.abc import Iterator

# Of the project: what was built last, and every release that was pinned or pulled.
BUILD, RELEASES = "build", "releases"
RELEASE_JSON = "release.json"


def replace(path: Path, content: bytes) -> None:
    """Write beside, then rename: a reader sees the old file or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        try:
            file.write(content)
            file.flush()
            Path(file.name).chmod(0o644)
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise


def sha256(path: Path) -> str:
    """Of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def expected(release: Release) -> dict[str, str]:
    """Path under a release's folder -> SHA-256, of every file that it vouches for."""
    return {"model.pt": release.model.sha256} | {
        f"warmup/{name}": value for name, value in release.warmup.items()
    }


def check(folder: Path, wanted: str) -> Release:
    """The release in a folder, if it is the wanted one to the last byte; raises ReleaseError."""
    text = (folder / RELEASE_JSON).read_bytes()
    if digest(text) != wanted:
        raise ReleaseError(f"{folder}: is release {digest(text)[:16]}, wanted {wanted[:16]}")
    release = Release.from_json(text)
    for name, value in expected(release).items():
        path = folder / name
        found = sha256(path) if path.exists() else "no file"
        if found != value:
            raise ReleaseError(
                f"{path}: SHA-256 {found[:16]}, its release says {value[:16]}: it was changed"
            )
    return release


def folders(out: Path, name: str, wanted: str) -> Iterator[Path]:
    """Where under `out` a release is looked for: what was built last, then what is kept."""
    yield out / name
    yield out / RELEASES / name / wanted


def keep(folder: Path, out: Path) -> Path:
    """Copy a release to where it stays when the next one is built; release.json last."""
    text = (folder / RELEASE_JSON).read_bytes()
    release = Release.from_json(text)
    kept = out / RELEASES / release.name / digest(text)
    for name in expected(release):
        replace(kept / name, (folder / name).read_bytes())
    replace(kept / RELEASE_JSON, text)
    return kept


def located(out: Path, name: str, wanted: str) -> Path | None:
    """The folder that has this release; its other files are not looked at."""
    for folder in folders(out, name, wanted):
        path = folder / RELEASE_JSON
        if path.exists() and digest(path.read_bytes()) == wanted:
            return folder
    return None
