"""`python -m model import` of files that were made elsewhere."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper
from torch import nn

from model.__main__ import main
from release import files, lock, tensors
from release.schema import digest
from tests.model.networks import Function

if TYPE_CHECKING:
    from release.schema import Release

FLOATS = np.arange(12, dtype=np.float32).reshape(3, 4)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which a program of its own wrote files of each kind."""
    folder = tmp_path_factory.mktemp("made")
    script = Path(__file__).with_name("elsewhere.py")
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    subprocess.run(
        [sys.executable, "-W", "ignore", script, folder],
        check=True,
        cwd=folder,
        env=environment,
        capture_output=True,
    )
    return folder


def run(out: Path, option: str, file: Path, samples: Path, *options: str) -> int:
    folders = ("--out", str(out / "build"), "--lock", str(out / "lock.json"))
    return main(
        ["import", "mine", option, str(file), "--samples", str(samples), *folders, *options]
    )


def refusal(capsys: pytest.CaptureFixture[str], *arguments: Any) -> str:
    assert run(*arguments) == 1
    error = capsys.readouterr().err
    assert error.startswith("mine: ")
    assert error.count("\n") == 1
    return error


def released(out: Path) -> Release:
    return files.read_build(out / "build", "mine")


@pytest.mark.parametrize(
    ("option", "file", "samples", "names"),
    [
        ("--torchscript", "model.pt", "named", ("INPUT__0", "INPUT__1", "OUTPUT__0", "OUTPUT__1")),
        ("--pt2", "model.pt2", "numbered", ("INPUT__0", "INPUT__1", "OUTPUT__0", "OUTPUT__1")),
        ("--onnx", "model.onnx", "named", ("features", "categories", "scores", "best/index")),
    ],
)
def test_a_file_made_elsewhere_is_released_with_its_answers(
    made: Path, tmp_path: Path, option: str, file: str, samples: str, names: tuple[str, ...]
) -> None:
    labels = tmp_path / "labels.txt"
    labels.write_text("low\nmiddle\nhigh\n")
    path = made / file
    assert run(tmp_path, option, path, made / f"{samples}.npz", "--labels", str(labels)) == 0
    release = released(tmp_path)
    assert release.model_file == file
    assert [
        (each.name, each.dtype, each.dims, each.scalar) for each in release.inputs + release.outputs
    ] == [
        (names[0], "FP32", (4,), False),
        (names[1], "INT64", (1,), True),
        (names[2], "FP32", (3,), False),
        (names[3], "INT64", (1,), True),
    ]
    assert release.labels == ("low", "middle", "high")
    assert release.provenance == {"file": file, "sha256": digest(path.read_bytes())}
    with np.load(made / "answers.npz") as answers:
        for number, sample in enumerate(release.samples):
            for tensor, stored, wanted in zip(
                release.outputs, sample.outputs, answers.values(), strict=True
            ):
                found = tensors.values(stored, tensor.dtype)
                np.testing.assert_allclose(found.ravel(), wanted[number].ravel(), atol=1e-5)
    out = ("--out", str(tmp_path / "build"), "--lock", str(tmp_path / "lock.json"))
    assert main(["verify", "mine", *out]) == 0


def test_the_release_is_pinned_and_the_recommended_command_works(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, "--torchscript", made / "model.pt", made / "numbered.npz") == 0
    recommended = capsys.readouterr().out.splitlines()[-1].partition("to deploy it: ")[2]
    assert main(recommended.split()[3:]) == 0
    assert lock.read(tmp_path / "lock.json").current("mine").digest == released(tmp_path).digest


@pytest.mark.parametrize(
    ("option", "file"), [("--torchscript", "model.pt"), ("--pt2", "model.pt2")]
)
def test_a_changed_release_is_to_be_imported_again(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str, file: str
) -> None:
    assert run(tmp_path, option, made / file, made / "numbered.npz") == 0
    (tmp_path / "build" / "mine" / file).write_bytes(b"")
    out = ("--out", str(tmp_path / "build"), "--lock", str(tmp_path / "lock.json"))
    assert main(["verify", "mine", *out]) == 1
    recommended = f"run: python -m model import mine {option} {file} --samples FILE.npz\n"
    assert capsys.readouterr().err.endswith(recommended)


def test_an_imported_program_says_its_versions(made: Path, tmp_path: Path) -> None:
    assert run(tmp_path, "--onnx", made / "model.onnx", made / "named.npz") == 0
    file = onnx.load(made / "model.onnx")
    release = released(tmp_path)
    assert release.ir == file.ir_version
    assert release.opset == file.opset_import[0].version


def test_dimensions_that_differ_between_the_files_of_samples_vary(tmp_path: Path) -> None:
    program = torch.jit.trace(Function(lambda x: x * 2), torch.ones(2, 4))
    torch.jit.save(program, tmp_path / "model.pt")
    np.savez(tmp_path / "a.npz", INPUT__0=np.ones((2, 4), np.float32))
    np.savez(tmp_path / "b.npz", INPUT__0=np.ones((3, 7), np.float32))
    more = str(tmp_path / "b.npz")
    arguments = ["--torchscript", str(tmp_path / "model.pt"), "--samples", str(tmp_path / "a.npz")]
    folders = ["--out", str(tmp_path / "build"), "--lock", str(tmp_path / "lock.json")]
    assert main(["import", "mine", *arguments, more, *folders]) == 0
    assert [each.dims for each in released(tmp_path).inputs] == [(-1,)]


def test_a_program_without_a_batch_keeps_its_whole_shape(made: Path, tmp_path: Path) -> None:
    arguments = (tmp_path, "--pt2", made / "fixed.pt2", made / "numbered.npz", "--no-batching")
    assert run(*arguments) == 0
    release = released(tmp_path)
    assert not release.batching
    assert [each.dims for each in release.inputs] == [(3, 4), (3,)]


def test_a_fixed_batch_is_named_with_the_remedy(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    error = refusal(capsys, tmp_path, "--pt2", made / "fixed.pt2", made / "numbered.npz")
    assert "export it with a batch of any size, or import it with --no-batching" in error


def test_a_program_traced_on_a_gpu_runs_elsewhere(made: Path, tmp_path: Path) -> None:
    source, target = made / "model.pt", tmp_path / "model.pt"
    with zipfile.ZipFile(source) as read, zipfile.ZipFile(target, "w") as write:
        for name in read.namelist():
            content = read.read(name)
            if name.endswith(".py"):
                content = content.replace(b'torch.device("cpu")', b'torch.device("cuda:0")')
                assert b"cuda:0" in content or b"Linear" in content or b"Embedding" in content
            write.writestr(name, content)
    assert run(tmp_path, "--torchscript", target, made / "numbered.npz") == 0


def save(path: Path, network: nn.Module, *inputs: Any) -> Path:
    torch.jit.save(torch.jit.trace(network, inputs or torch.ones(3, 4), check_trace=False), path)
    return path


class Dropout(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.dropout(x, training=True)


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
@pytest.mark.parametrize(
    ("network", "message"),
    [
        (Function(lambda x: [x, x]), "returns a list; allowed: a tensor, or a tuple of tensors"),
        (Dropout(), "differs between two calls with the same inputs; call network.eval()"),
        (Function(lambda x: x.to(torch.complex64)), "output 0 has dtype complex64; allowed: bool"),
        (Function(lambda x: x.to(torch.bfloat16)), "BFloat16"),
        (Function(lambda x: x / 0), "output 0 has NaN or infinite values"),
        (Function(lambda x: x.sum(0)), "output 0 has shape [4] for "),
    ],
)
def test_what_would_break_later_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], network: nn.Module, message: str
) -> None:
    path = save(tmp_path / "model.pt", network)
    np.savez(tmp_path / "samples.npz", INPUT__0=FLOATS)
    assert message in refusal(capsys, tmp_path, "--torchscript", path, tmp_path / "samples.npz")


def test_a_file_of_another_kind_gets_the_remedy(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    samples = made / "numbered.npz"
    pickled = refusal(capsys, tmp_path, "--torchscript", made / "pickled.pt", samples)
    assert "pickled Python objects, not a program; allowed: a file of torch.jit.save" in pickled
    script = refusal(capsys, tmp_path, "--pt2", made / "model.pt", samples)
    assert "no exported program; allowed: a file of torch.export.save" in script
    assert "allowed: a file of torch.jit.save" in refusal(
        capsys, tmp_path, "--torchscript", made / "model.onnx", samples
    )
    assert "allowed: an ONNX file" in refusal(
        capsys, tmp_path, "--onnx", made / "model.pt", samples
    )
    assert "no such file" in refusal(capsys, tmp_path, "--onnx", tmp_path / "none.onnx", samples)


def test_weights_in_another_file_are_named(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = made / "fixed.onnx"
    file = onnx.load(path)
    onnx.save(file, path, save_as_external_data=True, size_threshold=0, location="fixed.data")
    error = refusal(capsys, tmp_path, "--onnx", path, made / "named.npz")
    assert "lies in another file; allowed: one file" in error


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": FLOATS}, "has x; allowed: features, categories; or INPUT__0, INPUT__1"),
        ({"features": FLOATS}, "has features; allowed: features, categories"),
        (
            {"features": FLOATS.astype(float), "categories": np.arange(3)},
            "with float64 [1, 4], int64 [1]: ",
        ),
        (
            {"features": FLOATS, "categories": np.arange(2)},
            "batch 0 has 3 and 2 rows; allowed: two or more, as many in each input",
        ),
    ],
)
def test_samples_that_do_not_fit_are_named(
    made: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arrays: dict[str, Any],
    message: str,
) -> None:
    np.savez(tmp_path / "samples.npz", **arrays)
    arguments = (tmp_path, "--onnx", made / "model.onnx", tmp_path / "samples.npz")
    assert message in refusal(capsys, *arguments)


def test_pickled_samples_are_not_read(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.savez(tmp_path / "samples.npz", INPUT__0=np.array([{"a": 1}], object))
    arguments = (tmp_path, "--torchscript", made / "model.pt", tmp_path / "samples.npz")
    assert "texts as arrays of dtype str" in refusal(capsys, *arguments)


def test_an_onnx_program_takes_and_gives_texts(tmp_path: Path) -> None:
    graph = helper.make_graph(
        [helper.make_node("StringConcat", ["words", "mark"], ["calls"])],
        "texts",
        [helper.make_tensor_value_info("words", TensorProto.STRING, ["rows", 2])],
        [helper.make_tensor_value_info("calls", TensorProto.STRING, ["rows", 2])],
        [helper.make_tensor("mark", TensorProto.STRING, [1], [b"!"])],
    )
    opsets = [helper.make_opsetid("", 20)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=9), tmp_path / "model.onnx")
    words = np.array([["Ada", "Zoë"], ["Grace", ""], ["Alan", "Kurt"]])
    np.savez(tmp_path / "samples.npz", words=words)
    assert run(tmp_path, "--onnx", tmp_path / "model.onnx", tmp_path / "samples.npz") == 0
    release = released(tmp_path)
    assert [(each.name, each.dtype, each.dims) for each in release.inputs] == [
        ("words", "BYTES", (2,))
    ]
    found = tensors.values(release.samples[1].outputs[0], "BYTES")
    assert found.tolist() == [[b"Grace!", b"!"]]


def test_texts_of_a_scripted_program(tmp_path: Path) -> None:
    source = "def forward(self, names: List[str]) -> List[str]:\n    return names\n"
    program = torch.jit.ScriptModule()
    program.define(source)
    buffer = io.BytesIO()
    torch.jit.save(program, buffer)
    (tmp_path / "model.pt").write_bytes(buffer.getvalue())
    np.savez(tmp_path / "samples.npz", names=np.array(["Ada", "Grace"]))
    assert run(tmp_path, "--torchscript", tmp_path / "model.pt", tmp_path / "samples.npz") == 0
    assert [each.dtype for each in released(tmp_path).outputs] == ["BYTES"]


def test_an_outputs_dims_are_those_that_the_file_declares(tmp_path: Path) -> None:
    tensor = helper.make_tensor_value_info
    graph = helper.make_graph(
        # How many columns it keeps is known only when it runs.
        [helper.make_node("Compress", ["x", "kept"], ["y"], axis=1)],
        "open",
        [tensor("x", TensorProto.FLOAT, ["n", 3])],
        [tensor("y", TensorProto.FLOAT, ["n", "any"])],
        [helper.make_tensor("kept", TensorProto.BOOL, [3], [True, False, True])],
    )
    opsets = [helper.make_opsetid("", 18)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=9), tmp_path / "model.onnx")
    np.savez(tmp_path / "samples.npz", x=np.ones((4, 3), np.float32))
    assert run(tmp_path, "--onnx", tmp_path / "model.onnx", tmp_path / "samples.npz") == 0
    assert released(tmp_path).outputs[0].dims == (-1,)
