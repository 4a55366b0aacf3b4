"""The default images are those that were published for the project's version."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from infra.config import images
from infra.config.settings import Settings
from infra.preflight import warnings
from tests.infra.program import stack_config

if TYPE_CHECKING:
    from pathlib import Path

PUBLISHED = {"transformer": f"ghcr.io/owner/name/transformer@sha256:{'a' * 64}"}
STORAGE = {"bucket": "some-models", "project": "some-project"}


def project(folder: Path, version: str, published: dict[str, dict[str, str]]) -> Path:
    (folder / "pyproject.toml").write_text(f'[project]\nversion = "{version}"\n')
    (folder / "images.lock.json").write_text(json.dumps(published))
    return folder


def test_a_published_version_is_used_by_its_digest(tmp_path: Path) -> None:
    root = project(tmp_path, "1.2.0", {"1.2.0": PUBLISHED})
    assert images.default_image("transformer", root) == PUBLISHED["transformer"]


@pytest.mark.parametrize("published", [{}, {"1.1.0": PUBLISHED}])
def test_images_of_another_version_are_not_used(
    tmp_path: Path, published: dict[str, dict[str, str]]
) -> None:
    root = project(tmp_path, "1.2.0", published)
    assert images.default_image("transformer", root) == "kserve-triton/transformer:1.2.0"


def test_a_preview_warns_of_default_images_that_were_never_published() -> None:
    unpublished = f"kserve-triton/transformer:{images.version()}"
    settings = Settings.parse(
        {
            "storage": STORAGE,
            "models": {"digits": {}},
            "transformer": {"image": unpublished},
            "jobs": {"image": "registry.example/jobs:1"},
        }
    )
    (warning,) = warnings(settings)
    assert warning.startswith(f"never published: {unpublished}. ")


def test_a_transformer_that_is_not_deployed_needs_no_image() -> None:
    model = {"transformer": {"enabled": False}, "perf": {"target": "predictor"}}
    jobs = {"image": "registry.example/jobs:1"}
    raw = {"storage": STORAGE, "models": {"digits": model}, "jobs": jobs}
    assert warnings(Settings.parse(raw)) == []


def test_the_local_stack_needs_no_published_images() -> None:
    assert warnings(Settings.parse(stack_config("local"))) == []
