"""How what the program makes gets to the engine."""

from __future__ import annotations

import asyncio
import os

import pulumi

DEBUG = "KSERVE_TRITON_DEBUG"


async def hand_over() -> None:
    """Let the registrations so far reach the engine, which then works beside the program.

    Without this a program makes everything first and the engine idles meanwhile; and the SDK,
    which knows of no registration yet when the program ends, goes through its thousands of outputs
    at each answer instead of waiting for registrations. See docs/adr/0008.
    """
    await asyncio.sleep(0)


async def known(resource: pulumi.Resource) -> None:
    """Wait until the engine has heard of a resource, and of those it needs to know before."""
    await resource.urn.future()


def keep_debug_messages_here() -> None:
    """The SDK's own, four for each resource, unless KSERVE_TRITON_DEBUG asks for them.

    Each is a request that the whole program waits for, half its time in a stack of fifty models.
    The CLI shows them with --debug only, of which it tells no program.
    """
    if not os.environ.get(DEBUG):
        pulumi.log.debug = _unsent


def _unsent(
    msg: str,
    resource: pulumi.Resource | None = None,
    stream_id: int | None = None,
    ephemeral: bool | None = None,
) -> None:
    """In the place of `pulumi.log.debug`."""
