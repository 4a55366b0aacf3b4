"""Starts the real tritonserver from PyPI's nvidia-pytriton, with the arguments of the image.

    python local/triton/launch.py tritonserver --model-store=/mnt/models --http-port=8080 ...

The server, its Python backend and their libraries come with the package; the place of the PyTorch
backend, which doesn't, is taken by `pytorch/model.py` beside this file. Nothing is rewritten: what
KServe's runtime passes goes to tritonserver as it is, with a backend directory added.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import sys
import sysconfig
import tempfile
from pathlib import Path

__all__ = ["backend_directory", "command", "environment"]

PYTORCH_BACKEND = Path(__file__).resolve().parent / "pytorch" / "model.py"
BACKENDS = Path(__file__).resolve().parents[2] / ".local" / "triton"
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
INSTALL = "install the project's second environment with `make install`"


class LaunchError(Exception):
    """Triton can't be started here; the message says what to do."""


def package() -> Path:
    """The folder of pytriton, found without importing it."""
    found = importlib.util.find_spec("pytriton")
    if found is None or found.origin is None:
        raise LaunchError(f"nvidia-pytriton is not installed for {sys.executable}; {INSTALL}")
    return Path(found.origin).parent


def backend_files() -> dict[str, Path]:
    """What the backend directory holds: path in it -> the file it is a copy of."""
    server = package() / "tritonserver"
    python = server / "backends" / "python"
    stub = server / "python_backend_stubs" / PYTHON / "triton_python_backend_stub"
    if not stub.exists():
        raise LaunchError(f"nvidia-pytriton has no stub for Python {PYTHON}; it has 3.8 to 3.13")
    return {f"python/{file.name}": file for file in sorted(python.iterdir()) if file.is_file()} | {
        "python/triton_python_backend_stub": stub,
        "pytorch/model.py": PYTORCH_BACKEND,
    }


def backend_directory(parent: Path = BACKENDS) -> Path:
    """A folder for --backend-directory, made once and named by its content.

    Copies, since Triton refuses a backend whose library is a link to elsewhere.
    """
    files = backend_files()
    digest = hashlib.sha256()
    for name, source in files.items():
        digest.update(name.encode() + source.read_bytes())
    made = parent / f"backends-{digest.hexdigest()[:12]}"
    if made.is_dir():
        return made
    parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(dir=parent))
    for name, source in files.items():
        (scratch / name).parent.mkdir(exist_ok=True)
        shutil.copy(source, scratch / name)
    scratch.chmod(0o755)
    try:
        scratch.rename(made)
    except OSError:  # Another launch was first; its folder is the same.
        shutil.rmtree(scratch)
    return made


def environment() -> dict[str, str]:
    """The process environment: Triton's libraries, and this Python for its backend."""
    libraries = [str(package().parent / "nvidia_pytriton.libs")]
    here = Path(sysconfig.get_config_var("LIBDIR") or "")
    if (here / f"libpython{PYTHON}.so.1.0").exists():
        libraries.append(str(here))
    inherited = os.environ.get("LD_LIBRARY_PATH")
    path = f"{Path(sys.executable).parent}:{os.environ.get('PATH', os.defpath)}"
    made = {
        **os.environ,
        "PATH": path,
        "LD_LIBRARY_PATH": ":".join(libraries + ([inherited] if inherited else [])),
    }
    # The stub finds its packages by the python3 on PATH; these would send it elsewhere.
    return {k: v for k, v in made.items() if k not in ("PYTHONHOME", "PYTHONPATH")}


def command(arguments: list[str]) -> list[str]:
    """The server's command line for the image's arguments."""
    if arguments[:1] == ["tritonserver"]:
        arguments = arguments[1:]
    elif arguments and not arguments[0].startswith("-"):
        raise LaunchError(
            f"this stands for Triton's image and runs tritonserver, not {arguments[0]!r}"
        )
    server = package() / "tritonserver" / "bin" / "tritonserver"
    return [str(server), f"--backend-directory={backend_directory()}", *arguments]


def main() -> None:
    """Become tritonserver."""
    try:
        line = command(sys.argv[1:])
        # The stub looks for modules where it runs first: nothing of a user's may be found there.
        os.chdir("/")
        os.execve(line[0], line, environment())
    except (LaunchError, OSError) as error:
        sys.exit(f"triton: {error}")


if __name__ == "__main__":
    main()
