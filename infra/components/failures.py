"""Hooks of resources: errors explained, changes refused or commented on.

The commands in their texts are for the stack's cluster, whichever one kubectl is set to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pulumi

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    # What a resource was before and is after -> a text for the person at the terminal, or None.
    Comparison = Callable[[Mapping[str, Any], Mapping[str, Any]], str | None]


def explained(name: str, explain: Callable[[str], str | None]) -> pulumi.ResourceHookBinding:
    """Hooks of a resource that log what `explain` returns for the text of an error."""

    here = _in_context()

    def report(failure: pulumi.ErrorHookArgs) -> bool:
        if text := explain("\n".join(failure.errors)):
            pulumi.log.error(here(text))
        return False  # The operation isn't tried again.

    return pulumi.ResourceHookBinding(on_error=[pulumi.ErrorHook(f"{name}-failed", report)])


def guarded(
    name: str, compare: Comparison, *, creation: bool = False, outputs: bool = False
) -> pulumi.ResourceHookBinding:
    """Hooks that refuse an update, in previews too, for the reason that `compare` returns.

    It compares the inputs; with `outputs` the outputs before, which are empty where the last update
    failed in between, with the inputs after. With `creation` they refuse a creation too; the inputs
    before it are empty.
    """

    here = _in_context()

    def refuse(change: pulumi.ResourceHookArgs) -> None:
        before = change.old_outputs if outputs else change.old_inputs
        if reason := compare(before or {}, change.new_inputs or {}):
            raise pulumi.RunError(here(reason))

    hooks = _previewed(f"{name}-guard", refuse)
    return pulumi.ResourceHookBinding(
        before_create=hooks if creation else None, before_update=hooks
    )


def announced(name: str, compare: Comparison) -> pulumi.ResourceHookBinding:
    """Hooks that warn before an update, in previews too, with the text that `compare` returns."""

    here = _in_context()

    def warn(change: pulumi.ResourceHookArgs) -> None:
        if text := compare(change.old_inputs or {}, change.new_inputs or {}):
            pulumi.log.warn(here(text))

    return pulumi.ResourceHookBinding(before_update=_previewed(f"{name}-notice", warn))


def _in_context() -> Callable[[str], str]:
    context = pulumi.Config("kubernetes").get("context")
    kubectl = f"kubectl --context {context} " if context else "kubectl "
    return lambda text: text.replace("kubectl ", kubectl)


def _previewed(
    name: str, run: Callable[[pulumi.ResourceHookArgs], None]
) -> list[pulumi.ResourceHook | pulumi.ResourceHookFunction]:
    """A hook that runs in previews too."""
    return [pulumi.ResourceHook(name, run, pulumi.ResourceHookOptions(on_dry_run=True))]
