"""BentoML: its pages "Create online API Services" and "Adaptive batching".

bentoml serve measure.bench.serving.peers.bentoml_service:Classifier --port 8080
"""

from typing import Any

import bentoml
from pydantic import BaseModel

from measure.bench.serving.peers.network import infer, load_network
from measure.bench.serving.peers.pictures import Pictures


class Encoded(BaseModel):
    b64: str


class Instance(BaseModel):
    image_bytes: Encoded


@bentoml.service
class Classifier:
    def __init__(self) -> None:
        self.pictures, self.network = Pictures(), load_network()

    @bentoml.api(batchable=True, max_batch_size=64)
    def predict(self, instances: list[Instance]) -> list[dict[str, Any]]:
        rows = self.pictures.decode([each.image_bytes.b64 for each in instances])
        return self.pictures.predictions(infer(self.network, rows))
