"""From a definition to a release on disk: run, export, compare, write."""

from __future__ import annotations

import tempfile
import warnings
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

# Before torch, which reads its settings when it is imported.
from model.reproducible import reproducible, seed  # isort: skip

import torch

from model import examples as reading
from model import formats, handlers, network, samples, signature
from model.built import Built
from model.compare import compare
from model.discovery import load
from model.errors import author_code
from model.served import as_client, serve
from release import files, tensors
from release.schema import MODEL_FILES, File, Release, ReleaseError, Warmup, digest

if TYPE_CHECKING:
    from model.definition import Definition
    from model.discovery import Found
    from model.examples import Arrays, Examples
    from model.formats import Exported, Program, Signature
    from model.weights import Metadata
    from release.schema import Format, ImageInput

__all__ = ["build", "export", "make", "start", "with_samples", "write"]


def build(found: Found, chosen: Format | None = None) -> Built:
    """Make the release of a definition, in `chosen` or the definition's format.

    Raises ReleaseError, with the remedy, if the definition, the network, its export or its handler
    is invalid.
    """
    with reproducible():
        return make(load(found), found, chosen)


def make(definition: Definition, found: Found, chosen: Format | None) -> Built:
    """As `build`, of a definition that was loaded, in its reproducible mode."""
    folder, format = found.path.parent, chosen or definition.format
    model, metadata = network.make_trained(definition, found)
    seed()
    with author_code("examples()", folder):
        examples = reading.read(definition, model)
    program = network.eager(model, folder)
    network.check(model, program, examples)
    shape = signature.find(program, examples, format, definition.labels)
    print(f"{found.name}: exporting to {format}, and comparing it with the network", flush=True)
    exported, loaded = export(model, program, examples, shape, format, folder)
    built = start(found.name, format, exported, shape, metadata, definition.image)
    if found.handler:
        built = handlers.add(built, found.handler, definition, examples, serve(loaded, shape))
    elif definition.exchanges or definition.parameters:
        raise ReleaseError(
            "exchanges, parameters: allowed: with a handler only, handler/handler.py in the "
            "definition's folder"
        )
    return with_samples(built, examples, shape, program)


def start(
    name: str,
    format: Format,
    exported: Exported,
    shape: Signature,
    metadata: Metadata,
    image: ImageInput | None = None,
) -> Built:
    """A release without samples, warm-up and handler."""
    release = Release(
        name=name,
        format=format,
        model=File(digest(exported.content), len(exported.content)),
        torch=torch.__version__.split("+")[0],
        opset=exported.opset,
        ir=exported.ir,
        batching=shape.batching,
        inputs=shape.inputs,
        outputs=shape.outputs,
        image=image,
        metrics=metadata.metrics,
        held_out=metadata.held_out,
        provenance=metadata.provenance,
        samples=(),
        warmup={},
    )
    return Built(release, {release.model_file: exported.content})


def with_samples(built: Built, examples: Examples, shape: Signature, program: Program) -> Built:
    """The release with its samples, whose answers are the program's, and a warm-up of the first."""
    release, inputs = samples.add(built.release, examples, shape, program)
    warmup, contents = {}, dict(built.files)
    for tensor, array in zip(shape.inputs, inputs, strict=True):
        row = as_client(array, tensor)
        row = row[0] if shape.batching else row
        content = tensors.encode(row, tensor.dtype)
        warmup[tensor.name] = Warmup(digest(content), tuple(map(int, row.shape)))
        contents[f"warmup/{tensor.name}"] = content
    return Built(replace(release, warmup=warmup), contents)


def export(
    model: torch.nn.Module,
    program: Program,
    examples: Examples,
    shape: Signature,
    format: Format,
    folder: Path,
) -> tuple[Exported, Program]:
    """Export, load and compare. Raises ReleaseError if the exported program answers otherwise."""
    module = formats.module(format)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with author_code(f"export to {format}", folder):
            exported = module.export(model, formats.values(examples.parts()[0]), shape)
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / MODEL_FILES[format]
        path.write_bytes(exported.content)
        loaded = module.load(path, shape)
    for batch in examples.resized():
        different = _difference(program, loaded, batch)
        if different:
            shapes = ", ".join(str(list(item.shape)) for item in batch)
            raise ReleaseError(
                f"{format} and the network differ on inputs {shapes}: {different}; "
                f"{_remedy(format, caught, folder)}"
            )
    return exported, loaded


def _difference(program: Program, loaded: Program, batch: Arrays) -> str | None:
    wanted = program(batch)
    try:
        found = loaded(batch)
    except Exception as error:
        return f"{type(error).__name__}: {str(error).strip().splitlines()[-1]}"
    for index, pair in enumerate(zip(wanted, found, strict=True)):
        different = compare(*pair)
        if different:
            return f"output {index} {different}"
    return None


def _remedy(format: Format, caught: list[warnings.WarningMessage], folder: Path) -> str:
    if format != "torchscript":
        return "take another format, and report it to PyTorch"
    lines = [
        f"{Path(each.filename).name} line {each.lineno}"
        for each in caught
        if issubclass(each.category, torch.jit.TracerWarning)
        and Path(each.filename).is_relative_to(folder.resolve())
    ]
    where = f" (here: {', '.join(dict.fromkeys(lines))})" if lines else ""
    return (
        "tracing records one path: no branch, loop or number in forward() may depend on values or "
        f"shapes{where}; or let network() return torch.jit.script(network), which keeps them"
    )


def write(built: Built, out: Path) -> Path:
    """Write the files, release.json last; returns the folder out/NAME, which has no others."""
    folder = out / built.release.name
    for name, content in built.files.items():
        files.write(folder / name, content)
    files.write(folder / files.RELEASE_JSON, built.release.to_json())
    _remove_others(folder, {*built.files, files.RELEASE_JSON})
    return folder


def _remove_others(folder: Path, kept: set[str]) -> None:
    for path in folder.rglob("*"):
        if path.is_file() and path.relative_to(folder).as_posix() not in kept:
            path.unlink()
