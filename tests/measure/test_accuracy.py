"""Labelled pictures through an endpoint; tests/local/docs sends them to a real one."""

from __future__ import annotations

from pathlib import Path

import pytest

from measure.accuracy import main, read
from release.schema import ReleaseError

TUTORIALS = Path(__file__).parents[2] / "docs" / "tutorials"


def test_pictures_are_read_by_the_folders_of_their_labels(tmp_path: Path) -> None:
    for name in ("b/2", "b/1", "a/3", "other/4"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    found = read(tmp_path, ("a", "b"))
    assert list(found.files) == [b"a/3", b"b/1", b"b/2"]
    assert list(found.labels) == ["a", "b", "b"]


def test_a_folder_without_pictures_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match=r"no pictures; allowed: a folder with cat/\*"):
        read(tmp_path, ("cat", "dog"))


def test_a_model_that_is_no_image_classifier_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ratings", "--definitions", str(TUTORIALS)]) == 1
    assert capsys.readouterr().err == "ratings: allowed: a model with an image block and labels\n"
