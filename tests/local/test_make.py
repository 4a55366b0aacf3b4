"""What the Makefile decides before anything is made."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from local.layout import ROOT

if TYPE_CHECKING:
    from pathlib import Path


def _shown(expression: str, *variables: str, **environment: str) -> str:
    """An expression, as a recipe of the Makefile has it."""
    done = subprocess.run(
        ["make", "-s", "--eval", f"shown: ; @echo {expression}", "shown", *variables],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


@pytest.mark.parametrize("name", ["NO_PROXY", "no_proxy"])
def test_loopback_goes_through_no_proxy_and_what_was_excepted_stays_so(name: str) -> None:
    without = {"NO_PROXY": "", "no_proxy": ""}
    found = _shown(f"$${name}", **without | {name: "example.com,::1"}).split(",")
    assert sorted(found) == ["127.0.0.1", "::1", "example.com", "localhost"]


def test_where_nothing_goes_through_a_proxy_nothing_is_added() -> None:
    assert _shown('"$$NO_PROXY" "$$no_proxy"', NO_PROXY="*", no_proxy="a") == "* *"


@pytest.mark.parametrize(("minor", "chosen"), [(11, None), (12, None), (13, "3.12"), (14, "3.12")])
def test_triton_gets_an_older_python_where_the_users_is_too_new(
    tmp_path: Path, minor: int, chosen: str | None
) -> None:
    python = tmp_path / "python3"
    version = f"import sys; sys.version_info = (3, {minor}, 0)"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} -c "{version}\n$2"\n')
    python.chmod(0o755)
    assert _shown("$(older)", f"PYTHON={python}") == (chosen or sys.executable)


def test_torch_without_cuda_takes_the_place_of_the_other_one() -> None:
    assert "torch" in _shown("$(model_groups)").split()
    groups = _shown("$(model_groups)", "TORCH=cpu").split()
    assert "torch-cpu" in groups
    assert "torch" not in groups


@pytest.mark.parametrize("given", [[], ["ARTEFACTS=gs://bucket"], ["STACK=dev"]])
def test_releases_without_a_bucket_or_a_stack_tells_the_whole_command(given: list[str]) -> None:
    unset = {name: value for name, value in os.environ.items() if name != "STACK"}
    done = subprocess.run(
        ["make", "-n", "-o", ".venv/stamp", "releases", *given],
        cwd=ROOT,
        env=unset,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "run: make releases ARTEFACTS=gs://BUCKET STACK=dev" in done.stderr


@pytest.mark.parametrize("name", [".venv", ".venv-policy"])
def test_the_programs_python_is_the_one_that_was_checked(tmp_path: Path, name: str) -> None:
    """uv would take another python3 for the name alone, such as one that it has fetched."""
    python = tmp_path / "python3"
    python.symlink_to(sys.executable)
    path = f"{tmp_path}:{os.environ['PATH']}"
    done = subprocess.run(
        ["make", "-nB", f"{name}/stamp"],
        cwd=ROOT,
        env=os.environ | {"PATH": path, "PYTHON": "python3"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"--python {python} {name}\n" in done.stdout
