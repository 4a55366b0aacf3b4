"""A model as an image: what the bucket would hold, and a Dockerfile around it."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from infra.image import main
from tests.infra.program import ROOT
from tests.infra.projects import TEST_ROOT

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "build").symlink_to(TEST_ROOT / "build")
    shutil.copy(TEST_ROOT / "models.lock.json", tmp_path)
    shutil.copy(ROOT / "Pulumi.local.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_it_holds_what_the_bucket_would(project: Path) -> None:
    assert main(["local", "digits", "image"]) == 0
    folder = project / "image"
    found = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert found == {
        "Dockerfile",
        "models/digits/1/model.pt",
        "models/digits/config.pbtxt",
        "models/digits/labels/OUTPUT__0",
        "models/digits/warmup/INPUT__0",
    }
    assert 'name: "digits"' in (folder / "models/digits/config.pbtxt").read_text()
    assert "COPY models /models" in (folder / "Dockerfile").read_text()


def test_what_is_compiled_on_the_nodes_has_no_image(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (project / "Pulumi.local.yaml").read_text()
    models = "    compiled: {triton: {container: 26.06-py3}}"
    (project / "Pulumi.aoti.yaml").write_text(text.replace("    digits: {}", models))
    assert main(["aoti", "compiled", "image"]) == 1
    assert "in format aoti, is compiled on the nodes that serve it" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere", "digits", "image"], "Pulumi.nowhere.yaml: can't be read"),
        (["local", "cats", "image"], "it has digits"),
        (["local", "digits", "build"], "is there already"),
    ],
)
def test_a_mistake_is_one_line(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 1
    assert said in capsys.readouterr().err
