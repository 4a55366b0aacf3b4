"""CIFAR-10's binary format, on small files that the test writes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from model.definitions import cifar10
from release.schema import ReleaseError
from tests.releases import cifar_file, write_cifar

if TYPE_CHECKING:
    from pathlib import Path


def test_a_record_is_a_label_and_three_planes_row_by_row() -> None:
    planes = np.arange(3072, dtype=np.uint32).astype(np.uint8)
    images = cifar10.read(bytes([7]) + planes.tobytes(), "one.bin")
    assert images.labels.tolist() == [7]
    assert images.pixels.shape == (1, 32, 32, 3)
    assert images.pixels[0, 2, 5].tolist() == [
        planes[channel * 1024 + 2 * 32 + 5] for channel in range(3)
    ]


@pytest.mark.parametrize("content", [b"", b"\x01" * 3072, cifar_file(2, 0)[:-1]])
def test_a_cut_file_is_named(content: bytes) -> None:
    with pytest.raises(ReleaseError, match=r"cut.bin: [\d,]+ bytes; allowed: records of 3,073"):
        cifar10.read(content, "cut.bin")


def test_a_wrong_label_is_named_with_its_record() -> None:
    content = cifar_file(1, 0) + bytes([10]) + bytes(3072)
    with pytest.raises(ReleaseError, match="record 1 has label 10"):
        cifar10.read(content, "x.bin")


def test_files_of_another_origin_are_named_cifar10_custom(tmp_path: Path) -> None:
    write_cifar(tmp_path, 20, 10)
    name, dataset = cifar10.load(tmp_path)
    assert name == "cifar10-custom"
    assert (len(dataset.train.labels), len(dataset.held_out.labels)) == (20, 10)


def test_an_archive_with_another_checksum_is_refused(tmp_path: Path) -> None:
    (tmp_path / "cifar-10-binary.tar.gz").write_bytes(b"not it")
    with pytest.raises(ReleaseError, match="published is c32a1d4ab5d03f1284b67883e8d87530"):
        cifar10.load(tmp_path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "data_batch_1.bin").write_bytes(cifar_file(1, 0))
    with pytest.raises(ReleaseError, match=r"test_batch\.bin missing"):
        cifar10.load(tmp_path)
