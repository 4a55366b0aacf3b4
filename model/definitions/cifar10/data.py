"""CIFAR-10: 50,000 images to train on and 10,000 held-out ones, 32×32, of ten classes.

Read from the published binary archive, whose checksum is verified and which needs no pickle, or
from a folder of pictures, `train/CLASS/*` and `test/CLASS/*`. A record of the archive is a label
byte and 3,072 pixel bytes: the red, green and blue plane, row by row
(https://www.cs.toronto.edu/~kriz/cifar.html, "Binary version").
"""

from __future__ import annotations

import hashlib
import tarfile
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from model.definition import Pictures, Trained
from model.images import Images, read_folder
from model.training import train
from release.schema import ImageInput, ReleaseError

if TYPE_CHECKING:
    import torch

    from model.training import Training

__all__ = ["IMAGE", "LABELS", "Cifar10", "examples", "load", "read", "train_on"]

LABELS = tuple("airplane automobile bird cat deer dog frog horse ship truck".split())
IMAGE = ImageInput(width=32, height=32, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
ADDRESS = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
# The only checksum that the archive's authors publish.
ARCHIVE_MD5 = "c32a1d4ab5d03f1284b67883e8d87530"
CACHE = Path.home() / ".cache" / "kserve-triton" / "cifar-10-binary.tar.gz"
RECORD = 1 + 3 * 32 * 32
TRAIN_FILES = tuple(f"data_batch_{number}.bin" for number in range(1, 6))
HELD_OUT_FILE = "test_batch.bin"
TIMEOUT_SECONDS = 30
# Held-out pictures of each class, so that a release is built without the data.
EXAMPLES = Path(__file__).parent / "examples"


@dataclass(frozen=True)
class Cifar10:
    """The images, and where they are from: form and digest."""

    train: Images
    held_out: Images
    provenance: dict[str, str]


def examples() -> Pictures:
    """The held-out pictures beside this file, `CLASS-NUMBER.jpg`."""
    paths = sorted(EXAMPLES.iterdir())
    return Pictures([p.read_bytes() for p in paths], [p.name.split("-")[0] for p in paths])


def train_on(network: torch.nn.Module, data: Path | None, how: Training) -> Trained:
    """Train on CIFAR-10. Raises ReleaseError if `data` isn't that."""
    images = load(data)
    accuracy = train(network, images.train, images.held_out, IMAGE, how)
    held_out = len(images.held_out.labels)
    return Trained({"accuracy": round(accuracy, 4)}, held_out, images.provenance)


def load(data: Path | None) -> Cifar10:
    """Load `data`: a folder of pictures, the archive, or a folder with it; None: download it.

    Raises ReleaseError.
    """
    if data is None:
        return from_archive(_downloaded())
    if (data / "train").is_dir():
        return from_pictures(data)
    archive = data / CACHE.name if data.is_dir() else data
    if not archive.is_file():
        raise ReleaseError(
            f"--data {data}: no such archive; allowed: {CACHE.name}, a folder with it, or one with "
            "train/CLASS/ and test/CLASS/"
        )
    return from_archive(archive)


def from_pictures(folder: Path) -> Cifar10:
    """Images of `train/CLASS/*` and `test/CLASS/*`; raises ReleaseError if a class is missing."""
    for part in ("train", "test"):
        found = {path.name for path in (folder / part).glob("*/")}
        if found != set(LABELS):
            raise ReleaseError(
                f"{folder / part}: folders {', '.join(sorted(found)) or 'none'}; allowed: "
                f"{', '.join(LABELS)}"
            )
    content = hashlib.sha256()
    for path in sorted(folder.glob("t*/*/*")):
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        content.update(f"{sha256}  {path.relative_to(folder)}\n".encode())
    train, held_out = (read_folder(folder / part, LABELS, IMAGE) for part in ("train", "test"))
    provenance = {"data": "CIFAR-10", "form": "pictures", "pictures_sha256": content.hexdigest()}
    return Cifar10(train, held_out, provenance)


def from_archive(archive: Path) -> Cifar10:
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
    parts = [read(files[name], name) for name in TRAIN_FILES]
    train = Images(
        np.concatenate([part.pixels for part in parts]),
        np.concatenate([part.labels for part in parts]),
    )
    provenance = {"data": "CIFAR-10", "form": "published archive", "archive_md5": found}
    return Cifar10(train, read(files[HELD_OUT_FILE], HELD_OUT_FILE), provenance)


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
            "python -m model train cifar10 --data FOLDER"
        ) from error
    finally:
        part.unlink(missing_ok=True)
    return CACHE
