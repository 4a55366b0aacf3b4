"""The Job of a model in format `aoti`: fetch, compile, upload, on the storage emulator."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from google.cloud import storage

from jobs.compile import compile
from jobs.compile.__main__ import main
from tests.local.emulator import storage_emulator

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any

SOURCE, TARGET = "gs://bucket/programs/net/model.pt2", "gs://bucket/models/net/1/model.pt2"


class Net(torch.nn.Module):
    def forward(self, x: torch.Tensor, add: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return x * 2 + add[:, None], x.argmax(1)


@pytest.fixture
def bucket(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Any]:
    with storage_emulator(tmp_path_factory.mktemp("gcs")) as address:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", address)
        client = storage.Client(project="p")
        yield client.create_bucket("bucket")


def put(bucket: Any, content: bytes) -> str:
    bucket.blob("programs/net/model.pt2").upload_from_string(content)
    return hashlib.sha256(content).hexdigest()


def test_a_program_becomes_a_package_beside_the_config(bucket: Any, tmp_path: Path) -> None:
    file = tmp_path / "exported.pt2"
    batch = torch.export.Dim("batch", min=1, max=8)
    example = (torch.rand(2, 3), torch.arange(2))
    shapes = ({0: batch}, {0: batch})
    torch.export.save(torch.export.export(Net(), example, dynamic_shapes=shapes), file)
    sha256, work = put(bucket, file.read_bytes()), tmp_path / "work"
    work.mkdir()
    assert main(["fetch", SOURCE, sha256, str(work)]) == 0
    # As in a container: no home, no name of the user, any working directory.
    command = [sys.executable, str(work / "compile.py"), "program.pt2", "model.pt2"]
    subprocess.run(command, cwd=work, env={"PATH": os.environ["PATH"]}, check=True)
    assert sorted(path.name for path in work.iterdir()) == [
        *("compile.py", "model.pt2", "program.pt2")
    ]
    assert main(["upload", str(work / "model.pt2"), TARGET]) == 0
    loaded = tmp_path / "model.pt2"
    bucket.blob("models/net/1/model.pt2").download_to_filename(str(loaded))
    x, add = torch.rand(5, 3), torch.arange(5)
    found = torch._inductor.aoti_load_package(str(loaded))(x, add)
    for got, wanted in zip(found, Net()(x, add), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-6)


def test_a_package_that_is_there_stays(
    bucket: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bucket.blob("models/net/1/model.pt2").upload_from_string(b"first")
    (tmp_path / "model.pt2").write_bytes(b"second")
    assert main(["upload", str(tmp_path / "model.pt2"), TARGET]) == 0
    assert f"{TARGET} is there" in capsys.readouterr().out
    assert bucket.blob("models/net/1/model.pt2").download_as_bytes() == b"first"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (SOURCE, "was changed"),
        (SOURCE + "x", "status 404"),
        ("bucket/model.pt2", "allowed: gs://BUCKET/OBJECT"),
    ],
)
def test_another_program_is_refused(
    bucket: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], source: str, message: str
) -> None:
    put(bucket, b"content")
    assert main(["fetch", source, hashlib.sha256(b"other").hexdigest(), str(tmp_path)]) == 1
    assert message in capsys.readouterr().out


def test_a_missing_compiler_is_reported(tmp_path: Path) -> None:
    command = [sys.executable, compile.__file__, "program.pt2", "model.pt2"]
    done = subprocess.run(command, cwd=tmp_path, env={"PATH": ""}, capture_output=True, text=True)
    assert done.returncode == 2
    assert "no C++ compiler on PATH: install g++" in done.stderr
