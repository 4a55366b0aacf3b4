"""The transformer of KServe's example on KServe's SDK, with which ours is compared.

The comparison is fair: numpy replaces torchvision, which is slower, the tensor is not logged, and
images of any size are resized. Everything else is the SDK's default.

    python sdk_transformer.py --model_name digits --predictor_host 127.0.0.1:8000 \
        --predictor_protocol v2 --http_port 8080 --tensors numbers
"""

from __future__ import annotations

import argparse
import base64
import io
from typing import Any

import numpy as np
from kserve import InferInput, InferRequest, InferResponse, Model, ModelServer, model_server
from PIL import Image

SIZE = (32, 32)
MEAN = STD = np.float32(0.5)


def image_transform(instance: dict[str, Any]) -> Any:
    """Image bytes in base64 to a normalised [3, height, width]."""
    image = Image.open(io.BytesIO(base64.b64decode(instance["image_bytes"]["b64"]))).convert("RGB")
    if image.size != SIZE:
        image = image.resize(SIZE, Image.Resampling.BILINEAR)
    scaled = np.asarray(image, dtype=np.float32) / np.float32(255)
    return ((scaled - MEAN) / STD).transpose(2, 0, 1)


# mypy doesn't see the SDK's types.
class ImageTransformer(Model):  # type: ignore[misc]
    """`tensors`: "numbers" sends JSON numbers to the predictor over REST, "binary" raw bytes."""

    def __init__(self, name: str, tensors: str) -> None:
        super().__init__(name)
        self.tensors = tensors
        self.ready = True

    def preprocess(
        self, payload: dict[str, Any], headers: dict[str, str] | None = None
    ) -> InferRequest:
        batch = np.stack([image_transform(instance) for instance in payload["instances"]])
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
        return {"predictions": result.outputs[0].as_numpy().tolist()}


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(parents=[model_server.parser])
    parser.add_argument("--tensors", choices=("numbers", "binary"), default="numbers")
    given, _ = parser.parse_known_args()
    ModelServer().start([ImageTransformer(given.model_name, given.tensors)])


if __name__ == "__main__":
    main()
