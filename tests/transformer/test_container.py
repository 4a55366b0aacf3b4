"""What transformer/Dockerfile puts into the image is enough to serve."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from release.schema import Tensor
from tests.transformer.echo import Echo
from tests.transformer.server import ROOT, Transformer, instances

if TYPE_CHECKING:
    from pathlib import Path

    from local.triton.server import Triton

UV = ROOT / ".bootstrap" / "bin" / "uv"
GRPC = "--predictor_protocol=grpc-v2"
SOURCES = {"release/": "/app/release/", "transformer/": "/app/transformer/"}
# Packages of this repository and of other environments that the container must not need.
FOREIGN = ("infra", "model", "local", "jobs", "tests", "torch", "pulumi", "kserve", "sklearn")


def read_dockerfile() -> list[tuple[str, str]]:
    """Its instructions with their arguments, with continued lines joined."""
    text = (ROOT / "transformer" / "Dockerfile").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(name, rest.strip()) for name, _, rest in (line.partition(" ") for line in lines)]


def arguments(name: str) -> list[str]:
    """The arguments of all instructions of a name."""
    return [rest for instruction, rest in read_dockerfile() if instruction == name]


@dataclass(frozen=True)
class Image:
    """The container's file system, as far as the Dockerfile makes it: an interpreter and /app."""

    python: Path
    app: Path


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    """The sources of COPY, and the packages of RUN without their tests, in a new environment."""
    root = tmp_path_factory.mktemp("image")
    environment = root / "venv"
    for source, target in SOURCES.items():
        shutil.copytree(ROOT / source, root / target.strip("/"))
    locked = ROOT / "requirements" / "transformer.txt"
    python = environment / "bin" / "python"
    install = ["pip", "install", "-q", "--no-deps", "--only-binary=:all:", "--require-hashes"]
    install += ["-r", locked]
    for line in (["venv", "-q", "--python", sys.executable, environment], [*install, "-p", python]):
        subprocess.run([UV, *line], check=True)
    for folder in sorted(environment.rglob("tests")):
        shutil.rmtree(folder, ignore_errors=True)
    return Image(python, root / "app")


def test_dockerfile_pins_its_bases_and_packages_and_runs_as_nobody() -> None:
    bases, install = arguments("FROM"), arguments("RUN")[0]
    assert all(re.fullmatch(r"\w+:\d+\.\d+\.\d+-[\w-]+( AS \w+)?", base) for base in bases)
    assert {"--no-cache-dir", "--require-hashes", "-r"} <= set(install.split())
    assert arguments("USER") == ["65532:65532"]
    assert arguments("WORKDIR") == ["/app"]
    assert json.loads(arguments("ENTRYPOINT")[0]) == ["python", "-m", "transformer"]
    copied = dict(line.split() for line in arguments("COPY") if not line.startswith("--from"))
    assert copied == {"requirements/transformer.txt": "/tmp/transformer.txt", **SOURCES}


def test_lock_names_no_registry() -> None:
    text = (ROOT / "requirements" / "transformer.txt").read_text()
    assert "://" not in text
    pinned = re.findall(r"^[a-z0-9._-]+==", text, re.MULTILINE)
    assert len(re.findall(r"==\S+(?: ; [^\\]+)? \\\n +--hash=sha256:", text)) == len(pinned)


def test_help(image: Image) -> None:
    ended = subprocess.run(
        [image.python, "-m", "transformer", "--help"], cwd=image.app, capture_output=True, text=True
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "--predictor_protocol" in ended.stdout


def test_nothing_foreign_is_imported(image: Image) -> None:
    program = (
        "import sys, transformer.__main__, transformer.app, transformer.triton_grpc, "
        "transformer.handler_process; "
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    ended = subprocess.run(
        [image.python, "-c", program], cwd=image.app, capture_output=True, text=True, check=True
    )
    assert not set(FOREIGN) & set(ended.stdout.split())


@pytest.mark.parametrize("library", ["numpy", "PIL", "tokenizers"])
def test_what_handlers_may_import_is_there(image: Image, library: str) -> None:
    subprocess.run([image.python, "-c", f"import {library}"], check=True)


def test_a_handler_is_set_up_and_its_errors_end_the_container(image: Image, tmp_path: Path) -> None:
    echo = Echo("words", (Tensor("IN", "INT64", (-1,)),))
    source = (
        "import tokenizers\n\n\ndef setup(folder, parameters):\n    raise ValueError('set up')\n"
    )
    source += "\n\ndef preprocess(instances):\n    return {}\n"
    made = Transformer(
        "127.0.0.1:1",
        tmp_path,
        model="words",
        release=echo.release(tmp_path, {"handler.py": source}),
        env={"HANDLER": str(tmp_path / "handler")},
    )
    made.python, made.folder = image.python, image.app
    made.run_to_its_end()
    assert made.process.returncode == 2
    assert made.log.read_text().splitlines()[-1].endswith("setup: set up")


@pytest.mark.parametrize("protocol", ["--predictor_protocol=v2", GRPC])
def test_it_serves(
    image: Image, triton: Triton, protocol: str, tmp_path: Path, samples: list[dict[str, Any]]
) -> None:
    address = triton.grpc if protocol == GRPC else triton.http
    made = Transformer(address, tmp_path, protocol)
    made.python, made.folder = image.python, image.app
    with made:
        status, answer = made.predict(instances([samples[0]["image"]]))
    assert status == 200
    expected = samples[0]["scores"]
    assert answer["predictions"][0]["scores"] == pytest.approx(expected, abs=1e-4)
