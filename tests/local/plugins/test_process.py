"""The process of the gcp plugin, its version, its functions."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from google.protobuf import empty_pb2

from local.layout import ROOT
from tests.local.plugins.protocol import Failed, Plugin

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def plugin() -> Iterator[Plugin]:
    plugin = Plugin("gcp")
    yield plugin
    plugin.close()


def test_ends_when_the_engine_is_gone(plugin: Plugin) -> None:
    assert plugin.process.stdout is not None
    plugin.process.stdout.close()
    assert plugin.process.wait(20) == 0


def test_has_the_version_that_the_program_is_locked_to(plugin: Plugin) -> None:
    version = plugin.stub.GetPluginInfo(empty_pb2.Empty()).version
    locked = (ROOT / "requirements" / "program.in").read_text()
    found = re.search("^pulumi-gcp==(.+)$", locked, re.MULTILINE)
    assert found is not None
    assert version == f"{found[1]}+kserve-triton"


def test_supports_no_functions(plugin: Plugin) -> None:
    with pytest.raises(Failed, match="gcp:index:x is not supported"):
        plugin.invoke("gcp:index:x")
