"""Pulumi's mocks in the engine's place."""

from __future__ import annotations

import asyncio

import pulumi


def use(
    mocks: pulumi.runtime.Mocks,
    project: str,
    stack: str,
    monitor: pulumi.runtime.mocks.MockMonitor | None = None,
) -> None:
    """Set the mocks for programs that run then.

    Pulumi asks for the thread's event loop, which Python makes by itself until 3.13 only.
    """
    try:
        asyncio.get_event_loop()
    except RuntimeError:
        asyncio.set_event_loop(asyncio.new_event_loop())
    pulumi.runtime.set_mocks(mocks, project=project, stack=stack, monitor=monitor)
