"""Samples of releases: which ones, and as many as release.json holds."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from model.examples import Examples
from release import files, tensors
from release.images import Converter
from tests.model.definitions import forward, refusal, run, write

if TYPE_CHECKING:
    from pathlib import Path

PICTURES = """
import io
from PIL import Image

def picture(shade, size):
    file = io.BytesIO()
    Image.fromarray(np.full((*size, 3), shade, np.uint8)).save(file, "PNG")
    return file.getvalue()

class Network(nn.Module):
    def forward(self, x):
        return x.mean((2, 3))

class Half(Network):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1, dtype=torch.half))

definition = Definition(
    network=NETWORK,
    examples=lambda: Pictures(
        [picture(shade, (shade % 7 + 3, 5)) for shade in range(12)],
        ["dark", "dark", "light"] * 4,
    ),
    image=ImageInput(width=6, height=4, mean=(0.5, 0, 0), std=(1, 1, 2)),
    labels=["dark", "light", "none"],
)
"""


@pytest.mark.parametrize(("network", "dtype"), [("Network", "FP32"), ("Half", "FP16")])
def test_samples_of_an_image_model_are_pictures(network: str, dtype: str, tmp_path: Path) -> None:
    write(tmp_path, "mine.py", PICTURES.replace("NETWORK", network))
    assert run(tmp_path, "build", "mine") == 0
    release = files.read_build(tmp_path / "build", "mine")
    (tensor,) = release.inputs
    assert str(tensor) == f"INPUT__0 {dtype} [3, 4, 6]"
    assert [sample.label for sample in release.samples[:3]] == ["dark", "light", "dark"]
    assert release.image is not None
    made = np.empty((3, 4, 6), np.float32)
    for sample in release.samples:
        with Image.open(io.BytesIO(sample.picture)) as image:
            Converter(release.image).convert(image, made)
        found = tensors.values(sample.outputs[0], dtype)[0]
        assert found == pytest.approx(made.mean((1, 2)), abs=1e-3)
    raw = (tmp_path / "build" / "mine" / "warmup" / "INPUT__0").read_bytes()
    assert tensors.decode(raw, dtype, release.warmup["INPUT__0"].shape).shape == (3, 4, 6)
    assert run(tmp_path, "verify", "mine") == 0


@pytest.mark.parametrize(
    ("labels", "wanted"),
    [
        ([str(index // 3) for index in range(36)], [str(index) for index in range(12)]),
        (list("aab") * 12, list("abaaabaa")),
    ],
)
def test_every_label_has_a_sample_and_others_fill_up(
    labels: list[str], wanted: list[str], tmp_path: Path
) -> None:
    text = PICTURES.replace("NETWORK", "Network").replace("range(12)", "range(36)")
    text = text.replace('["dark", "dark", "light"] * 4', repr(labels))
    text = text.replace('    labels=["dark", "light", "none"],', "")
    write(tmp_path, "mine.py", text)
    assert run(tmp_path, "build", "mine") == 0
    release = files.read_build(tmp_path / "build", "mine")
    assert [sample.label for sample in release.samples] == wanted


def test_samples_are_from_all_batches_in_turn(tmp_path: Path) -> None:
    text = forward("return x.sum(1)").replace("batches((6, 4))", "batches((2, 4), (9, 5), (3, 6))")
    write(tmp_path, "mine.py", text)
    assert run(tmp_path, "build", "mine") == 0
    release = files.read_build(tmp_path / "build", "mine")
    assert [sample.inputs[0].shape[1] for sample in release.samples] == [4, 5, 6, 4, 5, 6, 5, 6]


def test_samples_that_do_not_fit_are_left_out(tmp_path: Path) -> None:
    """Of 320 kB each in base64, two fit into 900 kB; a smaller one fits beside them."""
    text = forward("return x.sum(1)")
    text = text.replace("batches((6, 4))", "batches((5, 60_000), (2, 4))")
    write(tmp_path, "mine.py", text)
    assert run(tmp_path, "build", "mine") == 0
    release = files.read_build(tmp_path / "build", "mine")
    assert [sample.inputs[0].shape[1] for sample in release.samples] == [60_000, 4, 60_000, 4]


def test_of_many_examples_some_are_run(tmp_path: Path) -> None:
    """A network sees at most 32 rows at once, and 256 pictures in all."""
    text = PICTURES.replace("NETWORK", "Network").replace("range(12)", "range(600)")
    text = text.replace("np.full((*size, 3), shade", "np.full((*size, 3), shade % 256")
    text = text.replace('["dark", "dark", "light"] * 4', '["dark"] * 599 + ["light"]').replace(
        "return x.mean((2, 3))", "assert len(x) <= 32\n        return x.mean((2, 3))"
    )
    write(tmp_path, "mine.py", text)
    assert run(tmp_path, "build", "mine") == 0
    release = files.read_build(tmp_path / "build", "mine")
    assert [sample.label for sample in release.samples][:2] == ["dark", "light"]


def test_a_picture_with_a_label_that_the_output_does_not_have_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = PICTURES.replace("NETWORK", "Network").replace('"dark", "dark"', '"dark", "dusk"')
    assert "a picture has the label 'dusk'; allowed" in refusal(tmp_path, text, capsys)


def test_large_inputs_are_run_in_small_batches() -> None:
    """Rows of 16 MB, two of which make a batch of less than 64 MiB, and seven don't."""
    examples = Examples(((np.zeros((6, 1000, 4000), np.float32),),), batching=True)
    assert [len(part[0]) for part in examples.parts()] == [2, 2, 2]
    assert {len(batch[0]) for batch in examples.resized()} == {1, 2}
