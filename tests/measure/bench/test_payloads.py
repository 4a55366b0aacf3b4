"""Requests have the images of their payload, in every form."""

from __future__ import annotations

import base64
import io
import json
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from jobs.load.ghz import infer_messages
from jobs.samples import read_release
from local.layout import ROOT
from measure.bench.serving.payloads import FORMS, Payload

if TYPE_CHECKING:
    from release.schema import Release


@pytest.fixture(scope="module")
def release() -> Release:
    return read_release(ROOT / "build" / "digits" / "release.json")


@given(
    st.integers(1, 99), st.sampled_from(["png", "jpeg"]), st.integers(1, 999), st.integers(1, 999)
)
def test_a_payload_is_read_back_from_its_name(
    images: int, kind: str, width: int, height: int
) -> None:
    payload = Payload(images, kind, width, height)
    assert Payload.parse(str(payload)) == payload


@pytest.mark.parametrize("count", [1, 8, 64])
@pytest.mark.parametrize(("kind", "size"), [("png", (32, 32)), ("jpeg", (640, 480))])
def test_images_have_the_number_format_and_size_of_the_payload(
    release: Release, count: int, kind: str, size: tuple[int, int]
) -> None:
    for target in FORMS["images"]("http://x", release, Payload(count, kind, *size)):
        instances = json.loads(target.body)["instances"]
        assert len(instances) == count
        data = base64.b64decode(instances[-1]["image_bytes"]["b64"])
        image = Image.open(io.BytesIO(data))
        assert (image.format, image.size) == (kind.upper(), size)


def test_single_images_are_different_ones_in_turn(release: Release) -> None:
    bodies = {target.body for target in FORMS["images"]("http://x", release, Payload(1))}
    assert len(bodies) == len(release.samples) > 1


@pytest.mark.parametrize("count", [1, 64])
def test_tensors_are_the_same_in_every_form(release: Release, count: int) -> None:
    payload = Payload(count)
    (numbers, *_), (binary, *_) = (
        FORMS[form]("x", release, payload) for form in ("numbers", "binary")
    )
    given_numbers = np.array(json.loads(numbers.body)["inputs"][0]["data"], np.float32)
    length = int(binary.headers["Inference-Header-Content-Length"])
    raw = np.frombuffer(binary.body[length:], np.float32)
    message, *_ = infer_messages(release.name, release, batch=count)
    over_grpc = np.frombuffer(message.raw_input_contents[0], np.float32)
    assert raw.size == count * 3 * 32 * 32
    np.testing.assert_array_equal(given_numbers, raw)
    np.testing.assert_array_equal(over_grpc, raw)


def test_no_request_asks_for_gzip(release: Release) -> None:
    for make in FORMS.values():
        assert make("x", release, Payload(1))[0].headers["Accept-Encoding"] == "identity"


def test_a_sample_of_another_format_gives_the_same_tensor(release: Release) -> None:
    (sample, *_) = release.samples
    out = io.BytesIO()
    Image.open(io.BytesIO(sample.picture)).save(out, "TIFF")
    other = replace(sample, image=base64.b64encode(out.getvalue()).decode())
    changed = replace(release, samples=(other, *release.samples[1:]))
    first, again = (FORMS["images"]("x", each, Payload(1))[0].body for each in (release, changed))
    assert first == again
