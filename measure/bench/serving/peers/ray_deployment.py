"""Ray Serve: its pages "Getting Started" and "Dynamic Request Batching".

python -m measure.bench.serving.peers.ray_deployment 8080
"""

import sys
import tempfile
from typing import Any

import numpy as np
import ray
from ray import serve
from starlette.requests import Request

from measure.bench.serving.peers.network import infer, load_network
from measure.bench.serving.peers.pictures import Pictures


@serve.deployment(max_ongoing_requests=128)
class Classifier:
    def __init__(self) -> None:
        self.pictures, self.network = Pictures(), load_network()

    @serve.batch(max_batch_size=64, batch_wait_timeout_s=0)
    async def infer(self, inputs: list[Any]) -> list[Any]:
        starts = np.cumsum([len(rows) for rows in inputs])[:-1]
        return np.split(infer(self.network, np.concatenate(inputs)), starts)

    async def __call__(self, request: Request) -> dict[str, Any]:
        instances = (await request.json())["instances"]
        rows = self.pictures.decode([each["image_bytes"]["b64"] for each in instances])
        return {"predictions": self.pictures.predictions(await self.infer(rows))}


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        # A cluster of its own, whatever else runs on this machine. By default its workers have a
        # lower priority than the load generator.
        ray.init("local", _temp_dir=folder, _system_config={"worker_niceness": 0})
        serve.start(http_options={"port": int(sys.argv[1])})
        # mypy doesn't see that the decorator makes a deployment of the class.
        app = Classifier.bind()  # type: ignore[attr-defined]
        serve.run(app, route_prefix="/predict", blocking=True)
