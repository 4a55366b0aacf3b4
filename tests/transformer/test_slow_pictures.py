"""Pictures that take long to decode: given up in time, and not waited for by others."""

from __future__ import annotations

import concurrent.futures
import time
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from tests.transformer.pictures import b64, chunked_png, encoded, noise, padded_jpeg
from tests.transformer.server import Transformer, instances
from transformer.picture_file import MAX_READS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from local.triton.server import Triton

MIB = 2**20
PARTS = {"JPEG": (padded_jpeg, 16 * MIB), "PNG": (chunked_png, 10**6)}
# Too large for the event loop.
NORMAL = instances([b64(encoded(noise("RGB", 400, 400), "PNG"))])


@pytest.fixture(scope="module")
def one_thread(triton: Triton, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Transformer]:
    folder = tmp_path_factory.mktemp("one")
    with Transformer(triton.http, folder, "--deadline_seconds=55") as made:
        yield made


@pytest.fixture(scope="module")
def two_threads(triton: Triton, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Transformer]:
    folder = tmp_path_factory.mktemp("two")
    with Transformer(triton.http, folder, "--deadline_seconds=55", "--max_threads=2") as made:
        yield made


def ask_meanwhile(made: Transformer, body: bytes) -> tuple[tuple[int, Any], float, float]:
    """The answer to a request, its seconds, and the longest of normal ones in the meantime."""
    with concurrent.futures.ThreadPoolExecutor() as pool:
        started = time.monotonic()
        slow = pool.submit(made.predict, body)
        longest = 0.0
        while not slow.done():
            before = time.monotonic()
            assert made.predict(NORMAL)[0] == 200
            longest = max(longest, time.monotonic() - before)
        return slow.result(), time.monotonic() - started, longest


@pytest.mark.parametrize(("make", "size"), PARTS.values(), ids=PARTS)
def test_a_picture_in_millions_of_parts_is_given_up(
    one_thread: Transformer, make: Callable[[int], bytes], size: int, samples: list[dict[str, Any]]
) -> None:
    body = instances([samples[0]["image"], b64(make(size))])
    error = f"instances[1]: is read in more than {MAX_READS:,} parts"
    assert one_thread.predict(body) == (413, {"error": error})


def test_others_do_not_wait_for_a_large_picture(two_threads: Transformer) -> None:
    large = encoded(Image.new("RGB", (8190, 8190)), "PNG")
    (status, _), seconds, longest = ask_meanwhile(two_threads, instances([b64(large)]))
    assert status == 200
    assert longest < seconds / 2


def test_small_pictures_that_take_long_are_decoded_beside_the_event_loop(
    one_thread: Transformer, samples: list[dict[str, Any]]
) -> None:
    """The same answer as that of the picture without its thousands of empty chunks."""
    plain, chunked = chunked_png(0), chunked_png(3000)
    status, answer = one_thread.predict(instances([b64(plain), b64(chunked)]))
    assert status == 200
    expected, found = answer["predictions"]
    assert found["scores"] == pytest.approx(expected["scores"], abs=1e-4)


def test_requests_take_turns(one_thread: Transformer) -> None:
    many = instances([b64(chunked_png(60_000))] * 30)
    (status, _), seconds, longest = ask_meanwhile(one_thread, many)
    assert status == 200
    assert longest < seconds / 2
