"""Plugins, and the servers that they use."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from local.layout import Layout
from local.storage.server import OWNER
from tests.local.emulator import Storage, require, storage_with_iam
from tests.local.plugins.api_server import ApiServer, api_server
from tests.local.plugins.names import fresh
from tests.local.plugins.protocol import Plugin, State

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Storage]:
    """Storage that enforces IAM, and knows its owner only."""
    with storage_with_iam(tmp_path_factory.mktemp("storage"), {"secret": OWNER}) as running:
        yield running


@pytest.fixture(scope="session")
def emulator(storage: Storage) -> str:
    """The address at which everybody may do everything."""
    return storage.emulator


@pytest.fixture(scope="session")
def gcp(storage: Storage) -> Iterator[Plugin]:
    """This project's gcp plugin, configured, as the owner."""
    own = {"STORAGE_EMULATOR_HOST": storage.address, "GOOGLE_OAUTH_ACCESS_TOKEN": "secret"}
    plugin = Plugin("gcp", own)
    plugin.configure(project="local-project")
    yield plugin
    plugin.close()


@pytest.fixture(scope="session")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    """The files of the session's API server."""
    return Layout(tmp_path_factory.mktemp("api-server"))


@pytest.fixture(scope="session")
def server(layout: Layout) -> Iterator[ApiServer]:
    """An API server for the session."""
    for program in ("etcd", "kube-apiserver"):
        require(program)
    with api_server(layout) as running:
        yield running


@pytest.fixture(scope="session")
def kubernetes(server: ApiServer, layout: Layout) -> Iterator[Plugin]:
    """The official kubernetes plugin, configured."""
    require("pulumi-resource-kubernetes")
    plugin = Plugin("kubernetes")
    plugin.configure(kubeconfig=layout.kubeconfig.read_text())
    yield plugin
    plugin.close()


@pytest.fixture
def bucket(gcp: Plugin) -> State:
    """A bucket for one test."""
    inputs = {"name": fresh("bucket"), "location": "EU"}
    return gcp.deploy("gcp:storage/bucket:Bucket", "models", inputs).state


@pytest.fixture
def big_file(tmp_path: Path) -> Iterator[Path]:
    """200 MB, as large as a model may be."""
    path = tmp_path / "model.pt"
    block = os.urandom(1 << 20)
    with path.open("wb") as file:
        for _ in range(200):
            file.write(block)
    yield path
    path.unlink()
