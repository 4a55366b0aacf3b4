"""What Triton's backends on its Python backend have in common; `launch.py` copies it beside each.

They replace the compiled backends where those can't be installed: same files, same config.pbtxt,
same rules for names, same texts of errors. Triton's core does the rest for both: it checks a
request against the config, batches, and applies `reshape` to inputs and outputs.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import triton_python_backend_utils as pb_utils

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Backend", "Tensor", "refuse"]


@dataclass(frozen=True)
class Tensor:
    """An input or output of config.pbtxt; `dims` without the batch, after its `reshape`."""

    name: str
    type: str
    dims: tuple[int, ...]

    @classmethod
    def of(cls, entry: dict[str, Any]) -> Tensor:
        dims = entry["reshape"]["shape"] if "reshape" in entry else entry["dims"]
        return cls(entry["name"], entry["data_type"], tuple(map(int, dims)))


def refuse(message: str) -> Exception:
    """An error that keeps the model from loading."""
    error: Exception = pb_utils.TritonModelException(message)
    return error


class Backend:
    """An instance of the instance group: a process with its own model.

    A backend defines `filename`, `load` and `run`.
    """

    filename: str

    def initialize(self, args: dict[str, str]) -> None:
        """Read the config and load the model. Raises TritonModelException if they differ."""
        self.config = json.loads(args["model_config"])
        self.name, self.instance = args["model_name"], args["model_instance_name"]
        self.batching = self.config["max_batch_size"] > 0
        self.inputs = [Tensor.of(entry) for entry in self.config["input"]]
        self.outputs = [Tensor.of(entry) for entry in self.config["output"]]
        file = self.config["default_model_filename"] or self.filename
        path = Path(args["model_repository"], args["model_version"], file)
        if not path.exists():
            raise refuse(f"unable to find '{path}' for model instance '{self.instance}'")
        self.load(path)

    def load(self, path: Path) -> None:
        """Load the model's file, and compare it with the config."""
        raise NotImplementedError

    def run(self, inputs: list[NDArray[Any]]) -> list[NDArray[Any]]:
        """From arrays in the order of `inputs` to arrays in the order of `outputs`; whole batches.

        Texts are arrays of bytes. Raises any exception, whose text is the answer.
        """
        raise NotImplementedError

    def parameter(self, key: str, default: str = "") -> str:
        """A value of config.pbtxt's `parameters`."""
        value: str = self.config["parameters"].get(key, {}).get("string_value", default)
        return value

    def execute(self, requests: list[Any]) -> list[Any]:
        """Answer requests in their order; with batching all in one run."""
        groups = [requests] if self.batching else [[request] for request in requests]
        return [response for group in groups for response in self._answer(group)]

    def _answer(self, requests: list[Any]) -> list[Any]:
        try:
            rows = [self._arrays(request) for request in requests]
            columns = zip(*rows, strict=True)
            inputs = [np.concatenate(x) if len(x) > 1 else x[0] for x in columns]
            outputs = self.run(inputs)
            self._check_rows(len(inputs[0]), outputs)
            if len(requests) == 1:
                return [self._response(outputs)]
            ends = np.cumsum([len(row[0]) for row in rows])[:-1]
            parts = [np.split(output, ends) for output in outputs]
            return [self._response(part) for part in zip(*parts, strict=True)]
        except Exception as error:  # Triton answers with the error and continues to serve.
            failed = pb_utils.InferenceResponse(error=pb_utils.TritonError(str(error)))
            return [failed] * len(requests)

    def _arrays(self, request: Any) -> list[NDArray[Any]]:
        return [
            pb_utils.get_input_tensor_by_name(request, tensor.name).as_numpy()
            for tensor in self.inputs
        ]

    def _check_rows(self, rows: int, outputs: list[NDArray[Any]]) -> None:
        """The compiled backends read beyond the end of an output that has too few rows."""
        for tensor, array in zip(self.outputs, outputs, strict=True):
            if self.batching and len(array) != rows:
                raise ValueError(
                    f"output '{tensor.name}' has shape {list(array.shape)}, not one row for each "
                    f"of {rows} rows of input"
                )

    def _response(self, outputs: Any) -> Any:
        pairs = zip(self.outputs, outputs, strict=True)
        tensors = [pb_utils.Tensor(tensor.name, array) for tensor, array in pairs]
        return pb_utils.InferenceResponse(output_tensors=tensors)
