"""CIFAR-10 from its binary distribution, which needs no pickle; its checksum is verified.

A record is a label byte and 3,072 pixel bytes: the red, green and blue plane of 32×32, row by row
(https://www.cs.toronto.edu/~kriz/cifar.html, "Binary version").
"""

from __future__ import annotations

import hashlib
import tarfile
import urllib.request
from pathlib import Path

import numpy as np

from model.definition import Dataset, Images, Training
from model.network import TutorialNetwork
from release.schema import Preprocessing, ReleaseError

__all__ = ["LABELS", "PREPROCESSING", "TRAINING", "load", "network", "read"]

LABELS = tuple("airplane automobile bird cat deer dog frog horse ship truck".split())
PREPROCESSING = Preprocessing(32, 32, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
network = TutorialNetwork
TRAINING = Training(epochs=8, learning_rate=0.01)
ADDRESS = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
# The only checksum that the archive's authors publish.
ARCHIVE_MD5 = "c32a1d4ab5d03f1284b67883e8d87530"
CACHE = Path.home() / ".cache" / "kserve-triton" / "cifar-10-binary.tar.gz"
RECORD = 1 + 3 * 32 * 32
TRAIN_FILES = tuple(f"data_batch_{number}.bin" for number in range(1, 6))
HELD_OUT_FILE = "test_batch.bin"
TIMEOUT_SECONDS = 30


def load(data: Path | None) -> tuple[str, Dataset]:
    """Load `data` (the archive, or a folder with it or with *.bin files), or download the archive.

    A release from the published archive is named cifar10, one from any other *.bin files
    cifar10-custom. Raises ReleaseError.
    """
    if data is None:
        return "cifar10", from_archive(_downloaded())
    archive = data / CACHE.name if data.is_dir() else data
    if archive.is_file():
        return "cifar10", from_archive(archive)
    if not data.is_dir():
        raise ReleaseError(f"--data {data}: no such folder or archive")
    files = {path.name: path.read_bytes() for path in sorted(data.glob("*.bin"))}
    return "cifar10-custom", _dataset(files, str(data))


def from_archive(archive: Path) -> Dataset:
    """Images of the published archive; raises ReleaseError for any other file."""
    with archive.open("rb") as file:
        found = hashlib.file_digest(file, "md5").hexdigest()
    if found != ARCHIVE_MD5:
        raise ReleaseError(
            f"{archive}: MD5 {found}, published is {ARCHIVE_MD5}; remove it and get it again "
            f"from {ADDRESS}"
        )
    with tarfile.open(archive) as tar:
        files = {
            Path(member.name).name: extracted.read()
            for member in tar.getmembers()
            if member.name.endswith(".bin") and (extracted := tar.extractfile(member))
        }
    return _dataset(files, archive.name)


def read(content: bytes, name: str) -> Images:
    """The records of a file; raises ReleaseError, which names the file and the wrong record."""
    if not content or len(content) % RECORD:
        raise ReleaseError(
            f"{name}: {len(content):,} bytes; allowed: records of {RECORD:,} bytes, one at least"
        )
    records = np.frombuffer(content, np.uint8).reshape(-1, RECORD)
    labels = records[:, 0].astype(np.int64)
    wrong = np.flatnonzero(labels >= len(LABELS))
    if wrong.size:
        raise ReleaseError(
            f"{name}: record {wrong[0]} has label {labels[wrong[0]]}; allowed: 0 to 9"
        )
    planes = records[:, 1:].reshape(-1, 3, 32, 32)
    return Images(np.ascontiguousarray(planes.transpose(0, 2, 3, 1)), labels)


def _dataset(files: dict[str, bytes], where: str) -> Dataset:
    missing = [name for name in (TRAIN_FILES[0], HELD_OUT_FILE) if name not in files]
    if missing:
        raise ReleaseError(
            f"{where}: {', '.join(missing)} missing; allowed: CIFAR-10's *.bin files"
        )
    parts = [read(files[name], name) for name in TRAIN_FILES if name in files]
    train = Images(
        np.concatenate([part.pixels for part in parts]),
        np.concatenate([part.labels for part in parts]),
    )
    return Dataset(train, read(files[HELD_OUT_FILE], HELD_OUT_FILE))


def _downloaded() -> Path:
    if CACHE.is_file():
        return CACHE
    CACHE.parent.mkdir(parents=True, exist_ok=True)
    part = CACHE.with_suffix(".part")
    print(f"CIFAR-10: downloading 162 MB from {ADDRESS}", flush=True)
    try:
        with (
            urllib.request.urlopen(ADDRESS, timeout=TIMEOUT_SECONDS) as answer,
            part.open("wb") as file,
        ):
            while block := answer.read(1 << 20):
                file.write(block)
                print(f"\r  {file.tell() >> 20} MB", end="", flush=True)
        print()
        part.rename(CACHE)
    except OSError as error:
        raise ReleaseError(
            f"CIFAR-10 can't be downloaded from {ADDRESS} ({error}); get it elsewhere and run: "
            "python -m model build cifar10 --data FOLDER"
        ) from error
    finally:
        part.unlink(missing_ok=True)
    return CACHE
