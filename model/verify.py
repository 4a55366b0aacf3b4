"""Comparing a build with what it was when it was released."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

# Before torch, which reads its settings when it is imported.
from model.reproducible import reproducible  # isort: skip

from model import formats, handlers
from model.compare import compare
from model.served import serve
from release import files, instances, lock, tensors
from release.commands import build_command
from release.schema import ReleaseError, digest, short

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from model.served import Served
    from release.schema import Release, Sample

__all__ = ["verify"]


def verify(name: str, out: Path, path: Path) -> Release:
    """Compare all digests, run samples and exchanges; raises ReleaseError on any difference."""
    folder, read = out / name, files.read_build(out, name)
    build = build_command(name, read.format, read.provenance)
    found = digest((folder / files.RELEASE_JSON).read_bytes())
    pinned = lock.read(path).current(name)
    if pinned and pinned.digest != found:
        raise ReleaseError(
            f"release {short(found)} is not the one that {path.name} pins, "
            f"{short(pinned.digest)}; pin it: {build} --pin"
        )
    try:
        release = files.check(folder, found)
        with reproducible():
            signature = formats.Signature(release.inputs, release.outputs, release.batching)
            program = formats.module(release.format).load(folder / release.model_file, signature)
            served = serve(program, release)
            for number, sample in enumerate(release.samples):
                _compare_sample(release, sample, number, served)
            handlers.compare_exchanges(release, folder / "handler", served)
    except ReleaseError as error:
        raise ReleaseError(f"{error}; run: {build}") from error
    return release


def _compare_sample(release: Release, sample: Sample, number: int, served: Served) -> None:
    found = served(_inputs(release, sample))
    for tensor, stored in zip(release.outputs, sample.outputs, strict=True):
        different = compare(tensors.values(stored, tensor.dtype), found[tensor.name])
        if different:
            raise ReleaseError(f"samples[{number}]: {tensor.name} {different}, the release's")


def _inputs(release: Release, sample: Sample) -> dict[str, NDArray[Any]]:
    if release.image is None:
        pairs = zip(release.inputs, sample.inputs, strict=True)
        return {tensor.name: tensors.values(stored, tensor.dtype) for tensor, stored in pairs}
    return instances.pictures(release, [{"image_bytes": {"b64": sample.image}}])
