"""The pre- and postprocessing of a release: the functions of its handler.py, or the built-in ones.

handler.py has `preprocess(instances)`, `postprocess(outputs, instances)` or both, and may have
`setup(folder, parameters)`, which is called once. The build calls them in its own process, the
transformer in processes of their own.
"""

from __future__ import annotations

import importlib.util
import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from release import instances as builtin
from release import tensors
from release.instances import InstanceError
from release.schema import DTYPES, HANDLER_PY

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path
    from types import ModuleType

    from numpy.typing import NDArray

    from release.schema import Release, Tensor

    Arrays = dict[str, NDArray[Any]]

__all__ = ["Handler", "HandlerError", "InstanceError", "load"]

# Errors of a handler's preprocess that tell of wrong instances; others tell of a wrong handler.
CLIENT_ERRORS = (ValueError, KeyError, TypeError, IndexError)
# Folder of the handler that is on sys.path.
_imported: list[str] = []


class HandlerError(Exception):
    """handler.py failed, or it answered what the release doesn't allow."""


def load(folder: Path | None, release: Release, parameters: Mapping[str, Any]) -> Handler:
    """Import handler.py from a folder and set it up; without a folder all is built in.

    The modules and packages beside handler.py can be imported by it. Raises HandlerError, whose
    cause is the handler's own error.
    """
    if folder is None:
        return Handler(release, None, None)
    module = _import(folder)
    found = [getattr(module, name, None) for name in ("preprocess", "postprocess", "setup")]
    preprocess, postprocess, setup = found
    if not (preprocess or postprocess):
        raise HandlerError(
            f"{folder / HANDLER_PY}: has neither preprocess nor postprocess; "
            "allowed: preprocess(instances), postprocess(outputs, instances) or both"
        )
    if setup:
        try:
            setup(folder, dict(parameters))
        except (Exception, SystemExit) as error:
            raise HandlerError(f"{folder / HANDLER_PY}: setup: {_describe(error)}") from error
    return Handler(release, preprocess, postprocess)


def _import(folder: Path) -> ModuleType:
    # Modules of the handler that was loaded before may have the same names.
    for earlier in _imported:
        sys.path.remove(earlier)
        for name, module in list(sys.modules.items()):
            if (getattr(module, "__file__", None) or "").startswith(f"{earlier}/"):
                del sys.modules[name]
    _imported[:] = [str(folder.resolve())]
    sys.path.insert(0, _imported[0])
    path = folder / HANDLER_PY
    spec = importlib.util.spec_from_file_location("handler", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    # As the import system does, for what looks its module up: dataclasses, pickle.
    sys.modules["handler"] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise HandlerError(f"{path}: {_describe(error)}") from error
    return module


class Handler:
    """`preprocess` and `postprocess` of a release; `own_…` says whether handler.py has it.

    Texts of BYTES tensors are str.
    """

    def __init__(
        self,
        release: Release,
        preprocess: Callable[..., Any] | None,
        postprocess: Callable[..., Any] | None,
    ) -> None:
        self.release = release
        self._preprocess = preprocess
        self._postprocess = postprocess
        self.own_preprocess = preprocess is not None
        self.own_postprocess = postprocess is not None

    def preprocess(self, instances: Sequence[Any]) -> Arrays:
        """The inputs by name, in the release's types, one row for each instance.

        Raises InstanceError for wrong instances, and HandlerError.
        """
        if self._preprocess is None:
            make = builtin.pictures if self.release.image else builtin.arrays
            return make(self.release, instances)
        try:
            made = self._preprocess(list(instances))
        except (Exception, SystemExit) as error:
            index = _first_failing(
                lambda index: self._preprocess([instances[index]]),  # type: ignore[misc]
                len(instances),
            )
            if isinstance(error, CLIENT_ERRORS):
                raise InstanceError(_describe(error), index) from error
            raise _failed("preprocess", index, error) from error
        return self._checked(made, len(instances))

    def _checked(self, made: Any, count: int) -> Arrays:
        names = [tensor.name for tensor in self.release.inputs]
        if not isinstance(made, dict) or made.keys() != set(names):
            found = ", ".join(map(repr, made)) if isinstance(made, dict) else type(made).__name__
            raise HandlerError(
                f"handler: preprocess: found {found or 'no inputs'}; allowed: a dict with "
                f"{', '.join(names)}"
            )
        return {
            tensor.name: _checked(tensor, made[tensor.name], count if self.release.batching else 0)
            for tensor in self.release.inputs
        }

    def postprocess(self, outputs: Mapping[str, NDArray[Any]], instances: Sequence[Any]) -> Any:
        """A prediction for each instance, of JSON's types; NaN and infinities become None.

        Raises HandlerError.
        """
        outputs = {name: _texts(array) for name, array in outputs.items()}
        if self._postprocess is None:
            return tensors.plain(builtin.predictions(self.release, outputs))
        try:
            made = self._postprocess(outputs, list(instances))
        except (Exception, SystemExit) as error:
            index = self._failing_row(outputs, instances)
            raise _failed("postprocess", index, error) from error
        return _predictions(made, len(instances))

    def _failing_row(
        self, outputs: Mapping[str, NDArray[Any]], instances: Sequence[Any]
    ) -> int | None:
        if not self.release.batching:
            return 0 if len(instances) == 1 else None

        def call(index: int) -> None:
            row = {name: array[index : index + 1] for name, array in outputs.items()}
            self._postprocess(row, [instances[index]])  # type: ignore[misc]

        return _first_failing(call, len(instances))


def _checked(tensor: Tensor, found: Any, rows: int) -> NDArray[Any]:
    """An input in its type. Without `rows` the shape is the whole one. Raises HandlerError."""
    where = f"handler: preprocess: {tensor.name}"
    if not isinstance(found, np.ndarray):
        raise HandlerError(f"{where}: found {type(found).__name__}; allowed: a numpy array")
    found = np.asarray(found)
    allowed = [rows, *tensor.dims] if rows else list(tensor.dims)
    shape = list(found.shape)
    if not tensors.has_shape(shape, tensor, batching=rows > 0) or (rows and shape[0] != rows):
        raise HandlerError(f"{where}: found the shape {shape}; allowed: {allowed}")
    if tensor.dtype == "BYTES":
        texts = _texts(found.astype(object) if found.dtype.kind in "US" else found)
        if all(isinstance(each, str) for each in texts.flat):
            return texts
    elif np.can_cast(found.dtype, DTYPES[tensor.dtype], "safe"):
        return found.astype(DTYPES[tensor.dtype], copy=False)
    kind = DTYPES[tensor.dtype]
    remedy = "texts" if kind == "object" else f"{kind}, or what fits into it: .astype(np.{kind})"
    raise HandlerError(f"{where}: found {found.dtype}; allowed: {remedy}")


def _texts(array: NDArray[Any]) -> NDArray[Any]:
    """The same array, with texts in the place of bytes."""
    if array.dtype != object:
        return array
    made = np.empty(array.shape, object)
    for place, each in np.ndenumerate(array):
        made[place] = each.decode(errors="replace") if isinstance(each, bytes) else each
    return made


def _predictions(made: Any, count: int) -> list[Any]:
    """Raises HandlerError."""
    where = "handler: postprocess"
    if not isinstance(made, list | tuple | np.ndarray):
        raise HandlerError(f"{where}: found {type(made).__name__}; allowed: a list of predictions")
    if len(made) != count:
        raise HandlerError(
            f"{where}: found {len(made)} predictions; allowed: {count}, one for each instance"
        )
    predictions = []
    for index, each in enumerate(made):
        try:
            predictions.append(tensors.plain(each))
        except (ValueError, RecursionError) as error:
            raise HandlerError(f"{where}: predictions[{index}]: {error}") from error
    return predictions


def _first_failing(call: Callable[[int], Any], count: int) -> int | None:
    """Index of the first instance that fails by itself; None if none does."""
    if count == 1:
        return 0
    for index in range(count):
        try:
            call(index)
        except (Exception, SystemExit):
            return index
    return None


def _failed(function: str, index: int | None, error: BaseException) -> HandlerError:
    where = "instances" if index is None else f"instances[{index}]"
    return HandlerError(f"{where}: handler: {function}: {_describe(error)}")


def _describe(error: BaseException) -> str:
    """The message of a ValueError; of other errors the type too."""
    if type(error) is ValueError:
        return str(error) or "ValueError"
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
