"""The requests of a load: one for each of a release's samples."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from jobs.protocol import infer_request, predict_request
from jobs.samples import input_tensor

if TYPE_CHECKING:
    from collections.abc import Mapping

    from release.schema import Release

__all__ = ["Target", "sample_targets"]


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


def sample_targets(
    url: str, release: Release, *, batch: int = 1, host: str | None = None
) -> list[Target]:
    """A request for each sample: `batch` images, this sample's first and the next ones after it.

    A URL that ends with `:predict` gets images in V1 JSON, any other one V2 binary tensors.
    `host` replaces the URL's host in the Host header.
    """
    count, made = len(release.samples), []
    for first in range(count):
        samples = [release.samples[(first + more) % count] for more in range(batch)]
        if url.endswith(":predict"):
            body, headers = predict_request(samples)
        else:
            rows = np.concatenate([input_tensor(release, sample) for sample in samples])
            body, headers = infer_request(release.inputs[0], rows)
        made.append(Target(url, headers | ({"Host": host} if host else {}), body))
    return made
