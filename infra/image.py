"""A model as an image, for `storageUri: oci://…`: `python -m infra.image STACK NAME FOLDER`.

Writes what the bucket would hold, with the stack's own config.pbtxt, and a Dockerfile around it.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from infra import releases
from infra.config.problems import ConfigError
from infra.config.settings import Settings
from infra.manifests.model_config import RenderError
from release.stacks import PROJECT

if TYPE_CHECKING:
    from infra.manifests.artefact import Artefact

# KServe links /models into Triton's container from a shell, so the image must have one.
DOCKERFILE = "FROM busybox:1.37.0-musl\nCOPY models /models\nUSER 65532:65532\n"


def write(artefact: Artefact, folder: Path) -> None:
    """`folder/Dockerfile` and `folder/models/NAME/…`; `folder` must be new."""
    artefact.write(folder / "models")
    (folder / "Dockerfile").write_text(DOCKERFILE)


def settings(path: Path) -> Settings:
    """Settings of a stack's file, without the Pulumi CLI; raises ConfigError."""
    try:
        config: dict[str, Any] = (yaml.safe_load(path.read_text()) or {}).get("config") or {}
    except (OSError, yaml.YAMLError, AttributeError) as error:
        raise ConfigError(f"{path}: can't be read: {error}") from error
    prefix = f"{PROJECT}:"
    own = {key.removeprefix(prefix): v for key, v in config.items() if key.startswith(prefix)}
    return Settings.parse(own)


def main(argv: list[str] | None = None) -> int:
    """Exit status: 0, or 1 after an error message."""
    parser = argparse.ArgumentParser(prog="python -m infra.image", description=__doc__)
    parser.add_argument("stack", metavar="STACK")
    parser.add_argument("name", metavar="NAME", help="a model of the stack's")
    parser.add_argument("folder", metavar="FOLDER", type=Path, help="a new one")
    arguments = parser.parse_args(argv)
    try:
        made = _artefact(arguments.stack, arguments.name, Path.cwd())
        if arguments.folder.exists():
            raise ConfigError(f"{arguments.folder}: is there already; allowed: a new folder")
        write(made, arguments.folder)
    except (ConfigError, releases.ReleasesError, RenderError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"written: {arguments.folder}; then: docker build -t REGISTRY/{made.name} .")
    return 0


def _artefact(stack: str, name: str, root: Path) -> Artefact:
    found = settings(root / f"Pulumi.{stack}.yaml")
    models = found.models
    if name not in models:
        raise ConfigError(f"model {name}: not in stack {stack}; it has {', '.join(models)}")
    artefact = releases.load({name: models[name]}, root, found.stack.promotion).stable[name]
    if artefact.compiled:
        raise ConfigError(
            f"model {name}: its release, in format aoti, is compiled on the nodes that serve it; "
            "allowed: torchscript or onnx"
        )
    return artefact


if __name__ == "__main__":
    sys.exit(main())
