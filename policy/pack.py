"""The rules as policies of Pulumi's SDK."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pulumi_policy import (
    PolicyConfigSchema,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
)

from policy.rule import Resource, Rule
from policy.rules import RULES

if TYPE_CHECKING:
    from pulumi_policy import Policy

NAME = "kserve-triton"


def policies() -> list[Policy]:
    """Every rule, without levels: these come from the pack and its configuration."""
    return [_policy(rule) for rule in RULES]


def _policy(rule: Rule) -> ResourceValidationPolicy:
    def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
        resource = Resource(args.resource_type, args.props, args.opts.protect, args.get_config())
        for message in rule.messages(resource):
            report(message, None)

    schema = PolicyConfigSchema(dict(rule.schema)) if rule.schema else None
    return ResourceValidationPolicy(rule.name, rule.description, validate, config_schema=schema)
