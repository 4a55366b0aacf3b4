"""What a failure of the engine's means to the person at the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi

if TYPE_CHECKING:
    from collections.abc import Callable


def explained(name: str, explain: Callable[[str], str | None]) -> pulumi.ResourceHookBinding:
    """Hooks for a resource: after the engine's own error, what `explain` makes of its text."""

    def report(failure: pulumi.ErrorHookArgs) -> bool:
        text = explain("\n".join(failure.errors))
        if text:
            pulumi.log.error(text)
        return False  # The operation isn't tried again.

    return pulumi.ResourceHookBinding(on_error=[pulumi.ErrorHook(f"{name}-failed", report)])
