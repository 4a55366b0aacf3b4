"""The handler of a definition: its files, and the predictions of its exchanges."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from model.built import Built
from model.compare import compare_json
from model.errors import author_code
from model.served import as_client
from release import handler as handlers
from release import tensors
from release.schema import HANDLER_PY, Exchange, File, Handler, ReleaseError, digest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from model.definition import Definition
    from model.examples import Examples
    from model.served import Served
    from release.schema import Release

__all__ = ["add", "compare_exchanges", "read"]


def read(folder: Path) -> dict[str, bytes]:
    """Path below the folder -> content, of every file but Python's caches and hidden ones."""
    found = {}
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if path.is_file() and not any(part[0] == "." or part == "__pycache__" for part in parts):
            found["/".join(parts)] = path.read_bytes()
    if HANDLER_PY not in found:
        raise ReleaseError(f"{folder}: no {HANDLER_PY}; allowed: one, with preprocess, postprocess")
    return found


def add(
    built: Built, folder: Path, definition: Definition, examples: Examples, served: Served
) -> Built:
    """The release with the handler and its exchanges, which are run. Raises ReleaseError.

    Without own exchanges the first example is sent, if the built-in preprocessing takes it.
    """
    contents = read(folder)
    files = {path: File(digest(content), len(content)) for path, content in contents.items()}
    parameters = _json(dict(definition.parameters), "parameters")
    release = replace(built.release, handler=Handler(files, parameters))
    with author_code("handler", folder):
        loaded = handlers.load(folder, release, parameters)
    handler = Handler(files, parameters, loaded.own_preprocess, loaded.own_postprocess)
    requests = _requests(definition.exchanges)
    if not requests and loaded.own_preprocess:
        raise ReleaseError(
            "exchanges: none; allowed with preprocess in the handler: one or more, "
            "exchanges=[[instance, …], …], each the instances of a request as clients send them"
        )
    exchanges = []
    for number, instances in enumerate(requests or [[_instance(release, examples)]]):
        found = _predictions(loaded, instances, served, folder, f"exchanges[{number}]")
        exchanges.append(Exchange(tuple(instances), tuple(found)))
    release = replace(release, handler=handler, exchanges=tuple(exchanges))
    return Built(
        release,
        built.files | {f"handler/{path}": content for path, content in contents.items()},
    )


def _requests(exchanges: Sequence[Any]) -> list[list[Any]]:
    for number, instances in enumerate(exchanges):
        if not isinstance(instances, (list, tuple)) or not instances:
            raise ReleaseError(
                f"exchanges[{number}]: found {instances!r:.60}; allowed: a list of instances"
            )
    found: list[list[Any]] = _json([list(instances) for instances in exchanges], "exchanges")
    return found


def _instance(release: Release, examples: Examples) -> Any:
    """The first example as a built-in V1 instance."""
    if examples.pictures:
        return {"image_bytes": {"b64": base64.b64encode(examples.pictures.files[0]).decode()}}
    row = zip(release.inputs, examples.rows()[0], strict=True)
    return {tensor.name: _nested(as_client(array, tensor), release) for tensor, array in row}


def _nested(array: NDArray[Any], release: Release) -> Any:
    texts = np.vectorize(bytes.decode, [object])(array) if array.dtype == object else array
    return tensors.plain(texts[0] if release.batching else texts)


def compare_exchanges(release: Release, folder: Path, served: Served) -> None:
    """Run the exchanges again; raises ReleaseError where a prediction differs."""
    if release.handler is None:
        return
    with author_code("handler", folder):
        loaded = handlers.load(folder, release, release.handler.parameters)
    for number, exchange in enumerate(release.exchanges):
        where = f"exchanges[{number}]"
        found = _predictions(loaded, exchange.instances, served, folder, where)
        different = compare_json(exchange.predictions, found, f"{where}: predictions")
        if different:
            raise ReleaseError(f"{different}, the release's")


def _predictions(
    loaded: handlers.Handler, instances: Sequence[Any], served: Served, folder: Path, where: str
) -> Any:
    with author_code(where, folder):
        inputs = loaded.preprocess(instances)
    outputs = served(inputs)
    with author_code(where, folder):
        return loaded.postprocess(outputs, instances)


def _json(value: Any, what: str) -> Any:
    """The value as it comes back from JSON. Raises ReleaseError if JSON can't hold it."""
    try:
        return json.loads(json.dumps(value, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise ReleaseError(f"{what}: {error}; allowed: what JSON holds") from error
