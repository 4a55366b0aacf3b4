"""Triton's own gRPC client and a sample as V2 JSON, in the environment that has both.

`.venv-model/bin/python -m tests.local.stack.knative.client RELEASE json`, or
`… RELEASE grpc GATEWAY HOST`, prints the request, or the answer's outputs by name.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tritonclient.grpc as triton

from jobs.samples import read_release, sample_inputs

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from release.schema import Release


def main(path: str, kind: str, *place: str) -> None:
    release = read_release(Path(path))
    values = sample_inputs(release, release.samples[0])
    found = as_json(release, values) if kind == "json" else by_grpc(release, values, *place)
    print(json.dumps(found))


def as_json(release: Release, values: list[NDArray[Any]]) -> dict[str, Any]:
    """The body of V2's `infer`, numbers as JSON has them."""
    pairs = zip(release.inputs, values, strict=True)
    return {
        "inputs": [
            {
                "name": tensor.name,
                "shape": list(array.shape),
                "datatype": tensor.dtype,
                "data": array.ravel().tolist(),
            }
            for tensor, array in pairs
        ]
    }


def by_grpc(
    release: Release, values: list[NDArray[Any]], gateway: str, host: str
) -> dict[str, Any]:
    """Outputs by name, from a model that the gateway tells from others by the authority."""
    inputs = []
    for tensor, array in zip(release.inputs, values, strict=True):
        inputs.append(triton.InferInput(tensor.name, array.shape, tensor.dtype))
        inputs[-1].set_data_from_numpy(array)
    authority = [("grpc.default_authority", host)]
    with triton.InferenceServerClient(gateway, channel_args=authority) as client:
        answer = client.infer(release.name, inputs, client_timeout=30)
    return {each.name: answer.as_numpy(each.name).ravel().tolist() for each in release.outputs}


if __name__ == "__main__":
    main(*sys.argv[1:])
