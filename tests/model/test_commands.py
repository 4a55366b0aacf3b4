"""`python -m model`: new, train, build, show and verify, as typed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from release import files, lock
from release.schema import digest
from tests.model.definitions import forward, run, write

ROOT = Path(__file__).parents[2]
TRAINED = """
class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(2, 1)
    def forward(self, x):
        return self.linear(x)

def train(network, data):
    assert data is None or data.name == "data.txt"
    with torch.no_grad():
        network.linear.weight.fill_(2)
        network.linear.bias.fill_(1)
    return Trained({"error": 0.25}, 40, {"data": "none"})

definition = Definition(network=Network, examples=batches((4, 2)), train=train)
"""


@pytest.fixture
def built(tmp_path: Path) -> Path:
    """A folder with the definition `mine`, which is built and pinned."""
    write(tmp_path, "mine.py", forward("return self.linear(x), x.argmax(1)"))
    assert run(tmp_path, "build", "mine", "--pin") == 0
    return tmp_path


def python(*arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-W", "ignore", *arguments],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=environment,
        check=False,
    )


def test_a_new_definition_builds_as_it_stands(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, "new", "my-model") == 0
    assert "next: python -m model build my-model --definitions" in capsys.readouterr().out
    assert run(tmp_path, "build", "my-model") == 0
    assert files.read_build(tmp_path / "build", "my-model").labels == ("low", "middle", "high")
    assert run(tmp_path, "new", "my-model") == 1
    assert "my_model.py is there already" in capsys.readouterr().err


def test_new_refuses_a_name_that_kubernetes_would(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, "new", "My_model") == 1
    assert "allowed: 1 to 38 of a-z, 0-9 and '-'" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_an_unknown_name_gets_the_known_ones(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, "one_two.py", "")
    write(tmp_path, "three/__init__.py", "")
    write(tmp_path, "four/handler.py", "")
    assert run(tmp_path, "build", "five") == 1
    assert capsys.readouterr().err == (
        f"five: model 'five'; allowed: one-two, three, the definitions in {tmp_path}; to add one: "
        "python -m model new five\n"
    )


def test_two_definitions_of_one_name_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, "mine.py", "")
    write(tmp_path, "mine/__init__.py", "")
    assert run(tmp_path, "build", "mine") == 1
    assert "both define mine; rename one" in capsys.readouterr().err


def test_training_writes_weights_that_the_build_takes_with_what_was_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, "mine.py", TRAINED)
    assert run(tmp_path, "train", "mine", "--data", "data.txt") == 0
    assert "mine.safetensors, error 0.25; next: python -m model build mine" in (
        capsys.readouterr().out
    )
    assert run(tmp_path, "build", "mine") == 0
    release = files.read_build(tmp_path / "build", "mine")
    assert (release.metrics, release.held_out) == ({"error": 0.25}, 40)
    assert release.provenance == {
        "data": "none",
        "weights": digest((tmp_path / "mine.safetensors").read_bytes()),
    }
    (sample, *_) = release.samples
    features, answer = (
        np.frombuffer(each.raw, "<f4") for each in (*sample.inputs, *sample.outputs)
    )
    assert answer == pytest.approx(2 * features.sum() + 1)


def test_weights_that_do_not_fit_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, "mine.py", TRAINED)
    assert run(tmp_path, "train", "mine") == 0
    write(tmp_path, "mine.py", TRAINED.replace("nn.Linear(2, 1)", "nn.Linear(2, 3)"))
    assert run(tmp_path, "build", "mine") == 1
    found = capsys.readouterr().err
    assert "mine.safetensors: linear.bias [1], the network's is [3]; linear.weight [1, 2]" in found
    renamed = TRAINED.replace("self.linear", "self.dense")
    write(tmp_path, "mine.py", renamed)
    assert run(tmp_path, "build", "mine") == 1
    assert (
        "dense.bias is missing; dense.weight is missing; linear.bias is not in the network; "
        "linear.weight is not in the network"
    ) in capsys.readouterr().err
    (tmp_path / "mine.safetensors").write_bytes(b"no weights")
    assert run(tmp_path, "build", "mine") == 1
    assert "allowed: a safetensors file" in capsys.readouterr().err


def test_a_training_that_diverged_leaves_the_weights_of_before(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, "mine.py", TRAINED)
    assert run(tmp_path, "train", "mine") == 0
    before = (tmp_path / "mine.safetensors").read_bytes()
    write(tmp_path, "mine.py", TRAINED.replace("fill_(2)", "fill_(float('nan'))"))
    assert run(tmp_path, "train", "mine") == 1
    assert "weight linear.weight has NaN" in capsys.readouterr().err
    assert (tmp_path / "mine.safetensors").read_bytes() == before
    assert not (tmp_path / "mine.part").exists()


def test_weights_that_share_memory_are_written_and_read(tmp_path: Path) -> None:
    shared = TRAINED.replace(
        "self.linear = nn.Linear(2, 1)",
        "self.linear = nn.Linear(2, 1); self.same = self.linear",
    )
    write(tmp_path, "mine.py", shared)
    assert run(tmp_path, "train", "mine") == 0
    assert run(tmp_path, "build", "mine") == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (forward("return x"), "the definition has no train; give it one, or put the weights"),
        (TRAINED.replace("return Trained", "Trained"), "train() returns a NoneType; allowed"),
        (TRAINED.replace("assert data", "1 / 0; assert data"), "train(): ZeroDivisionError"),
    ],
)
def test_a_training_is_refused(
    text: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, "mine.py", text)
    assert run(tmp_path, "train", "mine") == 1
    assert message in capsys.readouterr().err


def test_a_release_is_the_same_bytes_in_every_process(built: Path) -> None:
    def release(out: str) -> bytes:
        options = ("--definitions", str(built), "--out", str(built / out))
        found = python("-m", "model", "build", "mine", *options, "--lock", str(built / "other"))
        assert found.returncode == 0, found.stderr
        return (built / out / "mine" / "release.json").read_bytes()

    assert release("first") == release("second")


def test_a_build_leaves_no_files_of_the_one_before(built: Path) -> None:
    (built / "build" / "mine" / "model.onnx").write_bytes(b"")
    assert run(built, "build", "mine") == 0
    found = {path.name for path in (built / "build" / "mine").rglob("*") if path.is_file()}
    assert found == {"model.pt", "release.json", "INPUT__0"}


def test_show_prints_the_signature(built: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(built, "show", "mine") == 0
    shown = capsys.readouterr().out
    assert "INPUT__0   FP32 [batch, 4]" in shown
    assert "OUTPUT__1  INT64 [batch, 1]" in shown


def test_a_release_verifies_as_built(built: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(built, "verify", "mine") == 0
    assert "every file, all 6 samples are as released" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["model.pt", "warmup/INPUT__0"])
def test_a_changed_file_is_named(
    name: str, built: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = built / "build" / "mine" / name
    path.write_bytes(path.read_bytes() + b"!")
    assert run(built, "verify", "mine") == 1
    assert f"{name}: SHA-256" in capsys.readouterr().err


def test_a_sample_with_another_answer_is_named(
    built: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = built / "build" / "mine" / "release.json"
    raw = json.loads(path.read_text())
    raw["samples"][3]["outputs"][0] = raw["samples"][2]["outputs"][0]
    path.write_text(json.dumps(raw))
    (built / "lock.json").unlink()
    assert run(built, "verify", "mine") == 1
    assert "samples[3]: OUTPUT__0 differs by" in capsys.readouterr().err


def test_a_release_that_is_not_the_pinned_one_is_refused(
    built: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = built / "build" / "mine" / "release.json"
    path.write_text(path.read_text() + "\n")
    assert run(built, "verify", "mine") == 1
    assert "is not the one that lock.json pins" in capsys.readouterr().err


def test_a_pinned_release_is_kept(built: Path) -> None:
    (entry,) = lock.read(built / "lock.json").releases("mine")
    files.check(built / "build" / files.RELEASES / "mine" / entry.digest, entry.digest)


def test_wrong_arguments_are_refused_before_torch_is_imported(tmp_path: Path) -> None:
    code = (
        "import sys; from model.__main__ import main; "
        f"main(['build', 'nope', '--definitions', {str(tmp_path)!r}]); "
        f"main(['show', 'nope', '--out', {str(tmp_path)!r}]); "
        "print('torch' in sys.modules)"
    )
    found = python("-c", code)
    assert found.stdout == "False\n"
    assert "run: python -m model build nope" in found.stderr
