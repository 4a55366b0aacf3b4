"""Releases of programs that were exported elsewhere: by torch.jit.save, torch.export.save, to ONNX.

A file of TorchScript or torch.export is code, and is run here. A file of torch.save is refused.
"""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

# Before torch, which reads its settings when it is imported.
from model.reproducible import reproducible  # isort: skip

import numpy as np
import onnx
import torch

from model import build, formats, signature
from model import examples as reading
from model.formats import Exported, aoti, torchscript
from model.formats import onnx as runtime
from model.formats.exporting import quiet, reason
from model.weights import Metadata
from release.schema import DTYPES, ReleaseError, digest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from onnxruntime import InferenceSession

    from model.built import Built
    from model.examples import Examples
    from model.formats import Program
    from release.schema import Format, Tensor

__all__ = ["read"]


@dataclass(frozen=True)
class _Imported:
    """A program, and the names of its inputs and outputs in the file; of outputs there may be none.

    `exported` is the file as the release has it, `session` that of an ONNX file.
    """

    exported: Exported
    program: Program
    inputs: tuple[str, ...]
    outputs: tuple[str, ...] = ()
    session: InferenceSession | None = None


def read(
    name: str,
    format: Format,
    path: Path,
    samples: Sequence[Path],
    labels: Path | None = None,
    *,
    batching: bool = True,
) -> Built:
    """Make the release of a file; `samples` are npz files, a batch of example inputs each.

    The signature is found by running the program on them: dimensions that differ between the
    batches vary. `labels` has those of the first output, one a line. Raises ReleaseError.
    """
    with reproducible():
        imported = _OPEN[format](path)
        imported = replace(imported, program=_checked(imported.program, path))
        examples = _examples(samples, imported.inputs, batching=batching)
        _check_answers(imported.program, examples, path)
        named = labels.read_text().splitlines() if labels else ()
        shape = signature.find(imported.program, examples, format, named)
        if imported.session:
            shape = replace(
                shape,
                inputs=_rename(shape.inputs, imported.inputs),
                outputs=_rename(
                    # Triton's backend refuses other dims than the file's.
                    runtime.declared(imported.session, shape.outputs, batching=batching),
                    imported.outputs,
                ),
            )
        source = {"file": path.name, "sha256": digest(path.read_bytes())}
        built = build.start(name, format, imported.exported, shape, Metadata(provenance=source))
        return build.with_samples(built, examples, shape, imported.program)


def _rename(tensors: tuple[Tensor, ...], names: tuple[str, ...]) -> tuple[Tensor, ...]:
    return tuple(replace(tensor, name=name) for tensor, name in zip(tensors, names, strict=True))


def _torchscript(path: Path) -> _Imported:
    if not any(name.startswith("code/") for name in _archive(path, "torch.jit.save")):
        raise ReleaseError(
            f"{path}: holds pickled Python objects, not a program; allowed: a file of "
            "torch.jit.save; of a file of weights make a definition: python -m model new"
        )
    content = torchscript.canonical(path.read_bytes())
    network = torch.jit.load(io.BytesIO(content), map_location="cpu").eval()
    # The first argument is self.
    arguments = network.forward.schema.arguments[1:]
    program = formats.eager(network)
    return _Imported(Exported(content), program, tuple(each.name for each in arguments))


def _exported_program(path: Path) -> _Imported:
    names = _archive(path, "torch.export.save")
    if not any(name.startswith("models/") for name in names):
        raise ReleaseError(
            f"{path}: no exported program; allowed: a file of torch.export.save, not a package "
            "that was compiled from it: the stack compiles it for its own nodes"
        )
    content = aoti.canonical(path.read_bytes())
    try:
        with quiet():
            loaded = torch.export.load(io.BytesIO(content))
    except Exception as error:
        raise ReleaseError(
            f"{path}: {reason(error)}; allowed: a program of torch {torch.__version__} or older, "
            "exported on the CPU"
        ) from error
    arguments, named = loaded.example_inputs or ((), {})
    if named or not arguments or not all(isinstance(each, torch.Tensor) for each in arguments):
        raise ReleaseError(
            f"{path}: allowed: a program whose example inputs are tensors without names, "
            "torch.export.export(network, (first, second))"
        )
    program = formats.eager(loaded.module())
    return _Imported(Exported(content), program, tuple(loaded.graph_signature.user_inputs))


def _archive(path: Path, writer: str) -> list[str]:
    """Names of the files in an archive of torch, without their common folder."""
    try:
        with zipfile.ZipFile(path) as archive:
            return [name.split("/", 1)[-1] for name in archive.namelist()]
    except (OSError, zipfile.BadZipFile) as error:
        raise ReleaseError(f"{path}: {error}; allowed: a file of {writer}") from error


def _onnx(path: Path) -> _Imported:
    try:
        content = path.read_bytes()
        file = onnx.load_model_from_string(content)
    except Exception as error:
        raise ReleaseError(f"{path}: {reason(error)}; allowed: an ONNX file") from error
    outside = [each.name for each in file.graph.initializer if each.external_data]
    if outside:
        raise ReleaseError(
            f"{path}: {outside[0]} lies in another file; allowed: one file: "
            'onnx.save(onnx.load("with.onnx"), "one.onnx")'
        )
    session = runtime.open_session(content, str(path))
    for each in session.get_outputs():
        if not each.type.startswith("tensor("):
            raise ReleaseError(
                f"{path}: output {each.name} is {each.type}; allowed: a tensor; converters of "
                "scikit-learn's classifiers give one with zipmap=False"
            )
    inputs = tuple(each.name for each in session.get_inputs())
    outputs = tuple(each.name for each in session.get_outputs())
    opset = max(each.version for each in file.opset_import if each.domain in ("", "ai.onnx"))
    exported = Exported(content, int(opset), int(file.ir_version))
    return _Imported(exported, runtime.program(session, inputs, outputs), inputs, outputs, session)


_OPEN: dict[Format, Callable[[Path], _Imported]] = {
    "torchscript": _torchscript,
    "onnx": _onnx,
    "aoti": _exported_program,
}


def _examples(paths: Sequence[Path], names: tuple[str, ...], *, batching: bool) -> Examples:
    return reading.check([_batch(path, names) for path in paths], batching=batching)


def _batch(path: Path, names: tuple[str, ...]) -> tuple[NDArray[Any], ...]:
    """The arrays of an npz file in the order of the inputs."""
    numbered = tuple(f"INPUT__{index}" for index in range(len(names)))
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise ReleaseError(
            f"{path}: {error}; allowed: a file of numpy.savez, texts as arrays of dtype str"
        ) from error
    for order in (names, numbered):
        if arrays.keys() == set(order):
            return tuple(arrays[name] for name in order)
    raise ReleaseError(
        f"{path}: has {', '.join(arrays) or 'nothing'}; allowed: {', '.join(names)}"
        + (f"; or {', '.join(numbered)}" if names != numbered else "")
    )


def _checked(program: Program, path: Path) -> Program:
    """The program, whose errors name the file and the remedy."""

    def run(inputs: Sequence[NDArray[Any]]) -> tuple[NDArray[Any], ...]:
        try:
            found = program(inputs)
        except Exception as error:
            shapes = ", ".join(f"{item.dtype} {list(item.shape)}" for item in inputs)
            raise ReleaseError(
                f"{path}: with {shapes}: {reason(error)}; give samples that the program takes. If "
                "it takes one size of batch only: export it with a batch of any size, or import "
                "it with --no-batching"
            ) from error
        for index, output in enumerate(found):
            if output.dtype.name not in DTYPES.values():
                raise ReleaseError(
                    f"{path}: output {index} has dtype {output.dtype}; allowed: "
                    f"{', '.join(DTYPES.values())}"
                )
        return found

    return run


def _check_answers(program: Program, examples: Examples, path: Path) -> None:
    """Run all sizes of a batch. Raises ReleaseError for NaN, or if two answers differ."""
    for batch in examples.resized():
        found = program(batch)
        for index, (output, again) in enumerate(zip(found, program(batch), strict=True)):
            if output.dtype.kind == "f" and not np.isfinite(output).all():
                raise ReleaseError(
                    f"{path}: output {index} has NaN or infinite values, which JSON can't carry; "
                    "give other samples, or mend the network"
                )
            if not np.array_equal(output, again):
                raise ReleaseError(
                    f"{path}: output {index} differs between two calls with the same inputs; call "
                    "network.eval() before you export it: dropout is still on"
                )
