"""Pictures that take long to decode: given up in time, and not waited for by others."""

from __future__ import annotations

import concurrent.futures
from typing import TYPE_CHECKING, Any

import pytest

from tests.transformer.pictures import b64, chunked_png, encoded, noise, padded_jpeg
from tests.transformer.server import Transformer, eventually, instances

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from local.triton.server import Triton

MIB = 2**20
# Seconds of Python, if nothing stopped it.
SLOW = {"JPEG": (padded_jpeg, 16 * MIB), "PNG": (chunked_png, 2 * 10**6)}
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


def in_flight(made: Transformer) -> bool:
    return 'transformer_requests_in_flight{model="digits"} 0.0' not in made.ask("/metrics")[1]


@pytest.mark.parametrize(("make", "size"), SLOW.values(), ids=SLOW)
def test_a_slow_picture_is_given_up_and_others_do_not_wait_for_it(
    two_threads: Transformer, make: Callable[[int], bytes], size: int, samples: list[dict[str, Any]]
) -> None:
    body = instances([samples[0]["image"], b64(make(size))])
    with concurrent.futures.ThreadPoolExecutor() as pool:
        slow = pool.submit(two_threads.predict, body)
        eventually(lambda: in_flight(two_threads))
        assert two_threads.predict(NORMAL)[0] == 200
        assert two_threads.predict(instances([samples[0]["image"]]))[0] == 200
        assert not slow.done()
        status, answer = slow.result()
    assert status == 413
    assert answer["error"] == "instances[1]: takes more than 2 s to decode"


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
    many = instances([b64(encoded(noise("RGB", 400, 400), "PNG", compress_level=1))] * 40)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        long = pool.submit(one_thread.predict, many)
        eventually(lambda: in_flight(one_thread))
        assert one_thread.predict(NORMAL)[0] == 200
        assert not long.done()
        assert long.result()[0] == 200
