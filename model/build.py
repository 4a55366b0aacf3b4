"""From a definition to a release on disk: train, trace, prove, describe."""

from __future__ import annotations

import base64
import hashlib
import importlib
import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from PIL import Image

from model.trace import outputs, signature, trace
from model.training import reproducible, tensor, train
from release import files, lock
from release.schema import File, Release, ReleaseError, Sample, digest

if TYPE_CHECKING:
    from model.definition import Definition, Images, Pixels
    from release.schema import Preprocessing

DEFINITIONS = Path(__file__).parent / "definitions"
SAMPLES = 8
# Tracing is checked on so many of the held-out images.
CHECKED = 256
# Another processor sums float32 in another order.
SAMPLE_TOLERANCE = 1e-4


@dataclass(frozen=True)
class Built:
    """A release and the files that it vouches for, by their path under build/NAME."""

    release: Release
    files: dict[str, bytes]


def definition(name: str) -> Definition:
    """The module of `model/definitions/` that gives network and data; raises ReleaseError."""
    defined = sorted(path.stem for path in DEFINITIONS.glob("*.py") if path.stem != "__init__")
    if name not in defined:
        raise ReleaseError(
            f"model {name!r}; allowed: {', '.join(defined)}, or a file of its own in "
            "model/definitions/"
        )
    return cast("Definition", importlib.import_module(f"model.definitions.{name}"))


def build(model: Definition, data: Path | None) -> Built:
    """Train and trace; raises ReleaseError if data, network or trace are not what they must be."""
    name, dataset = model.load(data)
    with reproducible(model.TRAINING.seed):
        network = model.network()
        print(f"{name}: training on {len(dataset.train.labels):,} images", flush=True)
        right = train(network, dataset, model.PREPROCESSING, model.TRAINING)
        held_out = dataset.held_out
        inputs = (tensor(held_out.pixels[:CHECKED], model.PREPROCESSING),)
        print(f"{name}: tracing, and comparing with the eager network", flush=True)
        content = trace(network, inputs)
        ins, outs = signature(network, tuple(item[:2] for item in inputs))
        samples = sampled(network, held_out, model.LABELS, model.PREPROCESSING)
    warmup = {ins[0].name: inputs[0][:1].numpy().tobytes()}
    release = Release(
        name=name,
        model=File(sha256(content), len(content)),
        torch=torch.__version__.split("+")[0],
        inputs=ins,
        outputs=outs,
        preprocessing=model.PREPROCESSING,
        labels=model.LABELS,
        accuracy=round(right, 4),
        held_out=len(held_out.labels),
        samples=samples,
        warmup={key: sha256(value) for key, value in warmup.items()},
    )
    return Built(
        release,
        {"model.pt": content} | {f"warmup/{key}": value for key, value in warmup.items()},
    )


def sampled(
    network: torch.nn.Module, images: Images, labels: tuple[str, ...], how: Preprocessing
) -> tuple[Sample, ...]:
    """Held-out images, one of each label first, with the eager network's answers one by one."""
    firsts = [int(np.flatnonzero(images.labels == at)[0]) for at in np.unique(images.labels)]
    rest = [index for index in range(len(images.labels)) if index not in firsts]
    chosen = (firsts + rest)[: max(SAMPLES, len(firsts))]
    made = []
    for index in chosen:
        pixels = images.pixels[index]
        answers = outputs(network, (tensor(pixels[None], how),))
        rows = tuple(tuple(answer[0].double().flatten().tolist()) for answer in answers)
        made.append(Sample(png(pixels), labels[images.labels[index]], rows))
    return tuple(made)


def png(pixels: Pixels) -> str:
    """uint8 H×W×3 -> PNG, base64."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def sha256(content: bytes) -> str:
    """In hex."""
    return hashlib.sha256(content).hexdigest()


def write(built: Built, out: Path) -> Path:
    """Files first, release.json last, each whole or not at all; the folder out/NAME."""
    folder = out / built.release.name
    for name, content in built.files.items():
        files.replace(folder / name, content)
    files.replace(folder / files.RELEASE_JSON, built.release.to_json())
    return folder


def load(name: str, out: Path) -> Release:
    """A built release; raises ReleaseError if there's none."""
    path = out / name / files.RELEASE_JSON
    if not path.exists():
        raise ReleaseError(f"{path}: not built; run: python -m model build {name}")
    return Release.from_json(path.read_bytes())


def verify(name: str, out: Path, path: Path) -> Release:
    """Hash every file anew and run the samples; raises ReleaseError on any difference."""
    load(name, out)
    folder = out / name
    found = digest((folder / files.RELEASE_JSON).read_bytes())
    pinned = lock.read(path).get(name)
    if pinned and pinned["digest"] != found:
        raise ReleaseError(
            f"release {found[:16]} is not the one that {path.name} pins, "
            f"{pinned['digest'][:16]}; pin it: python -m model build {name} --pin"
        )
    try:
        release = files.check(folder, found)
    except ReleaseError as error:
        raise ReleaseError(f"{error}; run: python -m model build {name}") from error
    _answer_samples(release, folder / "model.pt")
    return release


def _answer_samples(release: Release, path: Path) -> None:
    network = torch.jit.load(str(path), map_location="cpu").eval()
    for number, sample in enumerate(release.samples):
        with Image.open(io.BytesIO(base64.b64decode(sample.image))) as image:
            pixels = np.asarray(image.convert("RGB"))
        found = outputs(network, (tensor(pixels[None], release.preprocessing),))
        for index, (row, answer) in enumerate(zip(sample.outputs, found, strict=True)):
            by = (
                (torch.tensor(row, dtype=torch.float64) - answer.double().flatten())
                .abs()
                .max()
                .item()
            )
            if not by <= SAMPLE_TOLERANCE * max(1.0, max(map(abs, row))):
                raise ReleaseError(
                    f"sample {number}: output {index} differs by {by:.3g} from what the release "
                    f"says; run: python -m model build {release.name}"
                )
