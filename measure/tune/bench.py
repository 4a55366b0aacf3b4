"""Where points are measured: something that takes settings and gives an address."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, Self

import numpy as np

from jobs import protocol
from jobs.load.vegeta import Target
from jobs.samples import input_tensor
from jobs.verify.endpoint import predict_body

if TYPE_CHECKING:
    from types import TracebackType

    from infra.config import ModelSettings
    from release.schema import Release

__all__ = ["Address", "Bench", "targets"]


@dataclass(frozen=True)
class Address:
    """What requests are posted to: V1 `:predict` of the transformer, or V2 `infer` of Triton."""

    url: str
    host_header: str | None = None


class Bench(Protocol):
    """A context: on leaving it, everything is as it was before."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None: ...

    def apply(self, settings: ModelSettings) -> Address:
        """Serve with these. Raises BenchError where they can't be served, TuneError otherwise."""


def targets(address: Address, release: Release, batch: int = 1) -> list[Target]:
    """A request for each sample: `batch` images, this one first and the next ones after it."""
    host = {"Host": address.host_header} if address.host_header else {}
    made = []
    for at in range(len(release.samples)):
        samples = [release.samples[(at + more) % len(release.samples)] for more in range(batch)]
        if address.url.endswith(":predict"):
            body, headers = predict_body(samples), {"Content-Type": "application/json"}
        else:
            rows = np.concatenate([input_tensor(release, sample) for sample in samples])
            body, headers = protocol.encode(release.inputs[0], rows)
        made.append(Target(address.url, headers | host, body))
    return made
