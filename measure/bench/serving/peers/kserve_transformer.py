"""The transformer of KServe's example on KServe's SDK, with which ours is compared.

The comparison is fair: the release's own converter replaces torchvision, which is slower, and the
tensor is not logged. Everything else is the SDK's default.

    python -m measure.bench.serving.peers.kserve_transformer --model_name cifar10 \
        --predictor_host 127.0.0.1:8000 --predictor_protocol v2 --http_port 8080 --tensors numbers
"""

import argparse
from typing import Any

from kserve import InferInput, InferRequest, InferResponse, Model, ModelServer, model_server

from measure.bench.serving.peers.pictures import Pictures


class ImageTransformer(Model):
    """`tensors`: "numbers" sends JSON numbers to the predictor over REST, "binary" raw bytes."""

    def __init__(self, name: str, tensors: str) -> None:
        super().__init__(name)
        self.tensors, self.pictures = tensors, Pictures()
        self.ready = True

    def preprocess(
        self, payload: dict[str, Any], headers: dict[str, str] | None = None
    ) -> InferRequest:
        batch = self.pictures.decode([each["image_bytes"]["b64"] for each in payload["instances"]])
        if self.tensors == "numbers":
            wanted = InferInput("INPUT__0", list(batch.shape), "FP32", data=batch)
        else:
            wanted = InferInput("INPUT__0", list(batch.shape), "FP32")
            wanted.set_data_from_numpy(batch, binary_data=True)
        return InferRequest(model_name=self.name, infer_inputs=[wanted])

    def postprocess(
        self,
        result: InferResponse,
        headers: dict[str, str] | None = None,
        response_headers: dict[str, str] | None = None,
    ) -> dict[str, Any]:
        return {"predictions": self.pictures.predictions(result.outputs[0].as_numpy())}


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(parents=[model_server.parser])
    parser.add_argument("--tensors", choices=("numbers", "binary"), default="numbers")
    given, _ = parser.parse_known_args()
    ModelServer().start([ImageTransformer(given.model_name, given.tensors)])


if __name__ == "__main__":
    main()
