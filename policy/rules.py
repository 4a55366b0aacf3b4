"""Every rule of the pack. Nothing here needs Pulumi's policy SDK; `pack` does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy import access, buckets, workloads

if TYPE_CHECKING:
    from policy.rule import Rule

RULES: tuple[Rule, ...] = (*buckets.RULES, *workloads.RULES, *access.RULES)
