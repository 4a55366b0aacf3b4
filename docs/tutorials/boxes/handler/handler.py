"""From the network's boxes to a list of objects, in pixels of the picture that was sent."""

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps


def setup(folder: Path, parameters: dict[str, Any]) -> None:
    """Read the class names that came with this file."""
    global labels, threshold, overlap
    labels = (folder / "labels.txt").read_text().split()
    threshold, overlap = parameters["threshold"], parameters["overlap"]


# There is no preprocess: pictures become tensors as the definition's image block says.


def postprocess(outputs: dict[str, np.ndarray], instances: list[Any]) -> list[Any]:
    """Boxes, scores and classes of each picture -> [{"label": …, "score": …, "box": …}, …]."""
    columns = (outputs[f"OUTPUT__{index}"] for index in range(3))
    return [
        find_objects(*row, size(instance))
        for *row, instance in zip(*columns, instances, strict=True)
    ]


def size(instance: dict[str, Any]) -> tuple[int, int]:
    """Width and height of the picture, turned as its EXIF orientation says."""
    picture = instance.get("image_bytes") or instance["image"]
    with Image.open(io.BytesIO(base64.b64decode(picture["b64"]))) as image:
        return ImageOps.exif_transpose(image).size


def find_objects(
    boxes: np.ndarray, scores: np.ndarray, classes: np.ndarray, size: tuple[int, int]
) -> list[Any]:
    """The boxes above the threshold, best first, without those that overlap a better one."""
    found: list[int] = []
    for index in np.argsort(-scores):
        if scores[index] < threshold:
            break
        if all(shared(boxes[index], boxes[other]) < overlap for other in found):
            found.append(index)
    return [
        {"label": labels[classes[index]], "score": scores[index], "box": pixels(boxes[index], size)}
        for index in found
    ]


def shared(first: np.ndarray, second: np.ndarray) -> float:
    """Intersection over union of two boxes (left, top, right, bottom)."""
    sides = np.minimum(first, second)[2:] - np.maximum(first, second)[:2]
    common = np.prod(np.maximum(sides, 0))
    both = np.prod(first[2:] - first[:2]) + np.prod(second[2:] - second[:2])
    return float(common / (both - common))


def pixels(box: np.ndarray, size: tuple[int, int]) -> list[int]:
    """Shares of the padded square -> pixels of the picture inside it."""
    longer = max(size)
    margins = [(longer - side) / 2 for side in size]
    return [
        round(float(np.clip(share * longer - margins[axis % 2], 0, size[axis % 2])))
        for axis, share in enumerate(box)
    ]
