"""Releases for tests, under build/test with a lock of their own: `python -m tests.releases`.

`digits` is the real one; its earlier release is the same network with another accuracy.
`cifar10-custom` is trained on a small generated file in CIFAR-10's binary format, and named so by
the builder, since the data are not CIFAR-10's.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from model.__main__ import main as model
from model.definitions import cifar10
from release import files
from release import lock as pins

ROOT = Path(__file__).parents[1]
TEST_ROOT = ROOT / "build" / "test"


def cifar_file(count: int, seed: int) -> bytes:
    """Records in CIFAR-10's binary format: noisy stripes with a period and slant for each label."""
    order = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:32, 0:32]
    records = []
    for index in range(count):
        label = index % 10
        wave = np.sin((rows * (label % 5 + 1) + columns * (label // 5 * 3)) / 3 + order.normal())
        planes = 127 + 90 * wave + order.normal(0, 15, (3, 32, 32))
        pixels = planes.clip(0, 255).astype(np.uint8)
        records.append(bytes([label]) + pixels.tobytes())
    return b"".join(records)


def write_cifar(folder: Path, train: int = 400, held_out: int = 100) -> None:
    """Write the two files without which the loader refuses a folder."""
    (folder / cifar10.TRAIN_FILES[0]).write_bytes(cifar_file(train, 1))
    (folder / cifar10.HELD_OUT_FILE).write_bytes(cifar_file(held_out, 2))


def main() -> None:
    """Build all, pinned in build/test/models.lock.json."""
    lock, out = TEST_ROOT / "models.lock.json", TEST_ROOT / "build"
    shutil.rmtree(TEST_ROOT, ignore_errors=True)
    shutil.copytree(ROOT / "build" / "digits", out / "digits")
    release = files.read_build(out, "digits")
    for each in (replace(release, accuracy=0.5), release):
        pins.pin(lock, each)
        files.write(out / "digits" / files.RELEASE_JSON, each.to_json())
        files.keep(out / "digits", out)
    with tempfile.TemporaryDirectory() as data:
        write_cifar(Path(data))
        paths = ["--data", data, "--out", str(out), "--lock", str(lock)]
        if model(["build", "cifar10", "--pin", *paths]):
            raise SystemExit("cifar10-custom: not built")
    digest = pins.read(lock).find("cifar10-custom", None).digest
    pins.prove(lock, "cifar10-custom", digest, "dev", pins.Verdict("pass"))


if __name__ == "__main__":
    main()
