"""`python -m measure.accuracy MODEL... [--data FOLDER]`: labelled pictures through endpoints.

Every picture of `FOLDER/LABEL/`, or of the definition's examples without --data, is sent to the
transformer in V1 requests and in V2 requests with binary data, and to Triton as a tensor. Each
prediction is compared with that of the network in PyTorch. The exit status is 1 if one differs.
"""

from __future__ import annotations

import argparse
import base64
import io
import json
import sys
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np
import tritonclient.grpc
import tritonclient.http
from PIL import Image

from model import discovery, network
from model.definition import Pictures
from release.images import Converter
from release.schema import ReleaseError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from release.schema import ImageInput

    # Pictures as files, and the same as an input of the network -> the indices of their classes.
    Ask = Callable[[Sequence[bytes], NDArray[Any]], NDArray[Any]]

ROOT = Path(__file__).parents[1]
# Triton's largest batch unless a stack sets another one.
AT_ONCE = 32


def main(argv: list[str] | None = None) -> int:
    """Exit status: 0, or 1 if a prediction differs or after a line with the error."""
    parser = argparse.ArgumentParser(prog="python -m measure.accuracy", description=__doc__)
    parser.add_argument("models", metavar="MODEL", nargs="+", help="a deployed image classifier")
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="with LABEL/PICTURE")
    parser.add_argument("--definitions", type=Path, default=discovery.DEFINITIONS)
    endpoints = ROOT / ".local" / "endpoints.json"
    parser.add_argument("--endpoints", type=Path, default=endpoints, help="default: %(default)s")
    arguments = parser.parse_args(argv)
    different = 0
    for model in arguments.models:
        try:
            different += measure(model, arguments)
        except (ReleaseError, OSError) as error:
            print(f"{model}: {error}", file=sys.stderr)
            return 1
    return int(different > 0)


def measure(model: str, arguments: argparse.Namespace) -> int:
    """Send all pictures each way, print a line for each, and count the predictions that differ.

    Raises ReleaseError, OSError.
    """
    print(model, flush=True)
    found = discovery.find(model, arguments.definitions)
    definition = discovery.load(found)
    names = definition.labels
    if definition.image is None or not names or isinstance(names, Mapping):
        raise ReleaseError("allowed: a model with an image block and labels")
    labelled = read(arguments.data, names) if arguments.data else definition.examples()
    assert isinstance(labelled, Pictures)
    pictures = labelled.files
    labels = np.array([names.index(label) for label in labelled.labels])
    tensors = convert(pictures, definition.image)
    program = network.eager(network.make_trained(definition, found)[0], found.path.parent)

    def eager(_: Sequence[bytes], inputs: NDArray[Any]) -> NDArray[Any]:
        scores: NDArray[Any] = program([inputs])[0].argmax(1)
        return scores

    wanted = predict("PyTorch", eager, pictures, tensors, labels)
    addresses = json.loads(arguments.endpoints.read_text())[model]
    different = 0
    for name, ask in ways(model, addresses):
        predictions = predict(name, ask, pictures, tensors, labels)
        different += int((predictions != wanted).sum())
    print(f"{different} predictions differ from PyTorch's")
    return different


def read(folder: Path, labels: Sequence[str]) -> Pictures:
    """The pictures of `folder/LABEL/`. Raises ReleaseError if there is none."""
    found = [(path, name) for name in labels for path in sorted((folder / name).glob("*"))]
    if not found:
        raise ReleaseError(f"--data {folder}: no pictures; allowed: a folder with {labels[0]}/*, …")
    return Pictures([path.read_bytes() for path, _ in found], [name for _, name in found])


def convert(pictures: Sequence[bytes], how: ImageInput) -> NDArray[np.float32]:
    """Pictures as the network's input, N×3×height×width."""
    converter = Converter(how)
    made = np.empty((len(pictures), 3, how.height, how.width), np.float32)
    for picture, into in zip(pictures, made, strict=True):
        with Image.open(io.BytesIO(picture)) as image:
            converter.convert(image, into)
    return made


def predict(
    name: str,
    ask: Ask,
    pictures: Sequence[bytes],
    tensors: NDArray[Any],
    labels: NDArray[Any],
) -> NDArray[Any]:
    """The predictions for all pictures; prints their accuracy and the time that they took."""
    started = time.monotonic()
    parts = [slice(at, at + AT_ONCE) for at in range(0, len(pictures), AT_ONCE)]
    found = np.concatenate([ask(pictures[part], tensors[part]) for part in parts])
    seconds = time.monotonic() - started
    right = (found == labels).mean()
    print(f"{name:<28} {len(found):,} pictures  accuracy {right:.2%}  {seconds:.1f} s", flush=True)
    return found


def ways(model: str, addresses: dict[str, str | None]) -> Iterator[tuple[str, Ask]]:
    """The ways to ask that the endpoint has, by name."""
    if url := addresses["predict"]:
        yield "transformer, V1", lambda pictures, _: by_v1(url, pictures)
        server = urlsplit(url).netloc
        yield "transformer, V2 binary", by_v2("http", server, model, pictures=True)
    if address := addresses["v2_http"]:
        yield "Triton, V2 binary", by_v2("http", urlsplit(address).netloc, model)
    if address := addresses["v2_grpc"]:
        yield "Triton, V2 gRPC", by_v2("grpc", address, model)


def by_v1(url: str, pictures: Sequence[bytes]) -> NDArray[Any]:
    """Ask for predictions by base64 in JSON."""
    texts = [base64.b64encode(picture).decode() for picture in pictures]
    body = json.dumps({"instances": [{"image_bytes": {"b64": text}} for text in texts]})
    with urllib.request.urlopen(url, body.encode(), timeout=60) as answer:
        return np.array([each["index"] for each in json.load(answer)["predictions"]])


def by_v2(protocol: str, address: str, model: str, *, pictures: bool = False) -> Ask:
    """Ask for the first output by Triton's client, with the pictures' files or with tensors."""
    triton = {"http": tritonclient.http, "grpc": tritonclient.grpc}[protocol]
    client = triton.InferenceServerClient(address)

    def ask(files: Sequence[bytes], tensors: NDArray[Any]) -> NDArray[Any]:
        if pictures:
            values = np.array(files, object)
            wanted = triton.InferInput("image_bytes", [len(files)], "BYTES")
        else:
            values = tensors
            wanted = triton.InferInput("INPUT__0", list(tensors.shape), "FP32")
        wanted.set_data_from_numpy(values)
        scores: NDArray[Any] = client.infer(model, [wanted]).as_numpy("OUTPUT__0")
        return scores.argmax(1)

    return ask


if __name__ == "__main__":
    sys.exit(main())
