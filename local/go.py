"""The Go command, and the folder of what it builds.

Only the standard library, and no syntax newer than Python 3.8's: see local/machine.py.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

__all__ = ["cache", "problem"]

_ROOT = Path(__file__).resolve().parents[1]
# From here on Go fetches the toolchain that a go.mod requires, unless it is told not to.
_FETCHES = (1, 21)


def cache() -> Path:
    """The folder of fetched and built programs, shared by all clones of this user."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "kserve-triton" / "tools"


def problem() -> str:
    """Why the `go` on PATH can't build the cluster's programs, with the remedy; "" if it can."""
    needed = max(map(_required, _go_mods()), default=_FETCHES)
    wanted = f"Go {_text(needed)} or newer, or {_text(_FETCHES)} where it may fetch a newer one"
    remedy = f"install {wanted} (apt install golang, dnf install golang, go.dev/dl)"
    found = shutil.which("go")
    if not found:
        return f"there is no `go` on PATH, which builds the cluster's programs; {remedy}"
    asked = subprocess.run(
        [found, "env", "GOVERSION", "GOTOOLCHAIN"],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    version, _, toolchain = asked.stdout.strip().partition("\n")
    has = re.match(r"go(\d+)\.(\d+)", version)
    numbers = (int(has[1]), int(has[2])) if has else (0, 0)
    if numbers < _FETCHES:
        return f"{found} is {version or 'broken'}; {remedy}"
    if numbers < needed and toolchain == "local":
        return (
            f"{found} is {version} and may not fetch a newer one; run: go env -w GOTOOLCHAIN=auto"
        )
    return ""


def _go_mods() -> list[Path]:
    return [*_ROOT.glob("jobs/*/go.mod"), *_ROOT.glob("local/tools/*/go.mod")]


def _required(mod: Path) -> tuple[int, int]:
    """The version of Go in a go.mod."""
    found = re.search(r"^go (\d+)\.(\d+)", mod.read_text(), re.MULTILINE)
    return (int(found[1]), int(found[2])) if found else _FETCHES


def _text(version: tuple[int, int]) -> str:
    return ".".join(map(str, version))
