"""One local cluster for all tests of a session that need one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.local.cluster import Cluster, running_cluster

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Control plane, KServe, Knative, storage emulator, and the node agent with test images."""
    with running_cluster(tmp_path_factory.mktemp("cluster")) as running:
        yield running
