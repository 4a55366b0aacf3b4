"""What the transformer needs to know of a release, read from its release.json."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Output", "Release", "ReleaseError", "load"]

SCHEMA = 1
# V2 protocol's name -> numpy's. BF16 is left out: numpy has no such type.
NUMPY_TYPES = {
    "BOOL": "bool",
    "UINT8": "uint8",
    "INT8": "int8",
    "INT16": "int16",
    "INT32": "int32",
    "INT64": "int64",
    "FP16": "float16",
    "FP32": "float32",
    "FP64": "float64",
}


class ReleaseError(Exception):
    """The release can't be served; the message is one line for the person who deploys it."""


@dataclass(frozen=True)
class Output:
    """An output tensor: V2 name of its type, dims without the batch."""

    name: str
    datatype: str
    dims: tuple[int, ...]

    @property
    def numpy(self) -> str:
        """numpy's name of its type."""
        return NUMPY_TYPES[self.datatype]


@dataclass(frozen=True)
class Release:
    """An image classifier: one FP32 input [3, height, width], scores in the first output."""

    name: str
    input_name: str
    width: int
    height: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    outputs: tuple[Output, ...]
    labels: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(self.mean) != 3 or len(self.std) != 3 or min(self.std) <= 0:
            raise ReleaseError("preprocessing: mean and std are three numbers each, std positive")
        unknown = [output.datatype for output in self.outputs if output.datatype not in NUMPY_TYPES]
        if unknown or not self.outputs:
            raise ReleaseError(
                f"outputs of types {unknown}; the transformer serves: {', '.join(NUMPY_TYPES)}"
            )
        scores = self.outputs[0]
        if not self.labels or scores.dims != (len(self.labels),):
            raise ReleaseError(
                f"output {scores.name} has dims {list(scores.dims)}; the transformer serves one "
                f"score for each of the release's {len(self.labels)} labels"
            )

    @property
    def input_dims(self) -> tuple[int, int, int]:
        """Channel, height, width."""
        return (3, self.height, self.width)


def load(path: Path, model: str) -> Release:
    """Read the release of `model`. Raises ReleaseError, also where it is another model's."""
    try:
        raw = json.loads(path.read_bytes())
    except OSError as error:
        raise ReleaseError(f"release {path}: {error.strerror}") from error
    except ValueError as error:
        raise ReleaseError(f"release {path}: not JSON: {error}") from error
    try:
        release = _release(raw)
    except (KeyError, TypeError, ValueError) as error:
        raise ReleaseError(f"release {path}: {type(error).__name__} {error}") from error
    except ReleaseError as error:
        raise ReleaseError(f"release {path}: {error}") from error
    if release.name != model:
        raise ReleaseError(
            f"release {path} is of model {release.name!r}, --model_name is {model!r}"
        )
    return release


def _release(raw: dict[str, Any]) -> Release:
    if raw["schema"] != SCHEMA:
        raise ReleaseError(f"schema {raw['schema']}; this transformer reads {SCHEMA}")
    how = raw["preprocessing"]
    width, height = int(how["width"]), int(how["height"])
    inputs = [(tensor["dtype"], list(tensor["dims"])) for tensor in raw["inputs"]]
    if inputs != [("FP32", [3, height, width])]:
        raise ReleaseError(f"inputs {inputs}; the transformer serves one FP32 [3, height, width]")
    return Release(
        name=str(raw["name"]),
        input_name=str(raw["inputs"][0]["name"]),
        width=width,
        height=height,
        mean=tuple(float(value) for value in how["mean"]),
        std=tuple(float(value) for value in how["std"]),
        outputs=tuple(
            Output(str(item["name"]), str(item["dtype"]), tuple(item["dims"]))
            for item in raw["outputs"]
        ),
        labels=tuple(str(label) for label in raw["labels"]),
    )
