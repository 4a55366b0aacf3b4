"""What reaches the engine, and when."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pulumi

from infra.components.registration import DEBUG, hand_over, keep_debug_messages_here, known
from tests.infra.program import Recorder

if TYPE_CHECKING:
    import pytest


def under_mocks(program: Any) -> Recorder:
    recorder = Recorder()
    pulumi.runtime.set_mocks(recorder)
    pulumi.runtime.test(lambda: pulumi.Output.from_input(program(recorder)))()
    return recorder


def test_the_engine_has_heard_of_what_is_known() -> None:
    async def program(engine: Recorder) -> None:
        resource = pulumi.CustomResource("a:b:C", "one", {})
        assert engine.resources == []
        await known(resource)
        assert [each.name for each in engine.resources] == ["one"]

    under_mocks(program)


def test_what_is_handed_over_arrives_while_the_program_goes_on() -> None:
    async def program(engine: Recorder) -> None:
        for at in range(20):
            pulumi.CustomResource("a:b:C", f"made-{at}", {})
            await hand_over()
        for _ in range(100):
            if engine.resources:
                return
            await asyncio.sleep(0.01)
        raise AssertionError("nothing arrived")

    assert len(under_mocks(program).resources) == 20


def test_debug_messages_are_sent_to_who_asks_for_them(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str] = []
    monkeypatch.setattr(pulumi.log, "debug", lambda message, *_: sent.append(message))
    monkeypatch.setenv(DEBUG, "1")
    keep_debug_messages_here()
    pulumi.log.debug("asked for")
    monkeypatch.delenv(DEBUG)
    keep_debug_messages_here()
    pulumi.log.debug("not asked for")
    assert sent == ["asked for"]
