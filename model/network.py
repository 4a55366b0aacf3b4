"""The eager network: made with its weights, run on the examples, checked before its export."""

from __future__ import annotations

import re
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from model import formats, weights
from model.errors import author_code
from model.examples import NUMBERS, V2_TYPES
from model.formats import values
from release.schema import ReleaseError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from model.definition import Definition
    from model.discovery import Found
    from model.examples import Arrays, Examples
    from model.formats import Program

__all__ = ["check", "eager", "make", "make_trained"]

# Calls in the code of a traced network that draw random numbers.
_RANDOM = re.compile(
    r"torch\.(?:\w*dropout_?\(.*, True\)"
    r"|(?:rand|bernoulli|normal|multinomial|poisson|rrelu)\w*\(.*\))"
)


def make(definition: Definition, found: Found) -> torch.nn.Module:
    """Call `network`. Raises ReleaseError if that fails, or if it makes anything but a network."""
    if isinstance(definition.network, torch.nn.Module):
        raise ReleaseError(
            f"{found.source}: network is a {type(definition.network).__name__}; allowed: a "
            "function that makes it, or its class"
        )
    with author_code("network()", found.path.parent):
        network = definition.network()
    if type(network).__name__ == "OptimizedModule":
        raise ReleaseError(
            "network() is compiled; leave torch.compile out: the release is exported"
        )
    if not isinstance(network, torch.nn.Module):
        raise ReleaseError(f"network() made a {type(network).__name__}; allowed: a torch.nn.Module")
    return network


def make_trained(definition: Definition, found: Found) -> tuple[torch.nn.Module, weights.Metadata]:
    """The network with its weights, in evaluation mode, on the CPU. Raises ReleaseError."""
    if definition.train is not None and not found.weights.exists():
        raise ReleaseError(f"{found.weights}: no weights; run: {found.command('train')}")
    network = make(definition, found).to("cpu")
    metadata = weights.Metadata()
    if found.weights.exists():
        metadata = weights.load(network, found.weights)
    network.eval()
    return network, metadata


def eager(network: torch.nn.Module, folder: Path) -> Program:
    """The network as a program, whose ReleaseErrors name the wrong output or the author's line."""

    def forward(*arguments: Any) -> Any:
        found = network(*arguments)
        _check_outputs(found)
        return found

    run = formats.eager(forward)

    def program(inputs: Sequence[NDArray[Any]]) -> Arrays:
        shapes = ", ".join(f"{item.dtype} {list(item.shape)}" for item in inputs)
        with author_code(f"forward({shapes})", folder):
            return run(inputs)

    return program


def _check_outputs(found: Any) -> None:
    if isinstance(found, dict):
        raise ReleaseError(
            f"forward() returns a dict with {', '.join(map(str, found))}; allowed: a tensor, or a "
            "tuple of tensors: return tuple(outputs.values())"
        )
    if isinstance(found, list) and not all(isinstance(item, str) for item in found):
        raise ReleaseError(
            "forward() returns a list, which Triton's backend refuses; allowed: a tensor, or a "
            "tuple of tensors: return tuple(outputs)"
        )
    if isinstance(found, tuple) and type(found) is not tuple:
        raise ReleaseError(
            f"forward() returns a {type(found).__name__}, a named tuple, which not every format "
            "carries; allowed: a tensor, or a tuple of tensors: return tuple(outputs)"
        )
    for index, item in enumerate(found if isinstance(found, tuple) else (found,)):
        if isinstance(item, torch.Tensor):
            if str(item.dtype).removeprefix("torch.") not in V2_TYPES:
                raise ReleaseError(
                    f"output {index} has dtype {item.dtype}; allowed: {NUMBERS}; "
                    "convert it at the end of forward(), as with .float()"
                )
        elif not isinstance(item, list) or not all(isinstance(text, str) for text in item):
            raise ReleaseError(
                f"forward() returns a {type(item).__name__} as output {index}; allowed: a tensor; "
                "leave it out, or make a tensor of it"
            )


def check(network: torch.nn.Module, program: Program, examples: Examples) -> None:
    """Raises ReleaseError for what would be wrong once served, with the remedy that fits."""
    parts = examples.parts()
    batch = parts[0]
    first = program(batch)
    training = [name or "the network" for name, each in network.named_modules() if each.training]
    if training:
        raise ReleaseError(
            f"forward() puts {training[0]} into training mode; leave train() and .training out of "
            "forward(): the build calls eval()"
        )
    for each in parts:
        for index, output in enumerate(first if each is batch else program(each)):
            if output.dtype.kind == "f" and not np.isfinite(output).all():
                raise ReleaseError(
                    f"output {index} has NaN or infinite values on an example"
                    f"{_first_not_finite(network, each)}; JSON carries neither: mend the network, "
                    "or put torch.nan_to_num at the end of forward()"
                )
    again = program(batch)
    if not all(map(np.array_equal, first, again)):
        raise ReleaseError(_why_random(network, batch))


def _first_not_finite(network: torch.nn.Module, batch: Arrays) -> str:
    """The first layer that makes NaN or infinite values of finite ones."""
    found: list[str] = []

    def finite(item: Any) -> bool:
        if isinstance(item, (tuple, list)):
            return all(map(finite, item))
        return not isinstance(item, torch.Tensor) or bool(torch.isfinite(item).all())

    def hook(name: str) -> Any:
        def note(_: torch.nn.Module, inputs: Any, output: Any) -> None:
            if finite(inputs) and not finite(output):
                found.append(name)

        return note

    handles = [
        each.register_forward_hook(hook(name)) for name, each in network.named_modules() if name
    ]
    try:
        with torch.no_grad():
            network(*values(batch))
    finally:
        for handle in handles:
            handle.remove()
    return f", first in layer {found[0]}" if found else ""


def _why_random(network: torch.nn.Module, batch: Arrays) -> str:
    """Why two calls give two answers."""
    before = {key: value.clone() for key, value in network.state_dict().items()}
    arguments = values(batch)
    with torch.no_grad():
        network(*arguments)
    for key, value in network.state_dict().items():
        if not torch.equal(before[key], value):
            return (
                f"forward() changes {key}, so that it answers otherwise the next time; a served "
                "network keeps nothing between calls"
            )
    call = _random_call(network, arguments)
    where = f"calls {call}" if call else "draws random numbers"
    return (
        f"two calls with the same inputs give two answers: forward() {where}; switch it off in "
        "evaluation mode: functional.dropout needs training=self.training"
    )


def _random_call(network: torch.nn.Module, arguments: Any) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            traced = torch.jit.trace(network, arguments, check_trace=False)
        except Exception:
            return ""
    for name, each in traced.named_modules():
        match = _RANDOM.search(getattr(each, "code", None) or "")
        if match:
            return match[0] + (f" in layer {name}" if name else "")
    return ""
