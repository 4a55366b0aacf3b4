"""What this machine lacks for the local cluster: `python3 -m local.machine`, before any install.

With `--python` only what every environment needs is looked at.

It runs on the user's own Python, of whatever version: only the standard library, and no syntax
newer than Python 3.8's.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import sys
from pathlib import Path

from local import go
from local.node.sandbox import spaces

__all__ = ["problems"]

_ROOT = Path(__file__).resolve().parents[1]
_PYTHONS = ((3, 11), (3, 14))
# Of NVIDIA's package of Triton: Ubuntu 22.04, Debian 12, Fedora 35.
_GLIBC = (2, 35)
_GB = 10**9
# What the first `make up` takes at least: environments, which share their files with uv's cache on
# the same file system; programs, most of them fetched, with the Go modules of the others.
_ENVIRONMENTS, _PROGRAMS = 7 * _GB, 5 * _GB
# With `make up TORCH=cpu`; make hands its variables on in the environment.
_ENVIRONMENTS_WITHOUT_CUDA = 3 * _GB


def problems() -> list[str]:
    """Each with its remedy. On another system the rest would not help, so it isn't looked at."""
    elsewhere = _system()
    if elsewhere:
        return [elsewhere]
    found = [_libc(), go.problem(), _namespaces(), *_disk()]
    return [*python_problems(), *(each for each in found if each)]


def python_problems() -> list[str]:
    """Those of the Python that runs this, which every environment needs, on any system."""
    return [each for each in (_python(), _venv()) if each]


def _system() -> str:
    system, machine = platform.system(), platform.machine()
    if (system, machine) == ("Linux", "x86_64"):
        return ""
    return (
        f"this is {system or 'an unknown system'} on {machine or 'an unknown processor'}; the "
        "local cluster needs Linux on x86_64: its pods are processes in Linux's namespaces, and "
        "Triton comes from a package for that processor. Use such a machine, or a virtual one. "
        "Stacks on other clusters can be previewed and deployed from here: after "
        "`make .venv/stamp`, see docs/environments.md"
    )


def _libc() -> str:
    name, version = platform.libc_ver()
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    if name == "glibc" and numbers >= _GLIBC:
        return ""
    return (
        f"the C library is {f'{name} {version}' if name else 'not glibc'}; "
        f"glibc {'.'.join(map(str, _GLIBC))} or newer is needed (Ubuntu 22.04, Debian 12, "
        "Fedora 35), for which NVIDIA's package of Triton is built"
    )


def _python() -> str:
    oldest, newest = _PYTHONS
    if oldest <= sys.version_info[:2] <= newest:
        return ""
    return (
        f"{sys.executable} is Python {platform.python_version()}; {_dotted(oldest)} to "
        f"{_dotted(newest)} are supported. Name another: make up PYTHON=python{_dotted(oldest)}"
    )


def _venv() -> str:
    if importlib.util.find_spec("ensurepip") and importlib.util.find_spec("venv"):
        return ""
    version = _dotted(sys.version_info[:2])
    return f"{sys.executable} can't make environments; run: sudo apt install python{version}-venv"


def _namespaces() -> str:
    reason = spaces.trial()
    if not reason:
        return ""
    return f"the namespaces that pods run in can't be made ({reason}); {spaces.remedy()}"


def _disk() -> list[str]:
    """What the first installation lacks, by file system."""
    caches = _existing(go.cache())
    needed: dict[int, int] = {}
    if not (_ROOT / ".venv-model" / "stamp").exists():
        without_cuda = os.environ.get("TORCH") == "cpu"
        size = _ENVIRONMENTS_WITHOUT_CUDA if without_cuda else _ENVIRONMENTS
        needed = {place.stat().st_dev: size for place in (_ROOT, caches)}
    # Always built, since it is never the user's own.
    if not any(go.cache().glob("kserve-manager-*")):
        device = caches.stat().st_dev
        needed[device] = needed.get(device, 0) + _PROGRAMS
    return [
        f"{free / _GB:.0f} GB are free where {place} is; the first installation needs "
        f"{needed[device] / _GB:.0f} there. Free some, or put caches on another disk by "
        "XDG_CACHE_HOME, UV_CACHE_DIR, GOPATH and GOCACHE"
        for device, place in {each.stat().st_dev: each for each in (caches, _ROOT)}.items()
        if (free := shutil.disk_usage(place).free) < needed.get(device, 0)
    ]


def _existing(path: Path) -> Path:
    return path if path.exists() else _existing(path.parent)


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


def main() -> int:
    """Print what is missing, all of it; the exit status."""
    found = python_problems() if "--python" in sys.argv else problems()
    if not found:
        return 0
    print("error: something is missing on this machine:", file=sys.stderr)
    for each in found:
        print(f"- {each}", file=sys.stderr)
    print("Nothing was installed.", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
