"""CIFAR-10's binary format and folders of pictures, on small files that the tests write."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from model.definitions.cifar10 import data
from model.images import png
from release.schema import ReleaseError

if TYPE_CHECKING:
    from pathlib import Path


def records(count: int) -> bytes:
    """So many black images, with the labels 0, 1, … 9, 0, …"""
    return b"".join(bytes([index % 10]) + bytes(3072) for index in range(count))


def write_pictures(folder: Path) -> None:
    """One picture of each class, whose red is the class's index, for each part."""
    for part in ("train", "test"):
        for index, name in enumerate(data.LABELS):
            (folder / part / name).mkdir(parents=True)
            pixels = np.full((32, 32, 3), (index, 0, 0), np.uint8)
            (folder / part / name / "0000.png").write_bytes(png(pixels))


def test_a_record_is_a_label_and_three_planes_row_by_row() -> None:
    planes = np.arange(3072, dtype=np.uint32).astype(np.uint8)
    images = data.read(bytes([7]) + planes.tobytes(), "one.bin")
    assert images.labels.tolist() == [7]
    assert images.pixels.shape == (1, 32, 32, 3)
    assert images.pixels[0, 2, 5].tolist() == [
        planes[channel * 1024 + 2 * 32 + 5] for channel in range(3)
    ]


@pytest.mark.parametrize("content", [b"", b"\x01" * 3072, records(2)[:-1]])
def test_a_cut_file_is_named(content: bytes) -> None:
    with pytest.raises(ReleaseError, match=r"cut.bin: [\d,]+ bytes; allowed: records of 3,073"):
        data.read(content, "cut.bin")


def test_a_wrong_label_is_named_with_its_record() -> None:
    content = records(1) + bytes([10]) + bytes(3072)
    with pytest.raises(ReleaseError, match="record 1 has label 10"):
        data.read(content, "x.bin")


def test_a_folder_of_pictures_is_read_by_class(tmp_path: Path) -> None:
    write_pictures(tmp_path)
    found = data.load(tmp_path)
    for images in (found.train, found.held_out):
        assert images.labels.tolist() == list(range(10))
        assert images.pixels[:, 0, 0, 0].tolist() == list(range(10))
    assert found.provenance["form"] == "pictures"


def test_the_provenance_changes_with_a_picture(tmp_path: Path) -> None:
    write_pictures(tmp_path)
    before = data.load(tmp_path).provenance
    (tmp_path / "train" / "cat" / "0001.png").write_bytes(png(np.zeros((32, 32, 3), np.uint8)))
    assert data.load(tmp_path).provenance != before


def test_a_missing_class_is_named(tmp_path: Path) -> None:
    write_pictures(tmp_path)
    (tmp_path / "test" / "ship").rename(tmp_path / "test" / "boat")
    with pytest.raises(ReleaseError, match=r"test: folders .*boat.*; allowed: .*ship"):
        data.load(tmp_path)


def test_an_archive_with_another_checksum_is_refused(tmp_path: Path) -> None:
    (tmp_path / "cifar-10-binary.tar.gz").write_bytes(b"not it")
    with pytest.raises(ReleaseError, match="published is c32a1d4ab5d03f1284b67883e8d87530"):
        data.load(tmp_path)


def test_a_folder_without_data_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match=r"no such archive; allowed: cifar-10-binary\.tar\.gz"):
        data.load(tmp_path)


def test_the_examples_are_four_of_each_class() -> None:
    pictures = data.examples()
    assert sorted(pictures.labels) == sorted(data.LABELS * 4)
