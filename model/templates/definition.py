"""A model. Write yours in place of this one, which adds up weighted features."""

import torch
from torch import nn

from model.definition import Definition


class Network(nn.Module):
    """Features, float32 [rows, 4] -> scores, float32 [rows, 3]."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """One tensor, or a tuple of tensors. Arguments and results become INPUT__0, OUTPUT__0, ….

        Branches and loops must not depend on values or shapes, since one call is recorded.
        """
        return self.layers(features)


def examples() -> list[tuple[torch.Tensor, ...]]:
    """Batches of inputs: each a tuple with one array for each argument of forward().

    The first dimension is the batch, of two rows or more. The shapes and types of the signature are
    found from them: a dimension that differs between two batches may vary, like a text's length.
    Take real inputs: some become the release's samples, by which each deployment is verified.
    """
    return [(torch.randn(8, 4),)]


definition = Definition(
    # Called without arguments. Its weights are read from NAME.safetensors, beside this file, or
    # from weights.safetensors where the definition is a folder, NAME/__init__.py. Without that file
    # the network is released as it is made here, with random weights.
    network=Network,
    examples=examples,
    # Labels of the last dimension of the first output; {1: [...]} names those of another output.
    labels=("low", "middle", "high"),
    # format="onnx",      # or "aoti"; default: "torchscript"
    # batching=False,     # the network has no batch dimension: each example is a whole call
    # train=train,        # train(network, data) -> Trained(metrics={...}), trains in place;
    #                     # python -m model train NAME --data PATH calls it and writes the weights
    # image=ImageInput(width=224, height=224, mean=(...), std=(...)),
    #                     # clients send pictures; examples() returns Pictures([bytes, ...])
    # A folder has handler/handler.py too, if clients send something else than tensors:
    #   preprocess(instances) -> {"INPUT__0": array}
    #   postprocess(outputs, instances) -> predictions
    # exchanges=[[...]],  # requests for the handler, each the list of its instances
    # parameters={...},   # the handler's: setup(folder, parameters)
)
