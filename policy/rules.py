"""All rules. They do not need Pulumi's policy SDK; only `pack` does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy import access, buckets, workloads

if TYPE_CHECKING:
    from policy.rule import Rule

RULES: tuple[Rule, ...] = (*buckets.RULES, *workloads.RULES, *access.RULES)
