"""Wrong requests: refused with a clear error and within the memory limit."""

from __future__ import annotations

import concurrent.futures
import io
import socket
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from tests.transformer.pictures import (
    b64,
    encoded,
    grey_png,
    noise,
    png_header,
    run_lengths_bmp,
    scans,
)
from tests.transformer.server import instances

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.transformer.server import Transformer

MAX_MIB = 512
MIB = 2**20
PNG = encoded(noise("RGB", 32, 32), "PNG")
GOOD = b64(PNG)
# (what, body, status, part of the error)
BODIES = [
    ("empty body", b"", 400, "not JSON: it is empty"),
    ("no JSON", b"image=7", 400, "the body is not JSON"),
    ("cut JSON", instances([GOOD])[:-3], 400, "the body is not JSON"),
    ("not UTF-8", b'{"instances": ["\xff"]}', 400, "the body is not JSON"),
    ("deep JSON", b"[" * 60_000, 400, "the body is not JSON"),
    ("many small values", b'{"instances": [' + b"{}," * 2**20 + b"{}]}", 413, "values in the JSON"),
    ("a list", b"[]", 400, "no list 'instances'"),
    ("no instances", b'{"inputs": []}', 400, "no list 'instances'"),
    ("instances of another type", b'{"instances": {"image": 1}}', 400, "no list 'instances'"),
    ("empty instances", b'{"instances": []}', 400, "'instances' is empty"),
    ("no image", b'{"instances": [{"text": "seven"}]}', 400, "instances[0]: no image_bytes.b64"),
    ("a number", b'{"instances": [7]}', 400, "instances[0]: no image_bytes.b64"),
    (
        "pixels",
        b'{"instances": [{"image": [[0, 1]]}]}',
        400,
        "instances[0]: image has no text 'b64'",
    ),
    ("b64 of another type", b'{"instances": [{"image": {"b64": 7}}]}', 400, "has no text 'b64'"),
    ("empty b64", instances([GOOD, ""]), 400, "instances[1]: image_bytes.b64 is empty"),
    ("wrong base64", instances([GOOD, GOOD, "no_base64!"]), 400, "instances[2]: wrong base64"),
    ("base64 not ASCII", instances(["üüüü"]), 400, "instances[0]: wrong base64"),
    ("not an image", instances([GOOD, b64(b"plain text")]), 400, "instances[1]: not an image"),
    ("SVG", instances([b64(b"<svg/>")]), 400, "instances[0]: not an image; allowed: PNG, JPEG"),
    ("TIFF", instances([b64(encoded(noise("RGB", 8, 8), "TIFF"))]), 400, "not an image"),
    (
        "BMP of run lengths",
        instances([b64(run_lengths_bmp(64, 64))]),
        400,
        "instances[0]: BMP with run-length encoding; allowed: without",
    ),
    (
        "truncated PNG",
        instances([GOOD, b64(PNG[:-700])]),
        400,
        "instances[1]: PNG can't be decoded",
    ),
    ("header of a PNG", instances([b64(png_header(32, 32, 8, 2))]), 400, "instances[0]: "),
    (
        "10,000 instances",
        instances([b64(grey_png(8, 8))] * 10_000),
        413,
        "10,000 instances; allowed: 1,024",
    ),
    ("50 MB", instances(["A" * 50 * MIB]), 413, "the body is larger than 32 MiB"),
]
TOO_LARGE = {
    "20,000×20,000 PNG": lambda: grey_png(20_000, 20_000),
    "10,000×10,000 PNG with alpha": lambda: png_header(10_000, 10_000, 8, 6) + PNG[33:],
    "12,000×12,000 PNG": lambda: grey_png(12_000, 12_000),
    "a thousand scans": lambda: scans(64, 1000),
}
CONVERTIBLE = [
    ("CMYK", "CMYK", "JPEG"),
    ("palette", "P", "PNG"),
    ("16-bit", "I;16", "PNG"),
    ("alpha", "RGBA", "PNG"),
    ("grey with alpha", "LA", "PNG"),
    ("two colours", "1", "PNG"),
]


@pytest.fixture(autouse=True)
def serves_afterwards(transformer: Transformer, samples: list[dict[str, Any]]) -> Iterator[None]:
    """After each test, the next request is served, and the peak memory is below the limit."""
    yield
    sample = samples[0]
    status, answer = transformer.predict(instances([sample["image"]]))
    assert status == 200
    assert answer["predictions"][0]["scores"] == pytest.approx(sample["scores"], abs=1e-4)
    assert transformer.peak_mib() < MAX_MIB


@pytest.mark.parametrize(
    ("body", "status", "error"), [case[1:] for case in BODIES], ids=[case[0] for case in BODIES]
)
def test_bodies(transformer: Transformer, body: bytes, status: int, error: str) -> None:
    found, answer = transformer.predict(body)
    assert found == status
    assert error in answer["error"]


def test_body_in_chunks_without_end(transformer: Transformer) -> None:
    status, answer = transformer.predict(iter([b" " * MIB] * 50))
    assert status == 413
    assert "larger than 32 MiB" in answer["error"]


def test_compressed_body(transformer: Transformer) -> None:
    headers = {"Content-Encoding": "gzip"}
    status, answer = transformer.ask("/v1/models/digits:predict", b"\x1f\x8b", headers=headers)
    assert status == 415
    assert "Content-Encoding 'gzip'" in answer["error"]


@pytest.mark.parametrize("make", TOO_LARGE.values(), ids=TOO_LARGE)
def test_images_that_would_take_too_much(transformer: Transformer, make: Any) -> None:
    bomb = make()
    assert len(bomb) < MIB
    status, answer = transformer.predict(instances([GOOD, b64(bomb)]))
    assert status == 413
    assert answer["error"].startswith("instances[1]: ")


@pytest.mark.parametrize(("mode", "kind"), [case[1:] for case in CONVERTIBLE])
def test_convertible_images_get_the_answer_of_their_rgb(
    transformer: Transformer, mode: str, kind: str
) -> None:
    data = encoded(noise(mode, 32, 32), kind)
    with Image.open(io.BytesIO(data)) as opened:
        if mode == "I;16":
            opened = Image.fromarray((np.array(opened) // 256).astype(np.uint8))
        if opened.has_transparency_data:
            behind = Image.new("RGBA", opened.size, (0, 0, 0, 255))
            opened = Image.alpha_composite(behind, opened.convert("RGBA"))
        plain = encoded(opened.convert("RGB"), "PNG")
    status, answer = transformer.predict(instances([b64(data), b64(plain)]))
    assert status == 200
    given, expected = answer["predictions"]
    assert given["label"] == expected["label"]
    assert given["scores"] == pytest.approx(expected["scores"], abs=1e-4)


def test_a_motion_photo_gets_the_answer_of_its_picture(transformer: Transformer) -> None:
    picture = encoded(noise("RGB", 32, 32), "JPEG")
    video = np.random.default_rng(0).bytes(8 * MIB)
    status, answer = transformer.predict(instances([b64(picture), b64(picture + video)]))
    assert status == 200
    expected, given = answer["predictions"]
    assert given["scores"] == pytest.approx(expected["scores"], abs=1e-4)


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_animations_get_the_answer_of_their_first_frame(
    transformer: Transformer, kind: str
) -> None:
    frames = [Image.new("RGB", (32, 32), colour) for colour in ("white", "black")]
    options = {"lossless": True} if kind == "WEBP" else {}
    data = encoded(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    status, answer = transformer.predict(instances([b64(data), b64(encoded(frames[0], "PNG"))]))
    assert status == 200
    given, expected = answer["predictions"]
    assert given["label"] == expected["label"]
    assert given["scores"] == pytest.approx(expected["scores"], abs=1e-4)


def test_the_largest_requests_at_the_same_time(transformer: Transformer) -> None:
    largest = instances([b64(grey_png(7_000, 7_000))] * 2)
    bodies = [largest, instances(["A" * 31 * MIB]), instances(["A" * 50 * MIB])] * 3
    with concurrent.futures.ThreadPoolExecutor(len(bodies)) as pool:
        found = list(pool.map(transformer.predict, bodies))
    assert [status for status, _ in found] == [200, 400, 413] * 3


def test_the_largest_pictures_of_all_kinds_at_the_same_time(transformer: Transformer) -> None:
    large = [
        encoded(Image.new("P", (7320, 7320)), "GIF"),
        encoded(Image.new("RGB", (8190, 8190)), "PNG"),
        encoded(Image.new("RGBA", (3660, 3660)), "PNG"),
        encoded(Image.new("RGB", (4090, 4090)), "WEBP", method=0),
        encoded(Image.new("RGB", (5120, 5120)), "JPEG", progressive=True),
    ]
    # Blanks in front make large bodies of them.
    bodies = [b" " * 20 * MIB + instances([b64(each)]) for each in large]
    with concurrent.futures.ThreadPoolExecutor(len(bodies)) as pool:
        found = list(pool.map(transformer.predict, bodies))
    assert [status for status, _ in found] == [200] * len(bodies)


def test_headers_without_end(transformer: Transformer) -> None:
    with socket.create_connection(("127.0.0.1", transformer.port), 10) as connection:
        connection.sendall(b"GET /v2 HTTP/1.1\r\nHost: x\r\nX-Long: ")
        with pytest.raises(OSError):
            for _ in range(100):
                connection.sendall(b"x" * MIB)


def test_not_http(transformer: Transformer) -> None:
    with socket.create_connection(("127.0.0.1", transformer.port), 10) as connection:
        connection.sendall(b"\x16\x03\x01 hello\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 400 ")


def test_clients_that_go_away(transformer: Transformer) -> None:
    head = b"POST /v1/models/digits:predict HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999\r\n\r\n"
    for _ in range(5):
        with socket.create_connection(("127.0.0.1", transformer.port), 10) as connection:
            connection.sendall(head + b'{"instances": [')
