"""LitServe: its pages "LitAPI" and "Batching".

python -m measure.bench.serving.peers.litserve_api 8080
"""

import sys
from typing import Any

import litserve
import numpy as np

from measure.bench.serving.peers.network import infer, load_network
from measure.bench.serving.peers.pictures import Pictures


class ClassifierAPI(litserve.LitAPI):
    def setup(self, device: str) -> None:
        self.pictures, self.network = Pictures(), load_network()

    def decode_request(self, request: dict[str, Any]) -> Any:
        return self.pictures.decode([each["image_bytes"]["b64"] for each in request["instances"]])

    def batch(self, inputs: list[Any]) -> tuple[Any, list[int]]:
        # Requests of several images each: one array, and where each request begins in it.
        return np.concatenate(inputs), np.cumsum([len(rows) for rows in inputs])[:-1].tolist()

    def predict(self, given: tuple[Any, list[int]]) -> tuple[Any, list[int]]:
        rows, starts = given
        return infer(self.network, rows), starts

    def unbatch(self, output: tuple[Any, list[int]]) -> list[Any]:
        return np.split(*output)

    def encode_response(self, output: Any) -> dict[str, Any]:
        return {"predictions": self.pictures.predictions(output)}


if __name__ == "__main__":
    api = ClassifierAPI(max_batch_size=64)
    litserve.LitServer(api, accelerator="cpu").run(
        port=int(sys.argv[1]), generate_client_file=False
    )
