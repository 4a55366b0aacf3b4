"""The documents about the server and its model that do not change while it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from transformer.v2 import PICTURES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from release.schema import Release, Tensor

__all__ = ["documents"]


def documents(release: Release) -> dict[str, Any]:
    """JSON by path: liveness, V1's and V2's metadata."""
    live = {"live": True}
    v2, described = f"/v2/models/{release.name}", _model(release)
    return {
        "/": live,
        "/v2/health/live": live,
        "/v1/models": {"models": [release.name]},
        "/v2": {
            "name": "kserve-triton transformer",
            "version": "1",
            "extensions": ["binary_tensor_data", "classification"],
        },
        v2: described,
        f"{v2}/versions/1": described,
    }


def _model(release: Release) -> dict[str, Any]:
    pictures = {"name": PICTURES, "datatype": "BYTES", "shape": [-1]}
    return {
        "name": release.name,
        "platform": "kserve-triton-transformer",
        "versions": ["1"],
        "inputs": [pictures] if release.image else _tensors(release, release.inputs),
        "outputs": _tensors(release, release.outputs),
    }


def _tensors(release: Release, tensors: Sequence[Tensor]) -> list[dict[str, Any]]:
    batch = [-1] if release.batching else []
    return [
        {"name": each.name, "datatype": each.dtype, "shape": [*batch, *each.dims]}
        for each in tensors
    ]
