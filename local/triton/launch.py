"""Starts the real tritonserver from PyPI's nvidia-pytriton, with the arguments of the image.

    python local/triton/launch.py tritonserver --model-store=/mnt/models --http-port=8080 ...

The package has the server and its Python backend, but no backend for PyTorch or ONNX Runtime: those
in `backends/` beside this file replace them. The arguments of KServe's runtime go to tritonserver
unchanged, with a backend directory added.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import sys
import sysconfig
import tempfile
from pathlib import Path

__all__ = ["backend_directory", "command", "environment"]

OURS = Path(__file__).resolve().parent / "backends"
BACKENDS = Path(__file__).resolve().parents[2] / ".local" / "triton"
# Triton 2.51 refuses this platform, which newer ones give to their PyTorch backend.
AOTI = re.compile(r'^platform: *"torch_aoti"', re.MULTILINE)
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
INSTALL = "install the project's second environment with `make install`"


class LaunchError(Exception):
    """Triton can't be started; the message says what to do."""


def package() -> Path:
    """The folder of pytriton, found without importing it."""
    found = importlib.util.find_spec("pytriton")
    if found is None or found.origin is None:
        raise LaunchError(f"nvidia-pytriton is not installed for {sys.executable}; {INSTALL}")
    return Path(found.origin).parent


def backend_files() -> dict[str, Path]:
    """Files of the backend directory: path in it -> source."""
    server = package() / "tritonserver"
    python = server / "backends" / "python"
    stub = server / "python_backend_stubs" / PYTHON / "triton_python_backend_stub"
    if not stub.exists():
        raise LaunchError(f"nvidia-pytriton has no stub for Python {PYTHON}; it has 3.8 to 3.13")
    files = {f"python/{file.name}": file for file in sorted(python.iterdir()) if file.is_file()}
    files["python/triton_python_backend_stub"] = stub
    for model in sorted(OURS.glob("*/model.py")):
        for file in (model, *sorted(OURS.glob("*.py"))):
            files[f"{model.parent.name}/{file.name}"] = file
    return files


def backend_directory(parent: Path = BACKENDS) -> Path:
    """A folder for --backend-directory, made once and named by a digest of its content.

    It has copies, since Triton refuses a library that is a link to another folder.
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
    except OSError:  # Another process made the same folder first.
        shutil.rmtree(scratch)
    return made


def readable(repository: Path) -> Path:
    """The model repository, or a folder of links to it whose configs Triton 2.51 can read.

    There `backend: "torch_aoti"` stands for the platform of that name.
    """
    configs = {path.parent.name: path.read_text() for path in repository.glob("*/config.pbtxt")}
    if not any(map(AOTI.search, configs.values())):
        return repository
    links = Path(tempfile.mkdtemp(prefix="models-"))
    for model in repository.iterdir():
        if not AOTI.search(configs.get(model.name, "")):
            (links / model.name).symlink_to(model)
            continue
        (links / model.name).mkdir()
        for item in model.iterdir():
            (links / model.name / item.name).symlink_to(item)
        config = links / model.name / "config.pbtxt"
        config.unlink()
        text = re.sub(r'^backend: *"pytorch"\n', "", configs[model.name], flags=re.MULTILINE)
        config.write_text(AOTI.sub('backend: "torch_aoti"', text))
    return links


def environment() -> dict[str, str]:
    """Environment variables with Triton's libraries, and this Python for its backend."""
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
    # The stub finds packages by the python3 on PATH, which these variables would override.
    return {k: v for k, v in made.items() if k not in ("PYTHONHOME", "PYTHONPATH")}


def command(arguments: list[str]) -> list[str]:
    """The server's command line for the image's arguments."""
    if arguments[:1] == ["tritonserver"]:
        arguments = arguments[1:]
    elif arguments and not arguments[0].startswith("-"):
        raise LaunchError(
            f"this replaces Triton's image and runs only tritonserver, not {arguments[0]!r}"
        )
    server = package() / "tritonserver" / "bin" / "tritonserver"
    return [
        str(server),
        f"--backend-directory={backend_directory()}",
        *(_with_readable(argument) for argument in arguments),
    ]


def _with_readable(argument: str) -> str:
    option, _, value = argument.partition("=")
    if option not in ("--model-store", "--model-repository"):
        return argument
    return f"{option}={readable(Path(value))}"


def main() -> None:
    """Replace this process by tritonserver."""
    try:
        line = command(sys.argv[1:])
        # The stub imports modules from its working directory first.
        os.chdir("/")
        os.execve(line[0], line, environment())
    except (LaunchError, OSError) as error:
        sys.exit(f"triton: {error}")


if __name__ == "__main__":
    main()
