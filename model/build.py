"""From a definition to a release on disk: train, trace, compare, write."""

from __future__ import annotations

import base64
import importlib
import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from PIL import Image

from model.trace import difference_beyond, run, signature, trace
from model.training import reproducible, tensor, train
from release import files, lock
from release.schema import File, Release, ReleaseError, Sample, digest, short

if TYPE_CHECKING:
    from model.definition import Definition, Images, Pixels
    from release.schema import Preprocessing

DEFINITIONS = Path(__file__).parent / "definitions"
SAMPLES = 8
# Held-out images on which the traced network is compared with the eager one.
COMPARED_IMAGES = 256
# Processors sum float32 in different orders.
SAMPLE_TOLERANCE = 1e-4


@dataclass(frozen=True)
class Built:
    """A release and the content of its other files, by their path under build/NAME."""

    release: Release
    files: dict[str, bytes]


def definition(name: str) -> Definition:
    """The module of `model/definitions/` with this name; raises ReleaseError if there is none."""
    defined = sorted(path.stem for path in DEFINITIONS.glob("*.py") if path.stem != "__init__")
    if name not in defined:
        raise ReleaseError(
            f"model {name!r}; allowed: {', '.join(defined)}, or a file of its own in "
            "model/definitions/"
        )
    return cast("Definition", importlib.import_module(f"model.definitions.{name}"))


def build(model: Definition, data: Path | None) -> Built:
    """Train and trace; raises ReleaseError if the data, the network or the trace is invalid."""
    name, dataset = model.load(data)
    with reproducible(model.TRAINING.seed):
        network = model.network()
        print(f"{name}: training on {len(dataset.train.labels):,} images", flush=True)
        accuracy = train(network, dataset, model.PREPROCESSING, model.TRAINING)
        held_out = dataset.held_out
        images = (tensor(held_out.pixels[:COMPARED_IMAGES], model.PREPROCESSING),)
        print(f"{name}: tracing, and comparing with the eager network", flush=True)
        traced = trace(network, images)
        inputs, outputs = signature(network, tuple(item[:2] for item in images))
        samples = make_samples(network, held_out, model.LABELS, model.PREPROCESSING)
    warmup = {inputs[0].name: images[0][:1].numpy().tobytes()}
    release = Release(
        name=name,
        model=File(digest(traced), len(traced)),
        torch=torch.__version__.split("+")[0],
        inputs=inputs,
        outputs=outputs,
        preprocessing=model.PREPROCESSING,
        labels=model.LABELS,
        accuracy=round(accuracy, 4),
        held_out=len(held_out.labels),
        samples=samples,
        warmup={key: digest(value) for key, value in warmup.items()},
    )
    return Built(
        release, {"model.pt": traced} | {f"warmup/{key}": value for key, value in warmup.items()}
    )


def make_samples(
    network: torch.nn.Module, images: Images, labels: tuple[str, ...], how: Preprocessing
) -> tuple[Sample, ...]:
    """Held-out images, one of each label first, with the eager network's answer to each."""
    firsts = [int(np.flatnonzero(images.labels == at)[0]) for at in np.unique(images.labels)]
    rest = [index for index in range(len(images.labels)) if index not in firsts]
    chosen = (firsts + rest)[: max(SAMPLES, len(firsts))]
    samples = []
    for index in chosen:
        pixels = images.pixels[index]
        answers = run(network, (tensor(pixels[None], how),))
        rows = tuple(tuple(answer[0].double().flatten().tolist()) for answer in answers)
        samples.append(Sample(png(pixels), labels[images.labels[index]], rows))
    return tuple(samples)


def png(pixels: Pixels) -> str:
    """uint8 H×W×3 -> PNG, base64."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def write(built: Built, out: Path) -> Path:
    """Write the files, release.json last; returns the folder out/NAME."""
    folder = out / built.release.name
    for name, content in built.files.items():
        files.write(folder / name, content)
    files.write(folder / files.RELEASE_JSON, built.release.to_json())
    return folder


def verify(name: str, out: Path, path: Path) -> Release:
    """Compare all digests and run the samples; raises ReleaseError on any difference."""
    folder, build = out / name, f"python -m model build {name}"
    files.read_build(out, name)
    found = digest((folder / files.RELEASE_JSON).read_bytes())
    pinned = lock.read(path).current(name)
    if pinned and pinned.digest != found:
        raise ReleaseError(
            f"release {short(found)} is not the one that {path.name} pins, "
            f"{short(pinned.digest)}; pin it: {build} --pin"
        )
    try:
        release = files.check(folder, found)
    except ReleaseError as error:
        raise ReleaseError(f"{error}; run: {build}") from error
    _compare_samples(release, folder / "model.pt")
    return release


def _compare_samples(release: Release, path: Path) -> None:
    network = torch.jit.load(str(path), map_location="cpu").eval()
    for number, sample in enumerate(release.samples):
        with Image.open(io.BytesIO(sample.png)) as image:
            pixels = np.asarray(image.convert("RGB"))
        answers = run(network, (tensor(pixels[None], release.preprocessing),))
        for index, (row, answer) in enumerate(zip(sample.outputs, answers, strict=True)):
            wanted = torch.tensor(row, dtype=torch.float64)
            difference = difference_beyond(SAMPLE_TOLERANCE, wanted, answer.flatten())
            if difference is not None:
                raise ReleaseError(
                    f"sample {number}: output {index} differs by {difference:.3g} from the "
                    f"release's; run: python -m model build {release.name}"
                )
