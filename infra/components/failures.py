"""Explanations of the engine's errors for the person at the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi

if TYPE_CHECKING:
    from collections.abc import Callable


def explained(name: str, explain: Callable[[str], str | None]) -> pulumi.ResourceHookBinding:
    """Hooks of a resource that log what `explain` returns for the text of an error."""

    def report(failure: pulumi.ErrorHookArgs) -> bool:
        text = explain("\n".join(failure.errors))
        if text:
            pulumi.log.error(text)
        return False  # The operation isn't tried again.

    return pulumi.ResourceHookBinding(on_error=[pulumi.ErrorHook(f"{name}-failed", report)])
