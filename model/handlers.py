"""The handler of a definition: its files, and the predictions of its exchanges."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from model.compare import compare_json
from model.errors import author_code
from release import handler as handlers
from release.schema import HANDLER_PY, Exchange, File, Handler, ReleaseError, digest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

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
    release: Release,
    folder: Path,
    contents: Mapping[str, bytes],
    exchanges: Sequence[Sequence[Any]],
    parameters: Mapping[str, Any],
    served: Served,
) -> Release:
    """The release with the handler and its exchanges, which are run. Raises ReleaseError."""
    files = {path: File(digest(content), len(content)) for path, content in contents.items()}
    release = replace(release, handler=Handler(files, _json(dict(parameters), "parameters")))
    with author_code("handler", folder):
        loaded = handlers.load(folder, release, parameters)
    assert release.handler is not None
    handler = replace(
        release.handler, preprocess=loaded.own_preprocess, postprocess=loaded.own_postprocess
    )
    made = tuple(
        Exchange(
            tuple(instances),
            tuple(_predictions(loaded, instances, served, folder, f"exchanges[{number}]")),
        )
        for number, instances in enumerate(_json(list(map(list, exchanges)), "exchanges"))
    )
    if not made:
        raise ReleaseError(
            "exchanges: none; allowed with a handler: one or more, exchanges=[[instance, …], …], "
            "each the instances of a request as clients send them"
        )
    return replace(release, handler=handler, exchanges=made)


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
