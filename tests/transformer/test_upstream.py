"""Several pods of a predictor: all get their share, and one that fails costs no request."""

from __future__ import annotations

import contextlib
import itertools
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.config import ModelSettings
from infra.manifests.artefact import Artefact
from infra.manifests.model_config import config_pbtxt
from local.triton.server import Triton
from tests.transformer.pods import GRPC, HTTP, Pod, Spread, pods
from tests.transformer.predictors import MutedRelay, Relay
from tests.transformer.server import RELEASE, Transformer, eventually, instances
from transformer.upstream import LEAST_PATIENCE_SECONDS, PATIENCE, Patience

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from release.schema import Release

Samples = list[dict[str, Any]]
DEADLINE = "--deadline_seconds=20"
CLIENTS = 8


@pytest.fixture(params=[HTTP, GRPC], ids=["http", "grpc"])
def protocol(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def body(samples: Samples) -> bytes:
    return instances([samples[0]["image"]])


@pytest.fixture
def spread(
    triton: Triton, protocol: str, tmp_path: Path, body: bytes
) -> Iterator[tuple[Spread, list[Pod]]]:
    """A transformer that knows its three pods, and that has not been counted yet."""
    with (
        pods(triton, protocol) as (port, made),
        Spread(port, made, tmp_path, protocol, DEADLINE) as transformer,
    ):
        learn_pods(transformer, body)
        for pod in made:
            pod.count = 0
        yield transformer, made


def learn_pods(transformer: Transformer, body: bytes) -> None:
    """Let it look its pods up, and connect to each."""
    assert transformer.predict(body)[0] == 200
    eventually(lambda: "pods of the predictor" in transformer.log.read_text())
    for _ in range(9):
        assert transformer.predict(body)[0] == 200


def statuses(transformer: Transformer, body: bytes, count: int) -> list[int]:
    """Of requests by several clients."""
    with ThreadPoolExecutor(CLIENTS) as clients:
        return list(clients.map(lambda _: transformer.predict(body)[0], range(count)))


def test_one_client_reaches_all_pods_alike(spread: tuple[Spread, list[Pod]], body: bytes) -> None:
    transformer, made = spread
    for _ in range(30):
        assert transformer.predict(body)[0] == 200
    assert [pod.count for pod in made] == [10, 10, 10]


def test_several_clients_reach_all_pods_alike(
    spread: tuple[Spread, list[Pod]], body: bytes
) -> None:
    transformer, made = spread
    assert set(statuses(transformer, body, 90)) == {200}
    assert [pod.count for pod in made] == [30, 30, 30]


@pytest.mark.parametrize("fault", ["ends", "gateway", "silent"])
def test_a_pod_that_fails_costs_no_request(
    spread: tuple[Spread, list[Pod]], body: bytes, fault: str
) -> None:
    transformer, made = spread
    made[1].faults = itertools.repeat(fault)
    assert set(statuses(transformer, body, 60)) == {200}
    # Only the requests under way at its first failure, and those that try it again.
    assert 1 <= made[1].count <= 60 // 3


def test_a_silent_pod_that_the_service_leads_to_costs_no_request(
    spread: tuple[Spread, list[Pod]], body: bytes
) -> None:
    """The cluster takes it for ready until its probe has failed some times."""
    transformer, made = spread
    made[0].faults = itertools.repeat("silent")
    assert set(statuses(transformer, body, 60)) == {200}


def test_the_other_pods_answer_while_the_service_leads_to_nobody(
    triton: Triton, protocol: str, tmp_path: Path, body: bytes
) -> None:
    """As right after a crash, until the cluster has noticed it."""
    with contextlib.ExitStack() as stack:
        port, made = stack.enter_context(pods(triton, protocol))
        with Relay(f"127.0.0.2:{port}", 0) as service:
            given = Spread(port, made, tmp_path, protocol, DEADLINE, service=service.address)
            transformer = stack.enter_context(given)
            learn_pods(transformer, body)
        made[1].faults = itertools.repeat("gateway")
        assert set(statuses(transformer, body, 60)) == {200}


def test_a_pod_that_answers_again_gets_its_share_again(
    spread: tuple[Spread, list[Pod]], body: bytes
) -> None:
    transformer, made = spread
    made[1].faults = iter(["gateway"])
    assert set(statuses(transformer, body, 6)) == {200}

    def alike() -> bool:
        for pod in made:
            pod.count = 0
        return set(statuses(transformer, body, 9)) == {200} and made[1].count == 3

    eventually(alike)


def test_an_overloaded_predictor_gets_no_second_attempt(
    spread: tuple[Spread, list[Pod]], body: bytes
) -> None:
    transformer, made = spread
    for pod in made:
        pod.faults = itertools.repeat("overloaded")
    status, answer = transformer.predict(body)
    assert status == 503
    assert "Exceeds maximum queue size" in answer["error"]
    assert sum(pod.count for pod in made) == 1


def test_a_gateways_own_error_is_tried_once_more(
    triton: Triton, protocol: str, tmp_path: Path, body: bytes
) -> None:
    """One address, as under Knative."""
    with (
        pods(triton, protocol, count=1) as (port, (gateway,)),
        Transformer(f"127.0.0.2:{port}", tmp_path, protocol) as made,
    ):
        gateway.faults = iter(["gateway"])
        assert made.predict(body)[0] == 200
        assert gateway.count == 2
        gateway.faults = iter(["gateway", "gateway"])
        assert made.predict(body)[0] == 503


def test_a_request_that_reached_nobody_is_tried_for_a_while(
    triton: Triton, protocol: str, tmp_path: Path, body: bytes
) -> None:
    """As the activator answers while a queue-proxy starts again."""
    with (
        pods(triton, protocol, count=1) as (port, (activator,)),
        Transformer(f"127.0.0.2:{port}", tmp_path, protocol, DEADLINE) as made,
    ):
        activator.faults = iter(["refused"] * 4)
        assert made.predict(body)[0] == 200
        assert activator.count == 5


def test_connections_that_fall_silent_are_left(
    triton: Triton, protocol: str, tmp_path: Path, body: bytes
) -> None:
    address = triton.grpc if protocol == GRPC else triton.http
    with (
        MutedRelay(address, 0) as relay,
        Transformer(relay.address, tmp_path, protocol, DEADLINE) as made,
    ):
        assert set(statuses(made, body, 4 * CLIENTS)) == {200}
        relay.mute()
        assert set(statuses(made, body, 4 * CLIENTS)) == {200}


def test_a_rollout_loses_no_request(
    triton: Triton, protocol: str, tmp_path: Path, body: bytes, release: Release
) -> None:
    """New connections reach the new pod, and the old one ends while requests are under way."""
    config = config_pbtxt(release, ModelSettings())
    Artefact(release, release.digest, "", RELEASE.parent, config).write(tmp_path / "repository")
    new = triton.grpc if protocol == GRPC else triton.http
    with Triton(tmp_path / "repository", log=tmp_path / "old.log") as old:
        address = old.grpc if protocol == GRPC else old.http
        with (
            Relay(address, 0) as relay,
            Transformer(relay.address, tmp_path, protocol, DEADLINE) as made,
            ThreadPoolExecutor(CLIENTS) as clients,
        ):
            ended = threading.Event()
            found = [clients.submit(_until, ended, made, body) for _ in range(CLIENTS)]
            eventually(lambda: made.predict(body)[0] == 200)
            relay.host, _, relay.port = new.partition(":")
            old.process.terminate()
            old.process.wait(60)
            ended.set()
            assert set().union(*(each.result() for each in found)) == {200}


def _until(ended: threading.Event, made: Transformer, body: bytes) -> set[int]:
    """The statuses of requests one after the other, and of ten more."""
    found = set()
    while not ended.is_set():
        found.add(made.predict(body)[0])
    return found | {made.predict(body)[0] for _ in range(10)}


@given(
    deadline=st.floats(0.1, 3600),
    answers=st.lists(st.tuples(st.floats(0, 100), st.floats(0, 1000)), max_size=20),
)
def test_patience_follows_the_slowest_recent_answer(
    deadline: float, answers: list[tuple[float, float]]
) -> None:
    patience, now = Patience(deadline), 0.0
    assert patience.seconds == deadline / 2
    for took, pause in answers:
        now += pause + took
        patience.note(now - took, now)
        least = max(LEAST_PATIENCE_SECONDS, PATIENCE * took * 0.999)
        assert min(least, deadline / 2) <= patience.seconds <= deadline / 2
