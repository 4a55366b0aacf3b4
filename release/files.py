"""The files of releases on disk: written whole or not at all, checked by their SHA-256."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path

from release.schema import Release, ReleaseError, digest, short

# Folders of the project: the last build, and every release that was pinned or pulled.
BUILD, RELEASES = "build", "releases"
# Folder of a stack's bucket: the model repositories.
MODELS = "models/"
RELEASE_JSON = "release.json"


def write(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Write a temporary file and rename it: readers see the old content or the new."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # The temporary file is its owner's alone until it has its mode.
    with tempfile.NamedTemporaryFile(
        dir=path.parent, prefix=f".{path.name}.", delete=False
    ) as file:
        try:
            file.write(content)
            file.flush()
            Path(file.name).chmod(mode)
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise


def read(path: Path) -> Release:
    """Read a release.json. Raises ReleaseError, which names the file and the wrong field."""
    try:
        return Release.from_json(path.read_bytes())
    except OSError as error:
        raise ReleaseError(f"{path}: {error.strerror}") from error
    except ReleaseError as error:
        raise ReleaseError(f"{path}: {error}") from error


def read_build(out: Path, name: str) -> Release:
    """Read the release of the last build; raises ReleaseError if there is none."""
    path = out / name / RELEASE_JSON
    if not path.exists():
        raise ReleaseError(f"{path}: not built; run: python -m model build {name}")
    return read(path)


def check(folder: Path, wanted: str) -> Release:
    """Read the release in a folder and compare all digests. Raises ReleaseError if one differs."""
    path = folder / RELEASE_JSON
    found = _sha256(path)
    if found != wanted:
        raise ReleaseError(f"{folder}: is release {short(found)}, wanted {short(wanted)}")
    release = read(path)
    for name, sha256 in release.files.items():
        found = _sha256(folder / name)
        if found != sha256:
            raise ReleaseError(
                f"{folder / name}: SHA-256 {short(found)}, its release.json has {short(sha256)}: "
                "it was changed"
            )
    return release


def find(out: Path, name: str, wanted: str) -> Path | None:
    """The folder with this release.json: the last build, or a kept one. Compares no other file."""
    for folder in (out / name, out / RELEASES / name / wanted):
        path = folder / RELEASE_JSON
        if path.exists() and digest(path.read_bytes()) == wanted:
            return folder
    return None


def keep(folder: Path, out: Path) -> Path:
    """Copy a build to where the next one does not replace it; release.json last."""
    release = read(folder / RELEASE_JSON)
    kept = out / RELEASES / release.name / release.digest
    for name in (*release.files, RELEASE_JSON):
        write(kept / name, (folder / name).read_bytes())
    return kept


def _sha256(path: Path) -> str:
    if not path.exists():
        return "no file"
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
