"""Releases for tests, under build/test with a lock of their own: `python -m tests.releases`.

`digits` has an earlier release, which takes each digit for the next one: its answers tell who gave
them. `ratings`, `topics` and `boxes` are the tutorials', `topics-large` has a handler that no
ConfigMap holds, and `houses-aoti` is compiled by a Job.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

from model.__main__ import main as model
from release import files
from release import lock as pins

ROOT = Path(__file__).parents[1]
TEST_ROOT = ROOT / "build" / "test"
TUTORIALS = ROOT / "docs" / "tutorials"
DIGITS = ROOT / "model" / "definitions" / "digits"
# The last layer, with a row for each digit.
CLASSIFY = ("classify.weight", "classify.bias")


def main() -> None:
    """Build all, pinned in build/test/models.lock.json."""
    lock, out = TEST_ROOT / "models.lock.json", TEST_ROOT / "build"
    shutil.rmtree(TEST_ROOT, ignore_errors=True)
    paths = ["--pin", "--out", str(out), "--lock", str(lock)]
    build_earlier(*paths)
    shutil.copytree(ROOT / "build" / "digits", out / "digits", dirs_exist_ok=True)
    pins.pin(lock, files.read_build(out, "digits"))
    files.keep(out / "digits", out)
    for name in ("ratings", "topics", "boxes"):
        build(name, "--definitions", str(TUTORIALS), *paths)
    with tempfile.TemporaryDirectory() as folder:
        large = Path(folder, "topics_large")
        shutil.copytree(TUTORIALS / "topics", large)
        # More than a ConfigMap holds.
        (large / "handler" / "vectors.bin").write_bytes(bytes(1_100_000))
        build("topics-large", "--definitions", folder, *paths)
        for suffix in (".py", ".safetensors"):
            shutil.copy(TUTORIALS / f"houses{suffix}", Path(folder, f"houses_aoti{suffix}"))
        build("houses-aoti", "--definitions", folder, "--format", "aoti", *paths)
    build("cifar10", *paths)
    digest = pins.read(lock).find("cifar10", None).digest
    pins.prove(lock, "cifar10", digest, "dev", pins.Verdict("pass"))


def build_earlier(*options: str) -> None:
    """Build `digits` with the rows of its last layer moved by one."""
    with tempfile.TemporaryDirectory() as folder:
        definition = Path(folder, "digits")
        shutil.copytree(DIGITS, definition)
        weights = definition / "weights.safetensors"
        weights.write_bytes(with_rows_moved(weights.read_bytes()))
        build("digits", "--definitions", folder, *options)


def with_rows_moved(file: bytes) -> bytes:
    """A safetensors file whose tensors CLASSIFY begin with their last row.

    The header stays: safetensors would write its metadata in another order each time.
    """
    start = 8 + int.from_bytes(file[:8], "little")
    header = json.loads(file[8:start])
    for name in CLASSIFY:
        begin, end = (start + offset for offset in header[name]["data_offsets"])
        last = end - (end - begin) // header[name]["shape"][0]
        file = file[:begin] + file[last:end] + file[begin:last] + file[end:]
    return file


def build(name: str, *options: str) -> None:
    """Build a release; raises SystemExit if that fails."""
    if model(["build", name, *options]):
        raise SystemExit(f"{name}: not built")


if __name__ == "__main__":
    main()
