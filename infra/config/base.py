"""What every section of a stack's configuration is."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class Section(BaseModel):
    """Immutable, closed (an unknown key is an error), camelCase in the stack's file.

    A number stands for its text, since `pulumi config set` writes 2 and 0.5 without quotes.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        validate_default=True,
        populate_by_name=True,
        coerce_numbers_to_str=True,
    )


def merged(base: Any, own: Any) -> Any:
    """`own` over `base`, object by object; lists and plain values replace."""
    if not isinstance(base, dict) or not isinstance(own, dict):
        return own
    return {**base, **{key: merged(base.get(key), value) for key, value in own.items()}}
