"""Networks and definitions that a build refuses, each with the remedy that fits."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.model.definitions import HEADER, forward, refusal, run, write

if TYPE_CHECKING:
    from pathlib import Path

NETWORKS = {
    "a dict": ("return {'a': x, 'b': x}", "returns a dict with a, b; .*return tuple"),
    "a list": ("return [x, x]", "returns a list, which Triton's backend refuses; .*return tuple"),
    "a named tuple": ("return x.max(1)", r"returns a max, a named tuple, .*return tuple\(outputs"),
    "a text among tensors": ("return x, 'label'", "returns a str as output 1; allowed: a tensor"),
    "nothing": ("pass", "returns a NoneType as output 0; allowed: a tensor"),
    "complex numbers": ("return x.to(torch.complex64)", "output 0 has dtype torch.complex64"),
    "bfloat16": ("return x.bfloat16()", r"output 0 has dtype torch.bfloat16; .*\.float\(\)"),
    "no row": ("return x.sum()", r"output 0 has shape \[\] for 6 rows; .*batching=False"),
    "one row for all": ("return x.sum(0, keepdim=True)", r"output 0 has shape \[1, 4\] for 6 rows"),
    "rows that mix": (
        "return self.linear(x - x.mean(0))",
        "output 0 of row 0 differs by .* when the row is alone; .*into one batch",
    ),
    "a row for each pair": ("return x @ x.T", r"row 0 is float32 \[1, 6\] in place of .*\[1, 1\]"),
    "batch norm in training": (
        "return functional.batch_norm(x, None, None, training=True)",
        "(?s)Expected more than 1 value per channel|when the row is alone",
    ),
    "train mode": (
        "self.norm.train()\nreturn self.norm(x)",
        r"forward\(\) puts norm into training mode; leave train\(\)",
    ),
    "dropout left on": (
        "return functional.dropout(self.linear(x), 0.5)",
        r"two answers: forward\(\) calls torch.dropout\(.*, 0.5, True\); .*training=self.training",
    ),
    "random numbers": (
        "return x + torch.rand_like(x)",
        r"two answers: forward\(\) calls torch.rand_like\(",
    ),
    "other random numbers": (
        "return x + float(np.random.rand())",
        r"two answers: forward\(\) draws random numbers",
    ),
    "a state": (
        "self.norm.num_batches_tracked += 1\nreturn x + self.norm.num_batches_tracked",
        r"forward\(\) changes norm.num_batches_tracked, so that",
    ),
    "NaN": ("return (x - 100).sqrt()", "output 0 has NaN or infinite values on an example"),
    "a layer that makes infinities": (
        "self.linear.bias.fill_(float('inf'))\nreturn self.linear(x)",
        "first in layer linear; JSON carries neither",
    ),
    "a branch on another row's value": (
        "return x * 2 if x[0, 0] > 0 else x - 3",
        "when the row is alone; .*torch.where in place of a branch on values",
    ),
    "a loop over the batch": (
        "y = x\nfor _ in range(x.shape[0]):\n    y = y + 1\nreturn y - x.shape[0] + 1",
        "tracing records one path",
    ),
    "a fixed batch": ("return x.reshape(int(x.shape[0]), 4)", "tracing records one path"),
    "an error": (
        "return x.nope",
        r"forward\(float32 \[6, 4\]\): AttributeError.*mine.py, line \d+",
    ),
}


@pytest.mark.parametrize("case", NETWORKS)
@pytest.mark.filterwarnings("ignore")
def test_a_network_is_refused(
    case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    body, message = NETWORKS[case]
    assert re.search(message, refusal(tmp_path, forward(body), capsys))


EXAMPLES = {
    "lambda: []": "examples: found none; allowed: a list of batches",
    "lambda: torch.ones(4, 4)": "examples: found a Tensor; allowed: a list of batches",
    "lambda: [torch.ones(4, 4)]": r"batch 0 is a Tensor; .*\(x,\) for one",
    "lambda: [(1.5,)]": "batch 0, input 0 is a float; allowed: a tensor, a numpy array or",
    "lambda: [(torch.ones(1, 4),)]": "batch 0 has 1 rows; allowed: two or more",
    "lambda: [(torch.ones(3, 4), torch.ones(2, 4))]": "batch 0 has 3 and 2 rows; allowed: two",
    "lambda: [(torch.ones(2, 4),), (torch.ones(2, 4, dtype=torch.long),)]": (
        "batch 1, input 0 is int64 .*, in batch 0 float32"
    ),
    "lambda: [(torch.ones(2, 4),), (torch.ones(2, 4),) * 2]": "batch 1 has 2 inputs, batch 0 1",
    "lambda: [(torch.ones(2, 4).bfloat16(),)]": "input 0 has dtype torch.bfloat16; allowed: bool",
    "lambda: [(np.ones((2, 4), np.complex64),)]": "input 0 has dtype complex64; allowed: bool",
    "lambda: [(torch.full((2, 4), float('nan')),)]": "batch 0, input 0 has NaN",
    "lambda: [(torch.ones(2, 4),) * 2]": r"forward\(float32 \[2, 4\], float32 .*takes 2 pos",
    "lambda: [(torch.ones(2, 5),)]": "mat1 and mat2 shapes cannot be multiplied",
    "lambda: [(['a', 'b'],)]": r"forward\(object \[2\]\): TypeError",
    "lambda: [(np.array(['a', 1], object),)]": "input 0 holds a int; allowed: str",
    "lambda: Pictures([b'', b''])": "Pictures, and no image block; add image=ImageInput",
    "lambda: [(torch.ones(2, 4, dtype=torch.uint16),)]": (
        "INPUT__0 has dtype uint16, UINT16; allowed in torchscript: BOOL, .*convert it"
    ),
    "lambda: 1 / 0": r"examples\(\): ZeroDivisionError: .* line \d+\)",
}


@pytest.mark.parametrize("examples", EXAMPLES)
@pytest.mark.filterwarnings("ignore")
def test_examples_are_refused(
    examples: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    body = (
        "return self.linear(x.float() if hasattr(x, 'dtype') and x.dtype != torch.float32 else x)"
    )
    text = forward(body).replace("batches((6, 4))", examples)
    assert re.search(EXAMPLES[examples], refusal(tmp_path, text, capsys))


IMAGE = "image=ImageInput(width=8, height=8, mean=(0, 0, 0), std=(1, 1, 1))"
DEFINITIONS = {
    "twelve outputs, ten labels": (
        forward("return x.repeat(1, 3)", "labels='0123456789'"),
        r"OUTPUT__0 FP32 \[12\]: 10 labels; allowed: one for each place",
    ),
    "labels of an output that isn't there": (
        forward("return x", "labels={1: 'abcd'}"),
        "labels: output 1; allowed: 0 to 0",
    ),
    "tensors for an image model": (
        forward("return x", IMAGE),
        "examples: found a list; allowed with an image block: Pictures",
    ),
    "a picture that isn't one": (
        forward("return x", IMAGE).replace("batches((6, 4))", "lambda: Pictures([b'x', b'y'])"),
        "picture 0: cannot identify image file .*; allowed: the bytes of a PNG or JPEG",
    ),
    "pictures with too few labels": (
        forward("return x", IMAGE).replace(
            "batches((6, 4))", "lambda: Pictures([b'x', b'y'], ['a'])"
        ),
        "examples: 1 labels of 2 pictures",
    ),
    "no dimension without a batch": (
        forward("return x.sum()", "batching=False"),
        r"OUTPUT__0 has no dimension; .*reshape\(1\)",
    ),
    "a sample that is too large": (
        forward("return x.repeat(1, 60_000)"),
        r"samples: the smallest takes 1,\d+,\d+ bytes of release.json; allowed: 8\d+,\d+",
    ),
    "a format that there isn't": (
        forward("return x", "format='tflite'"),
        "format 'tflite'; allowed: torchscript, onnx, aoti",
    ),
    "no definition": ("x = 1", r"mine.py: `definition` is missing; allowed: definition = Def"),
    "another definition": ("definition = {}", "`definition` is a dict; allowed: definition = Def"),
    "an unknown field": (
        "definition = Definition(network=nn.Linear, example=1)",
        r"can't be imported: TypeError: .*'example' \(in .*mine.py, line \d+\)",
    ),
    "a module that isn't there": ("import nope", r"No module named 'nope' \(in .*, line \d+\)"),
    "a syntax error": ("def", r"can't be imported: SyntaxError: .*\(in .*mine.py, line \d+\)"),
    "a network in place of its class": (
        "definition = Definition(network=nn.Linear(4, 2), examples=batches((2, 4)))",
        "mine.py: network is a Linear; allowed: a function that makes it, or its class",
    ),
    "examples in place of a function": (
        "definition = Definition(network=nn.Linear, examples=[])",
        "mine.py: examples is a list; allowed: a function that returns them",
    ),
    "a number of labels": (forward("return x", "labels=4"), "labels is a int; allowed: a list of"),
    "parameters without a handler": (
        forward("return x", "parameters={'a': 1}"),
        "parameters: allowed: with a handler only, handler/handler.py in",
    ),
    "no network": (
        "definition = Definition(network=lambda: 3, examples=batches((2, 4)))",
        r"network\(\) made a int; allowed: a torch.nn.Module",
    ),
    "an error in network()": (
        "definition = Definition(network=lambda: 1 / 0, examples=batches((2, 4)))",
        r"network\(\): ZeroDivisionError: division by zero \(in .*mine.py, line \d+\)",
    ),
    "no weights": (
        forward("return x", "train=print"),
        r"mine.safetensors: no weights; run: python -m model train mine --definitions ",
    ),
}


@pytest.mark.parametrize("case", DEFINITIONS)
def test_a_definition_is_refused(
    case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text, message = DEFINITIONS[case]
    assert re.search(message, refusal(tmp_path, text, capsys))


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
def test_a_branch_that_tracing_lost_is_named_with_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = forward("return x * 2 if x.min() > 50 else x - 3")
    text = text.replace("batches((6, 4))", "lambda: [(torch.randn(6, 4) + at,) for at in (0, 100)]")
    line = 1 + text.splitlines().index("        return x * 2 if x.min() > 50 else x - 3")
    line += HEADER.count("\n")
    assert re.search(
        r"torchscript and the network differ on inputs \[1, 4\]: output 0 differs by \d+; tracing "
        rf".*\(here: mine.py line {line}\); or let network\(\) return torch.jit.script",
        refusal(tmp_path, text, capsys),
    )


def test_a_scripted_network_keeps_its_branches(tmp_path: Path) -> None:
    text = forward("if bool(x.min() > 50):\n    return x * 2\nreturn x - 3")
    text = text.replace("network=Network", "network=lambda: torch.jit.script(Network())")
    text = text.replace("batches((6, 4))", "lambda: [(torch.randn(6, 4) + at,) for at in (0, 100)]")
    write(tmp_path, "mine.py", text)
    assert run(tmp_path, "build", "mine") == 0
