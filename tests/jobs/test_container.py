"""The sources and packages of jobs/Dockerfile are enough to run the Jobs."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.jobs.results import job, result, run

if TYPE_CHECKING:
    from local.triton.server import Triton
    from release.schema import Release

ROOT = Path(__file__).parents[2]
UV = ROOT / ".bootstrap" / "bin" / "uv"
SOURCES = ("release/", "jobs/")


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with only the image's packages and sources; `app` is beside it."""
    folder = tmp_path_factory.mktemp("image")
    environment, locked = folder / "venv", ROOT / "requirements" / "jobs.txt"
    program = environment / "bin" / "python"
    subprocess.run([UV, "venv", "-q", "--python", sys.executable, environment], check=True)
    install = [UV, "pip", "install", "-q", "--python", program]
    subprocess.run([*install, "--only-binary=:all:", "--require-hashes", "-r", locked], check=True)
    for tests in sorted(environment.rglob("tests")):
        shutil.rmtree(tests, ignore_errors=True)
    for source in SOURCES:
        shutil.copytree(ROOT / source, folder / "app" / source)
    return program


def jobs(python: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    app = python.parents[2] / "app"
    command = [python, "-m", "jobs", *arguments]
    return subprocess.run(command, cwd=app, capture_output=True, text=True, check=False)


def test_a_report_is_made(python: Path, write: Any) -> None:
    path = write(result(run(100, 2), job(100, 2)), "result.json")
    done = jobs(python, "report", str(path))
    assert done.returncode == 0, done.stderr
    assert "<svg" in path.with_name("report.html").read_text()


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_an_endpoint_is_verified(
    python: Path,
    triton: Triton,
    write: Any,
    verify_job: dict[str, Any],
    release: Release,
    release_file: Path,
    protocol: str,
) -> None:
    url = f"http://{triton.http}" if protocol == "http" else triton.grpc
    config = {"predictor_url": url, "predictor_protocol": protocol}
    config["release_digest"] = release.digest
    path = write(verify_job | config)
    done = jobs(python, "verify", "--config", str(path), "--release", str(release_file))
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_dockerfile_pins_its_bases_and_copies_these_sources() -> None:
    text = (ROOT / "jobs" / "Dockerfile").read_text().replace("\\\n", " ")
    bases = re.findall(r"^FROM (\S+)", text, re.MULTILINE)
    assert all(re.fullmatch(r"\w+:\d+\.\d+\.\d+-\w+(-\w+)?", base) for base in bases), bases
    assert {"--require-hashes", "--only-binary"} <= set(text.split())
    assert set(re.findall(r"^COPY (\S+) /app/", text, re.MULTILINE)) == set(SOURCES)
    assert "\nUSER 65532:65532\n" in text
