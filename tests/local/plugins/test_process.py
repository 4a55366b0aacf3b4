"""A plugin's process, its version, its types."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from google.protobuf import empty_pb2
from pulumi.runtime.proto import provider_pb2

from tests.local.plugins.protocol import OFFICIAL, Failed, Plugin

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[3]
pytestmark = pytest.mark.skipif(OFFICIAL, reason="this project's own plugins only")


@pytest.fixture(params=["gcp", "kubernetes"])
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def plugin(name: str) -> Iterator[Plugin]:
    plugin = Plugin(name)
    yield plugin
    plugin.close()


def test_ends_when_the_engine_is_gone(plugin: Plugin) -> None:
    assert plugin.process.stdout is not None
    plugin.process.stdout.close()
    assert plugin.process.wait(5) == 0


def test_has_the_version_that_the_program_is_locked_to(name: str, plugin: Plugin) -> None:
    version = plugin.stub.GetPluginInfo(empty_pb2.Empty()).version
    locked = (ROOT / "requirements" / "program.in").read_text()
    found = re.search(rf"^pulumi-{name}==(.+)$", locked, re.MULTILINE)
    assert found is not None
    assert version == f"{found[1]}+kserve-triton"


def test_lists_its_types(name: str, plugin: Plugin) -> None:
    schema = json.loads(plugin.stub.GetSchema(provider_pb2.GetSchemaRequest()).schema)
    assert schema["name"] == name
    assert all(token.startswith(f"{name}:") for token in schema["resources"])


def test_says_what_it_can_do(plugin: Plugin) -> None:
    shaken = plugin.stub.Handshake(
        provider_pb2.ProviderHandshakeRequest(engine_address=plugin.engine.address)
    )
    assert shaken.accept_secrets
    assert shaken.accept_resources
    assert not shaken.accept_outputs


def test_knows_no_functions(name: str, plugin: Plugin) -> None:
    with pytest.raises(Failed, match=f"{name}:index:x is not known"):
        plugin.invoke(f"{name}:index:x")
