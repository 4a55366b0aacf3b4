"""Every peer, in its own environment: it starts, answers rightly, and rests while it is paused."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from jobs.samples import read_release
from measure.bench.serving.runner import Runner
from measure.bench.serving.servers import awake, running
from measure.bench.serving.subjects import PEERS, SUBJECTS, Subject
from measure.procfs import descendants, field
from release.files import RELEASE_JSON

if TYPE_CHECKING:
    from collections.abc import Iterator

    from measure.bench.serving.servers import Server

# The quick run starts the transformers.
IN_PROCESS = [each for each in SUBJECTS if each.name in PEERS and each.format is None]
STOPPED = "T (stopped)"


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    folder = tmp_path_factory.mktemp("peers")
    with running("digits", IN_PROCESS, folder) as (release, servers):
        yield Runner(servers, read_release(release / RELEASE_JSON), folder)


def states(server: Server) -> set[str]:
    family = [pid for root in server.pids for pid in descendants(root)]
    return {field(f"{pid}/status", "State:") for pid in family}


def wait_until_paused(server: Server) -> None:
    end = time.monotonic() + 30
    while states(server) != {STOPPED}:
        assert time.monotonic() < end, states(server)
        time.sleep(0.01)


@pytest.mark.parametrize("subject", IN_PROCESS, ids=lambda each: each.name)
def test_it_gives_the_networks_scores_and_is_paused_afterwards(
    runner: Runner, subject: Subject
) -> None:
    # Raises if a score differs, or if a request fails.
    runner.prepare(subject)
    server = runner.servers[subject.name]
    wait_until_paused(server)
    with awake(server):
        assert STOPPED not in states(server)
    wait_until_paused(server)
