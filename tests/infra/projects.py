"""A project's folder with releases made by hand: build/ and models.lock.json, no network needed."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

from release import files, lock
from release.schema import File, Release, Warmup, digest
from tests.release import examples


def add(root: Path, release: Release, handler: dict[str, bytes] | None = None) -> Release:
    """Write a release's files, build and pin it; its digests become those of these files.

    `handler` has its files; without it they have other contents, as the model has.
    """
    contents = {path: f"{release.name} {path}".encode() for path in release.files}
    contents |= {f"handler/{path}": text for path, text in (handler or {}).items()}
    made = replace(
        release,
        model=_file(contents[release.model_file]),
        warmup={
            name: Warmup(digest(contents[f"warmup/{name}"]), each.shape)
            for name, each in release.warmup.items()
        },
    )
    if release.handler:
        paths = handler or release.handler.files
        made = replace(
            made,
            handler=replace(
                release.handler,
                files={path: _file(contents[f"handler/{path}"]) for path in paths},
            ),
        )
    folder = root / files.BUILD / release.name
    for path in made.files:
        files.write(folder / path, contents[path])
    files.write(folder / files.RELEASE_JSON, made.to_json())
    files.keep(folder, root / files.BUILD)
    lock.pin(root / "models.lock.json", made)
    return made


def _file(content: bytes) -> File:
    return File(digest(content), len(content))


def _test_root() -> Path:
    """A project with two releases of `digits`, and one of each other kind; removed at exit.

    `large` is `topics` with a handler that no ConfigMap holds.
    """
    root = Path(tempfile.mkdtemp(prefix="project-"))
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    add(root, examples.image(metrics={"accuracy": 0.5}))
    add(root, examples.image())
    cifar10 = add(root, examples.image(name="cifar10"))
    add(root, examples.tensors())
    add(root, examples.texts())
    add(root, examples.tensors(name="compiled", format="aoti"))
    words = {"handler.py": b"def postprocess", "words.txt": b"word\n" * 250_000}
    add(root, examples.texts(name="large"), words)
    verdict = lock.Verdict("pass")
    lock.prove(root / "models.lock.json", "cifar10", cifar10.digest, "dev", verdict)
    return root


# Where programs run in tests.
TEST_ROOT = _test_root()
