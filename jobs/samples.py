"""Requests of a release: its samples as tensors, and what clients send by V1."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from itertools import cycle, islice
from typing import TYPE_CHECKING, Any

import numpy as np

from jobs.config import JobError
from jobs.protocols import infer_request, predict_request
from release import files, tensors
from release import instances as builtin
from release.schema import Exchange, ReleaseError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from release.schema import Release, Sample

__all__ = [
    "Target",
    "exchanges",
    "read_release",
    "rows",
    "sample_inputs",
    "sample_targets",
    "stacked",
]


@dataclass(frozen=True)
class Target:
    """A request; a load sends its targets in turn."""

    url: str
    headers: Mapping[str, str]
    body: bytes

    def to_json(self) -> str:
        """One line of vegeta's JSON target format."""
        return json.dumps(
            {
                "method": "POST",
                "url": self.url,
                "header": {name: [value] for name, value in self.headers.items()},
                "body": base64.b64encode(self.body).decode(),
            }
        )


def read_release(path: Path) -> Release:
    """Read a release.json; raises JobError where it is none."""
    try:
        return files.read(path)
    except ReleaseError as error:
        raise JobError(str(error)) from error


def sample_inputs(release: Release, sample: Sample) -> list[NDArray[Any]]:
    """A sample's inputs in the signature's order, a batch of one where the release has batching.

    Raises JobError where the sample can't be read.
    """
    try:
        if release.image:
            return list(builtin.pictures(release, [_instance(release, sample)]).values())
        pairs = zip(sample.inputs, release.inputs, strict=True)
        return [tensors.values(stored, tensor.dtype) for stored, tensor in pairs]
    except ValueError as error:
        number = release.samples.index(sample)
        raise JobError(f"samples[{number}] can't be read: {error}; build it again") from error


def rows(release: Release, count: int) -> list[list[Sample]]:
    """For each sample `count` samples that can be rows of one request: it and the next ones.

    Where dimensions vary, these are the samples of the same shapes. Raises JobError for several
    rows where the release has no batching.
    """
    if count > 1 and not release.batching:
        raise JobError(f"rows a request: found {count}; allowed: 1, for a release without batching")
    return [
        list(islice(cycle(group[at:] + group[:at]), count))
        for group in _groups(release)
        for at in range(len(group))
    ]


def exchanges(release: Release) -> tuple[Exchange, ...]:
    """V1 requests and the predictions that they must get: the handler's, or made of the samples.

    None where the handler has no exchanges, or where samples have numbers that JSON hasn't.
    """
    if release.handler:
        return release.exchanges
    made = []
    for group in _groups(release):
        instances = [_instance(release, sample) for sample in group]
        columns = zip(*(_outputs(release, sample) for sample in group), strict=True)
        pairs = zip(release.outputs, columns, strict=True)
        outputs = {tensor.name: _joined(parts) for tensor, parts in pairs}
        try:
            predict_request(instances)
        except ValueError:
            return ()
        predictions = tensors.plain(builtin.predictions(release, outputs))
        made.append(Exchange(tuple(instances), tuple(predictions)))
    return tuple(made)


def sample_targets(
    url: str, release: Release, *, batch: int = 1, host: str | None = None
) -> list[Target]:
    """Different requests of `batch` rows each, one for each sample or instance to begin with.

    A URL that ends with `:predict` gets V1 JSON, any other one V2 binary tensors. `host` replaces
    the URL's host in the Host header. Raises JobError where V1 can't carry the samples.
    """
    if url.endswith(":predict"):
        bodies = [predict_request(instances) for instances in _instances(release, batch)]
    else:
        bodies = [
            infer_request(release.inputs, stacked(release, samples))
            for samples in rows(release, batch)
        ]
    more = {"Host": host} if host else {}
    return [Target(url, headers | more, body) for body, headers in bodies]


def stacked(release: Release, samples: Sequence[Sample]) -> list[NDArray[Any]]:
    """Samples of the same shapes as one request's inputs."""
    columns = zip(*(sample_inputs(release, sample) for sample in samples), strict=True)
    return list(map(_joined, columns))


def _joined(parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
    return np.concatenate(parts) if len(parts) > 1 else parts[0]


def _groups(release: Release) -> list[list[Sample]]:
    """Samples that can be rows of one request, those of the same shapes."""
    if not release.batching:
        return [[sample] for sample in release.samples]
    groups: dict[tuple[Any, ...], list[Sample]] = {}
    for sample in release.samples:
        shapes = tuple(each.shape for each in (*sample.inputs, *sample.outputs))
        groups.setdefault(shapes, []).append(sample)
    return list(groups.values())


def _outputs(release: Release, sample: Sample) -> list[NDArray[Any]]:
    pairs = zip(sample.outputs, release.outputs, strict=True)
    return [tensors.values(stored, tensor.dtype) for stored, tensor in pairs]


def _instances(release: Release, count: int) -> list[list[Any]]:
    """Instances of different V1 requests, `count` in each."""
    found = exchanges(release)
    if not found:
        raise JobError(
            f"release {release.name} has no V1 requests: found no exchanges; allowed: exchanges in "
            "its definition"
        )
    if not release.batching:
        return [list(each.instances) for each in found]
    if release.handler is None:
        return [[_instance(release, each) for each in group] for group in rows(release, count)]
    pool = [instance for each in found for instance in each.instances]
    return [list(islice(cycle(pool[at:] + pool[:at]), count)) for at in range(len(pool))]


def _instance(release: Release, sample: Sample) -> Any:
    """A sample in the built-in V1 form."""
    if release.image:
        return {"image_bytes": {"b64": sample.image}}
    rows = [values[0] if release.batching else values for values in sample_inputs(release, sample)]
    return {
        tensor.name: tensors.plain(row) if tensor.dtype == "BYTES" else row.tolist()
        for tensor, row in zip(release.inputs, rows, strict=True)
    }
