"""The release workflow's script: version, notes and the lock of images."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from infra.config.images import default_image
from tests.workflows.files import ROOT, load, script

if TYPE_CHECKING:
    from pathlib import Path

publish = script("publish")
BUILT = {name: f"ghcr.io/owner/name/{name}@sha256:{'a' * 64}" for name in publish.IMAGES}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "pyproject.toml").write_text('[project]\nversion = "1.2.0"\n')
    (tmp_path / "CHANGELOG.md").write_text(
        "# Changelog\n\n## 1.2.0, 2026-12-01\n\n- New.\n\n## 1.1.0, 2026-11-01\n\n- Old.\n"
    )
    return tmp_path


def test_the_notes_are_the_versions_section(project: Path) -> None:
    assert publish.notes(project) == "- New.\n"


@pytest.mark.parametrize("heading", ["Unreleased", "1.2.0-rc1, 2026-12-01", "1.2"])
def test_a_version_without_a_section_is_refused(project: Path, heading: str) -> None:
    text = (project / "CHANGELOG.md").read_text().replace("1.2.0, 2026-12-01", heading)
    (project / "CHANGELOG.md").write_text(text)
    with pytest.raises(SystemExit, match=r"no section '## 1\.2\.0, DATE'"):
        publish.main(["version"], project)


def test_a_stack_uses_the_images_that_were_published(project: Path) -> None:
    publish.lock(project, json.dumps(BUILT))
    for name, image in BUILT.items():
        assert default_image(name, project) == image


@pytest.mark.parametrize("image", ["", "ghcr.io/owner/name/jobs:1.2.0"])
def test_an_image_without_its_digest_is_not_locked(project: Path, image: str) -> None:
    with pytest.raises(SystemExit, match="not an image by its digest"):
        publish.lock(project, json.dumps(BUILT | {"jobs": image}))
    assert not (project / "images.lock.json").exists()


def test_nothing_is_tagged_before_the_images_are_signed() -> None:
    jobs = load(ROOT / ".github/workflows/release.yml")["jobs"]
    assert jobs["images"]["needs"] == "version"
    assert jobs["publish"]["needs"] == ["version", "images"]
    assert jobs["version"]["if"] == "github.ref == 'refs/heads/main'"


def test_the_project_has_a_lock_of_images_for_at_most_one_version() -> None:
    assert len(json.loads((ROOT / "images.lock.json").read_text())) <= 1
